"""One message a household: in the loaded audience, and again when messages are written."""

import datetime as dt

import pytest

from audience.models import ContactPoint, Patient
from campaigns import blast, drafts, engine, invariants, moves
from campaigns.invariants import check_all
from campaigns.models import Campaign, Enrollment
from campaigns.recipients import audience_of
from messaging.models import Message
from tests.campaigns.conftest import make_blast
from tests.factories import CampaignFactory, ContentFactory, EnrollmentFactory, PatientFactory, StepFactory
from trackstat.clock import now

HOME = "+16175550123"


def member(name, year, **given):
    return PatientFactory(first_name=name, birth_date=dt.date(year, 3, 12), **{"cell": HOME} | given)


@pytest.fixture
def family(in_northside, senders):
    """Mother, daughter and baby on one phone, all of them women; and men, who keep it from being the whole practice."""
    for _ in range(20):
        PatientFactory(first_name="Ben", sex="male")
    return [member("Mother", 1984), member("Daughter", 2012), member("Baby", 2025)]


@pytest.fixture
def draft(people, family):
    return make_blast(people.uma)


def loaded(campaign):
    return list(campaign.members.order_by("patient__birth_date").values_list("patient__first_name", flat=True))


def reasons(campaign):
    messages = Message.objects.filter(campaign_id=campaign.pk)
    return dict(messages.values_list("patient__first_name", "reason"))


def test_a_blast_loads_one_of_a_household_unless_each_is_to_get_one(draft, people):
    assert blast.load(draft, people.uma) == 1
    assert loaded(draft) == ["Mother"]
    drafts.save_household(draft, False, draft.version, people.uma)
    assert draft.is_stale
    assert blast.load(draft, people.uma) == 3


def test_whoever_is_removed_by_hand_leaves_the_phone_to_the_next_and_gets_it_back(draft, family, people):
    mother, daughter, _ = family
    blast.load(draft, people.uma)
    assert blast.remove(draft, mother, people.uma) == 1
    assert loaded(draft) == ["Daughter"]
    assert blast.changes(draft) == blast.Changes(), "what is loaded is who matches"
    assert blast.remove(draft, daughter, people.uma) == 1
    assert loaded(draft) == ["Baby"]
    assert blast.undo_removal(draft, mother, people.uma) == 1
    assert loaded(draft) == ["Mother"]
    assert blast.undo_removals(draft, people.uma) == 1
    assert loaded(draft) == ["Mother"]


def test_an_email_goes_to_whoever_has_a_mailbox_of_their_own(people, family):
    assert blast.load(make_blast(people.uma, channel="email"), people.uma) == 3


def test_two_who_come_to_share_a_phone_after_loading_are_texted_once(draft, family, people):
    other = PatientFactory(first_name="Grandmother", birth_date=dt.date(1950, 1, 1))
    assert blast.load(draft, people.uma) == 2
    moves.enable(draft, people.uma)
    Patient.objects.filter(pk=other.pk).update(cell=HOME)
    assert engine.work(draft.practice_id) == 2
    assert reasons(draft) == {"Grandmother": "", "Mother": Message.Reason.SAME_HOUSEHOLD}
    assert engine.work(draft.practice_id) == 0


def test_the_second_batch_knows_whom_the_first_has_written_to(draft, family, people, monkeypatch):
    drafts.save_household(draft, True, draft.version, people.uma)
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    EnrollmentFactory(campaign=draft, patient=family[1], due_at=now())
    monkeypatch.setattr(engine, "BATCH", 1)
    engine.work(draft.practice_id)
    assert reasons(draft) == {"Mother": "", "Daughter": Message.Reason.SAME_HOUSEHOLD}
    assert Enrollment.objects.filter(state="done").count() == 2


def test_each_gets_one_where_the_campaign_says_so(draft, people):
    drafts.save_household(draft, False, draft.version, people.uma)
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    engine.work(draft.practice_id)
    assert set(reasons(draft).values()) == {""}


def test_who_may_not_be_written_to_keeps_nobody_from_the_message(draft, family, people):
    """The mother died between loading and writing: the phone is the daughter's now."""
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    EnrollmentFactory(campaign=draft, patient=family[1], due_at=now())
    Patient.objects.filter(pk=family[0].pk).update(inactive_reason="deceased", status="inactive")
    engine.work(draft.practice_id)
    assert reasons(draft) == {"Mother": Message.Reason.INACTIVE, "Daughter": ""}


def test_a_later_message_by_another_channel_goes_to_each_mailbox_once(draft, family, people):
    """The phone is the mother's alone, the mailbox her sister's too: the email comes once."""
    sister = PatientFactory(first_name="Sister", birth_date=dt.date(1990, 1, 1), email=family[0].email)
    email = ContentFactory(channel="email", subject="News", body="News")
    StepFactory(campaign=draft, position=2, channel="email", content=email, when="delay", delay_minutes=0)
    blast.load(draft, people.uma)
    assert loaded(draft) == ["Mother", "Sister"]
    Enrollment.objects.bulk_create(
        [EnrollmentFactory.build(campaign=draft, patient=each, next_position=2) for each in (family[0], sister)]
    )
    Campaign.objects.filter(pk=draft.pk).update(state="sending", loaded_at=now())
    engine.work(draft.practice_id)
    assert reasons(draft) == {"Mother": "", "Sister": Message.Reason.SAME_HOUSEHOLD}


