"""What the review step says a blast will come to."""

import datetime as dt

import pytest

from audience.consent import mark_unusable, opt_out
from audience.models import ContactPoint, Patient
from campaigns import blast, drafts, engine
from campaigns import estimate as estimating
from campaigns.estimate import estimate
from campaigns.models import Campaign
from messaging.models import Message
from tests.campaigns.conftest import WOMEN, make_blast
from tests.factories import PatientFactory, TagFactory

# With a name and the opt-out line two segments, three with a letter that is not in GSM-7.
LONG = "Hi {{PatientFirstName|there}}, " + "x" * 134


def _write(campaign, body, **given):
    step = {
        "channel": "text",
        "subject": "",
        "when": "now",
        "at_local": None,
        "delay_minutes": 0,
        "position": 1,
    } | given
    return drafts.save_step(campaign, body=body, version=campaign.version, by=None, **step)


def test_recipients_and_those_left_out_by_reason(draft, people):
    PatientFactory(cell="", can_text=False)
    blast.load(draft, people.uma)
    blast.remove(draft, draft.members.first().patient, people.uma)
    found = estimate(draft)
    assert found.recipients == 2
    assert {each.key: each.count for each in found.left_out} == {"removed": 1, "no_cell": 1}


def test_segments_are_counted_on_each_patients_own_words(draft, people):
    _write(draft, LONG)
    PatientFactory(first_name="Zoë-Ωmega")
    PatientFactory(first_name="Łukasz")
    blast.load(draft, people.uma)
    [step] = estimate(draft).steps
    assert (step.least, step.usual, step.most) == (2, 2, 3)
    assert step.total == 3 * 2 + 2 * 3
    assert not estimate(draft).is_sample


def test_a_second_text_carries_no_opt_out_line_any_more(draft, people):
    _write(draft, "Hi " + "x" * 140)
    _write(draft, "Hi " + "x" * 140, position=None, when="delay", delay_minutes=60)
    blast.load(draft, people.uma)
    found = estimate(draft)
    assert [step.total for step in found.steps] == [6, 3]
    assert found.segments == 9
    assert found.steps[1].due_at - found.steps[0].due_at == dt.timedelta(minutes=60)


def test_quiet_hours_say_how_many_wait_and_until_when(draft, people, clock):
    clock.at(dt.datetime(2027, 1, 5, 15, tzinfo=dt.UTC))
    PatientFactory(time_zone="America/Los_Angeles")
    PatientFactory(time_zone="", cell="+14155550123")
    _write(draft, "Hello", when="at", at_local=dt.datetime.fromisoformat("2027-01-06 10:30"))
    blast.load(draft, people.uma)
    [step] = estimate(draft).steps
    assert (step.recipients, step.held_count, step.lapsing) == (5, 2, 0)
    assert step.held_until == dt.datetime(2027, 1, 6, 17, tzinfo=dt.UTC)


def test_email_counts_one_each_and_never_waits(people, in_northside, senders):
    for _ in range(3):
        PatientFactory()
    PatientFactory(email="", can_email=False)
    campaign = make_blast(people.uma, channel="email")
    drafts.save_definition(campaign, WOMEN, [], campaign.version, people.uma)
    blast.load(campaign, people.uma)
    found = estimate(campaign)
    [step] = found.steps
    assert (step.recipients, step.unreachable, step.total, step.held) == (4, 1, 3, [])
    assert (found.emails, found.segments) == (3, 0)


@pytest.mark.parametrize("channel", ["text", "email"])
@pytest.mark.parametrize("category", ["announcement", "appointment"])
def test_the_estimate_is_what_is_written_to_be_sent(people, in_northside, senders, channel, category):
    plain, opted_out, deceased, tagged, landline = [PatientFactory() for _ in range(5)]
    opt_out(channel, opted_out.address_for(channel), category, "staff")
    Patient.objects.filter(pk=deceased.pk).update(inactive_reason=Patient.InactiveReason.DECEASED)
    tagged.patient_tags.create(tag=TagFactory(name="not qualified", always_excluded=True))
    mark_unusable(
        ContactPoint.objects.get_or_create(channel=channel, address=landline.address_for(channel))[0], "invalid", "gone"
    )
    campaign = make_blast(people.uma, channel=channel)
    drafts.save_category(campaign, category, campaign.version, people.uma)
    # Touched boxes, and one a patient: nothing is required any more, so everybody is loaded whom no tag keeps away.
    drafts.save_household(campaign, False, campaign.version, people.uma)
    drafts.save_definition(campaign, WOMEN, [], campaign.version, people.uma)
    loaded = blast.load(campaign, people.uma)
    if category == "announcement":
        # Tagged between loading and looking.
        campaign.members.model.objects.get_or_create(campaign=campaign, patient=tagged)
        loaded = campaign.members.count()
    assert loaded == 5
    [step] = estimate(campaign).steps
    Campaign.objects.filter(pk=campaign.pk).update(state="enabled")
    blast.launch(campaign)
    engine.work(campaign.practice_id)
    rows = Message.objects.filter(campaign_id=campaign.pk)
    assert rows.filter(state="pending").count() == step.total == step.recipients - step.unreachable
    assert rows.filter(state="aborted").count() == step.unreachable == (4 if category == "announcement" else 3)
    assert plain.pk in rows.filter(state="pending").values_list("patient_id", flat=True)


def test_credits_are_those_of_the_patients_who_get_the_text(draft, people):
    _write(draft, LONG)
    silent = PatientFactory(first_name="Łukasz")
    opt_out("text", silent.cell, "announcement", "staff")
    drafts.save_definition(draft, WOMEN, [], draft.version, people.uma)
    blast.load(draft, people.uma)
    [step] = estimate(draft).steps
    assert (step.recipients, step.unreachable, step.most, step.total) == (4, 1, 2, 6)


def test_a_large_audience_is_sampled_and_the_extremes_are_in_it(draft, people, monkeypatch):
    monkeypatch.setattr(estimating, "SAMPLE", 5)
    monkeypatch.setattr(estimating, "EXTREMES", 2)
    for _ in range(20):
        PatientFactory(first_name="Bo")
    PatientFactory(first_name="Łukasz")
    PatientFactory(first_name="M" * 60)
    _write(draft, "Hi {{PatientFirstName}} " + "x" * 60)
    blast.load(draft, people.uma)
    found = estimate(draft)
    [step] = found.steps
    assert found.is_sample
    assert found.counted < found.recipients == 25
    assert (step.least, step.usual, step.most) == (1, 1, 2)


@pytest.mark.parametrize("body", ["", "Hello"])
def test_an_unfinished_message_has_an_estimate_too(draft, people, body):
    _write(draft, body)
    blast.load(draft, people.uma)
    [step] = estimate(draft).steps
    assert step.total == (3 if body else 0)
