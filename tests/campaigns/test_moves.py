"""On, off, pause, resume, stop: what each does to what waits."""

import datetime as dt

import pytest

from campaigns import blast, drafts, engine, moves
from campaigns.checks import campaign_goes_on
from campaigns.models import Campaign, Enrollment
from campaigns.moves import Blocked
from campaigns.problems import problems
from campaigns.standing import stop_preview
from messaging.checks import Candidate, Situation, Stop, Wait
from messaging.models import Hold, Message, SendingIdentity
from tests.campaigns.conftest import MEN, WOMEN, make_blast
from tests.factories import CampaignFactory, PatientFactory, StepFactory
from trackstat.clock import now
from trackstat.tenancy.models import AuditEvent, PracticeSettings


@pytest.fixture
def sending(draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    engine.work(draft.practice_id)
    draft.refresh_from_db()
    return draft


def _candidate(message):
    fields = {name: getattr(message, name, None) for name in Candidate.__dataclass_fields__}
    return Candidate(**fields | {"message_id": message.pk})


def _verdict(message):
    candidates = [_candidate(message)]
    return campaign_goes_on(candidates, Situation(now(), PracticeSettings.objects.get())).get(message.pk)


def _texts(campaign):
    return " ".join(problem.text for problem in problems(campaign))


def test_pausing_holds_and_resuming_lets_go(sending, people):
    assert moves.pause(sending, people.uma)
    assert not moves.pause(sending, people.mona)
    assert (sending.state, sending.paused_from) == ("paused", "sending")
    assert Hold.objects.get().campaign_id == sending.pk
    assert isinstance(_verdict(Message.objects.first()), Wait)
    assert moves.resume(sending, people.uma)
    assert not moves.resume(sending, people.uma)
    assert (sending.state, sending.paused_from) == ("sending", "")
    assert not Hold.objects.exists()
    assert _verdict(Message.objects.first()) is None


def test_nothing_is_written_while_paused(draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    moves.pause(draft, people.uma)
    assert engine.work(draft.practice_id) == 0
    moves.resume(draft, people.uma)
    assert draft.state == "enabled"
    assert engine.work(draft.practice_id) == 3


def test_the_paused_time_is_given_to_what_waits(sending, people, clock):
    before = Message.objects.first().not_after
    moves.pause(sending, people.uma)
    clock.ahead(dt.timedelta(days=3))
    moves.resume(sending, people.uma)
    assert Message.objects.first().not_after - before >= dt.timedelta(days=3)


def test_stopping_cancels_what_waits_and_keeps_what_is_handed_over(sending, people):
    sent = Message.objects.first()
    Message.objects.filter(pk=sent.pk).update(state="sent")
    preview = stop_preview(sending)
    assert (preview.sent, preview.waiting, preview.not_written, preview.will_not_be_sent) == (1, 2, 0, 2)
    assert moves.stop(sending, people.uma)
    assert not moves.stop(sending, people.uma)
    assert sending.state == "stopped"
    assert set(Message.objects.values_list("state", "reason")) == {("sent", ""), ("cancelled", "stopped")}
    assert AuditEvent.objects.get(action="campaign.stopped").detail == {"cancelled": 2, "ended": 0}
    with pytest.raises(Blocked, match="stopped and cannot be switched on"):
        moves.enable(sending, people.uma)


def test_stopping_before_anything_is_written_ends_every_enrollment(draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    assert stop_preview(draft).will_not_be_sent == 3
    moves.stop(draft, people.uma)
    assert set(Enrollment.objects.values_list("state", "reason")) == {("stopped", "stopped")}
    assert engine.work(draft.practice_id) == 0


def test_a_message_taken_just_before_the_stop_is_caught_when_arming(sending, people):
    message = Message.objects.first()
    moves.stop(sending, people.uma)
    assert _verdict(message) == Stop(Message.Reason.STOPPED)


def test_a_scheduled_blast_that_is_switched_off_starts_afresh(draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    assert not moves.enable(draft, people.uma), "pressing twice is no error"
    assert moves.disable(draft, people.uma)
    assert not moves.disable(draft, people.uma)
    assert (draft.state, draft.enabled_at) == ("draft", None)
    assert not Enrollment.objects.exists()
    drafts.save_definition(draft, MEN, None, draft.version, people.uma)
    blast.load(draft, people.uma)
    assert moves.enable(draft, people.uma)
    assert set(Enrollment.objects.values_list("patient__sex", flat=True)) == {"male"}


def test_a_blast_that_is_sending_cannot_be_switched_off_or_deleted_but_stopped(sending, people):
    with pytest.raises(Blocked, match="sending and cannot be switched off"):
        moves.disable(sending, people.uma)
    with pytest.raises(Blocked, match="Stop this campaign first"):
        moves.archive(sending, people.uma)
    moves.stop(sending, people.uma)
    assert moves.archive(sending, people.uma)
    assert Message.objects.count() == 3, "history stays"


def test_deleting_a_scheduled_blast_cancels_it(draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    assert moves.archive(draft, people.uma)
    assert (draft.state, Enrollment.objects.count()) == ("draft", 0)


def test_a_drip_that_is_switched_off_sends_nothing_more(people, in_northside, senders, clock):
    clock.at(dt.datetime(2027, 3, 12, 14, tzinfo=dt.UTC))
    drip = CampaignFactory(kind="drip", trigger="birthday")
    StepFactory(campaign=drip, time_of_day=dt.time(10))
    patients = [PatientFactory(birth_date=dt.date(1984, 3, 12)) for _ in range(2)]
    moves.enable(drip, people.uma)
    clock.at(dt.datetime(2027, 3, 12, 15, tzinfo=dt.UTC))
    assert engine.work(drip.practice_id) == 2
    messages = Message.objects.order_by("pk")
    assert _verdict(messages[0]) is None
    type(patients[0]).objects.filter(pk=messages[0].patient_id).update(birth_date=dt.date(1984, 5, 1))
    assert _verdict(messages[0]) == Stop(Message.Reason.NO_LONGER_MATCHES)
    moves.disable(drip, people.uma)
    assert _verdict(messages[1]) == Stop(Message.Reason.STOPPED)
    assert set(messages.values_list("state", flat=True)) == {"cancelled"}
    assert engine.work(drip.practice_id) == 0


def test_every_problem_is_said_at_once_with_its_place(people, in_northside):
    campaign = drafts.create("blast", "Empty", people.uma)
    found = problems(campaign)
    assert {problem.step for problem in found} == {"message", "audience"}
    PracticeSettings.objects.update(attested_at=None, phone="", address_line="")
    for channel in ("text", "email"):
        drafts.save_step(campaign, channel, "", "", "now", None, 0, campaign.version, people.uma)
    drafts.save_definition(campaign, WOMEN, None, campaign.version, people.uma)
    text = _texts(campaign)
    for words in (
        "Message 1: Nothing is written yet",
        "Message 2: Say how long after",
        "audience is not loaded",
        "intake form",
        "no texting number yet",
        "no From address yet",
        "postal address",
        "phone number",
    ):
        assert words in text
    with pytest.raises(Blocked):
        moves.enable(campaign, people.uma)


def test_a_sender_that_is_not_approved_or_switched_off_blocks(draft, people):
    blast.load(draft, people.uma)
    assert problems(draft) == []
    SendingIdentity.objects.update(registration="pending")
    assert "not approved by the carriers" in _texts(draft)
    SendingIdentity.objects.update(registration="approved", is_active=False)
    assert "switched off" in _texts(draft)


def test_an_appointment_message_needs_no_word_about_marketing(draft, people):
    PracticeSettings.objects.update(attested_at=None)
    blast.load(draft, people.uma)
    assert "intake form" in _texts(draft)
    drafts.save_category(draft, "appointment", draft.version, people.uma)
    assert "intake form" not in _texts(draft)


def test_an_announcement_does_not_go_to_the_whole_practice(people, in_northside, senders):
    for _ in range(5):
        PatientFactory()
    campaign = make_blast(people.uma)
    blast.load(campaign, people.uma)
    assert "whole practice: these are 5 of the 5" in _texts(campaign)
    drafts.save_category(campaign, "appointment", campaign.version, people.uma)
    assert problems(campaign) == []


@pytest.mark.parametrize(
    ("wall", "words"),
    [
        ("2027-03-13 09:00", "time has passed"),
        ("2027-03-14 02:30", "clocks skip 2:30 AM"),
        ("2027-03-14 03:30", ""),
    ],
)
def test_a_time_that_has_passed_or_never_comes_blocks(draft, people, clock, wall, words):
    clock.at(dt.datetime(2027, 3, 13, 15, tzinfo=dt.UTC))
    wall = dt.datetime.fromisoformat(wall)
    drafts.save_step(draft, "text", "", "Hello", "at", wall, 0, draft.version, people.uma, position=1)
    blast.load(draft, people.uma)
    assert words in _texts(draft)
    assert bool(words) == bool(problems(draft))


def test_the_moves_are_those_of_the_table():
    assert Campaign.MOVES["sent"] == Campaign.MOVES["stopped"] == set()