def _drip(**given):
    campaign = CampaignFactory(kind="drip", trigger="birthday", state="enabled", **given)
    StepFactory(campaign=campaign, time_of_day=dt.time(10))
    return campaign


def test_a_drip_asks_its_trigger_first_so_a_childs_birthday_is_not_the_mothers_to_stand_for(family):
    drip = _drip()
    assert audience_of(drip).household is None
    EnrollmentFactory(campaign=drip, patient=family[1], occurrence="birthday:2026")
    engine.materialise_due(drip.practice_id)
    assert reasons(drip) == {"Daughter": ""}


def test_two_of_a_household_due_on_one_day_get_one_message_and_on_two_days_two(family):
    mother, daughter, baby = family
    drip, morning = _drip(), now()
    for patient, due_at in ((baby, morning), (daughter, morning), (mother, morning - dt.timedelta(days=1))):
        EnrollmentFactory(campaign=drip, patient=patient, due_at=due_at, occurrence="birthday:2026")
    engine.materialise_due(drip.practice_id)
    assert reasons(drip) == {"Mother": "", "Daughter": "", "Baby": Message.Reason.SAME_HOUSEHOLD}
    drip.refresh_from_db()
    each = _drip(one_per_household=False)
    for patient in family:
        EnrollmentFactory(campaign=each, patient=patient, due_at=morning, occurrence="birthday:2026")
    engine.materialise_due(drip.practice_id)
    assert set(reasons(each).values()) == {""}


def test_writing_asks_for_households_a_fixed_number_of_times(draft, people, django_assert_max_num_queries):
    for n in range(6):
        for name in ("A", "B"):
            PatientFactory(first_name=f"{name}{n}", cell=f"+1617555{n:04d}")
    drafts.save_household(draft, False, draft.version, people.uma)
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    Campaign.objects.update(one_per_household=True)
    with django_assert_max_num_queries(55):
        engine.work(draft.practice_id)
    assert Message.objects.filter(reason=Message.Reason.SAME_HOUSEHOLD).count() == 2 + 6


def test_the_check_of_invariants_names_a_phone_that_two_got_a_blast_on(draft, people):
    drafts.save_household(draft, False, draft.version, people.uma)
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    engine.work(draft.practice_id)

    def broken():
        found = {each.invariant.name: each.violations for each in check_all(60) if each.count}
        return found.get("one message a household", [])

    Message.objects.update(armed_at=now())
    assert broken() == []
    Campaign.objects.update(one_per_household=True)
    point = ContactPoint.objects.get(address=HOME)
    assert broken() == [
        f"practice {draft.practice_id}: contact point {point.pk}, step {draft.steps.get().pk}, messages 3"
    ]
    assert len(invariants.INVARIANTS) == len({each.name for each in invariants.INVARIANTS})


HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def test_the_page_offers_the_choice_and_lists_who_is_left_out(draft, family, people, client):
    client.force_login(people.uma)
    step = f"/northside/campaigns/blasts/{draft.pk}/audience/"
    assert "One per household" in client.get(step).text
    effects = client.get(step, {"show": "effects"}, headers=HTMX).text
    assert "same household" in effects and f"{step}households/" in effects
    page = client.get(f"{step}households/").text
    assert "2 patients share the cell phone" in page
    assert page.count("Alvarez, Mother") == 2
    assert "Alvarez, Baby" in page and "Alvarez, Ben" not in page
    assert "Alvarez, Baby" not in client.get(f"{step}households/", {"q": "daughter"}, headers=HTMX).text
    client.post(f"{step}household/", {"version": draft.version}, headers=HTMX)
    draft.refresh_from_db()
    assert not draft.one_per_household
    assert "Nobody is left out" in client.get(f"{step}households/").text
    stale = client.post(f"{step}household/", {"version": draft.version - 1, "one": "1"}, headers=HTMX)
    assert "Somebody else has changed" in stale.text
    draft.refresh_from_db()
    assert not draft.one_per_household


def test_the_count_beside_the_filters_is_what_loading_gives(draft, people, client):
    client.force_login(people.uma)
    step = f"/northside/campaigns/blasts/{draft.pk}/audience/"
    assert "Load 1 patient<" in client.get(step).text.replace("</span>", "<")
    assert blast.load(draft, people.uma) == 1


def test_a_patients_page_links_to_the_household(family, people, client, northside):
    client.force_login(people.fred)
    page = client.get(f"/northside/patients/{family[1].pk}/").text
    assert "Shares the cell phone" in page
    assert f"/northside/patients/{family[0].pk}/" in page and "Mother Alvarez</a> (4" in page
