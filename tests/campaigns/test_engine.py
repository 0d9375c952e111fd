"""From launch to sent: written once, whatever is repeated or breaks."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audience.models import Patient
from campaigns import blast, drafts, engine, moves, tasks
from campaigns.models import Campaign, Enrollment
from messaging.models import Message, SendingIdentity
from tests.campaigns.conftest import make_blast, make_patients
from tests.factories import CampaignFactory, PatientFactory, StepFactory
from trackstat.clock import now
from trackstat.tenancy.models import AuditEvent, PracticeSettings
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def launched(draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    return draft


@pytest.fixture
def drip(in_northside, senders):
    campaign = CampaignFactory(kind="drip", trigger="birthday", name="Birthday")
    StepFactory(campaign=campaign, time_of_day=dt.time(10))
    return campaign


def _state(campaign):
    campaign.refresh_from_db()
    return campaign.state


def test_a_launched_blast_becomes_one_message_a_patient_and_then_is_sending(launched):
    assert engine.work(launched.practice_id) == 3
    assert _state(launched) == "sending"
    assert Message.objects.filter(campaign_id=launched.pk, state="pending").count() == 3
    message = Message.objects.first()
    assert message.body.startswith("Hi Ana")
    assert (message.step_id, message.category) == (launched.steps.get().pk, "announcement")
    assert message.not_after - message.due_at == dt.timedelta(hours=48)
    assert set(Enrollment.objects.values_list("state", flat=True)) == {"done"}


def test_working_again_writes_nothing_again(launched):
    assert [engine.work(launched.practice_id) for _ in range(3)] == [3, 0, 0]
    Enrollment.objects.update(state="active")
    engine.work(launched.practice_id)
    assert Message.objects.count() == 3, "even if the enrollments were forgotten"


def test_a_blast_is_sent_when_nothing_waits_any_more(launched):
    engine.work(launched.practice_id)
    Message.objects.exclude(pk=Message.objects.first().pk).update(state="sent")
    assert engine.end_sent(launched.practice_id) == []
    Message.objects.update(state="failed")
    assert engine.end_sent(launched.practice_id) == [launched.pk]
    assert _state(launched) == "sent"
    assert launched.finished_at is not None
    assert engine.end_sent(launched.practice_id) == []
    actions = AuditEvent.objects.filter(object_id=launched.pk, object_type="campaigns.campaign").order_by("pk")
    assert list(actions.values_list("action", flat=True))[-3:] == [
        "campaign.enabled",
        "campaign.sending",
        "campaign.sent",
    ]


def test_a_crash_while_writing_leaves_nothing_half(launched, monkeypatch):
    def broken(practice_id):
        raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(engine, "wake", broken)
        engine.work(launched.practice_id)
    assert Message.objects.count() == 0
    assert _state(launched) == "enabled"
    assert set(Enrollment.objects.values_list("state", "next_position")) == {("active", 1)}
    assert engine.work(launched.practice_id) == 3


def test_a_crash_between_batches_is_made_good(launched, monkeypatch):
    monkeypatch.setattr(engine, "BATCH", 2)
    written = engine._materialise_batch(launched.practice_id, tasks.HORIZON)
    assert (written, Message.objects.count()) == (2, 2)
    assert engine.work(launched.practice_id) == 1
    assert Message.objects.values("patient_id").distinct().count() == 3


def test_later_messages_are_due_after_the_one_before(draft, people, clock):
    add = {"channel": "text", "subject": "", "when": "delay", "at_local": None, "by": people.uma}
    drafts.save_step(draft, body="Second", delay_minutes=60, version=draft.version, **add)
    drafts.save_step(draft, body="Third", delay_minutes=30, version=draft.version, **add)
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    launch = Enrollment.objects.first().due_at
    assert engine.work(draft.practice_id) == 3
    assert set(Enrollment.objects.values_list("next_position", "due_at")) == {(2, launch + dt.timedelta(minutes=60))}
    assert engine.work(draft.practice_id) == 0
    clock.ahead(dt.timedelta(minutes=61))
    assert engine.work(draft.practice_id) == 3
    clock.ahead(dt.timedelta(minutes=92))
    assert engine.work(draft.practice_id) == 3
    by_words = {"Hi Ana0": 0, "Second": 60, "Third": 90}
    for words, minutes in by_words.items():
        assert set(Message.objects.filter(body__startswith=words).values_list("due_at", flat=True)) == {
            launch + dt.timedelta(minutes=minutes)
        }
    assert set(Enrollment.objects.values_list("state", flat=True)) == {"done"}


def test_a_scheduled_blast_goes_out_at_its_local_time(draft, people, clock):
    clock.at(dt.datetime(2027, 1, 5, 12, tzinfo=dt.UTC))
    wall = dt.datetime.fromisoformat("2027-01-05 10:00")
    drafts.save_step(draft, "text", "", "Hello", "at", wall, 0, draft.version, people.uma, position=1)
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    assert Enrollment.objects.first().due_at == dt.datetime(2027, 1, 5, 15, tzinfo=dt.UTC)
    assert engine.work(draft.practice_id) == 0
    assert _state(draft) == "enabled"
    clock.at(dt.datetime(2027, 1, 5, 14, 59, 30, tzinfo=dt.UTC))
    assert engine.work(draft.practice_id) == 3, "written shortly before"
    assert Message.objects.first().next_at == dt.datetime(2027, 1, 5, 15, tzinfo=dt.UTC)


def test_without_a_sender_a_live_blast_pauses_itself(launched):
    SendingIdentity.objects.update(is_active=False)
    assert engine.work(launched.practice_id) == 0
    assert _state(launched) == "paused"
    assert "texting number is switched off" in launched.paused_reason
    assert AuditEvent.objects.get(action="campaign.paused").detail == {"why": launched.paused_reason}
    SendingIdentity.objects.update(is_active=True)
    moves.resume(launched, None)
    assert engine.work(launched.practice_id) == 3


@pytest.mark.parametrize(
    ("channel", "taken_away", "said"),
    [
        ("email", {"address_line": ""}, "postal address"),
        ("email", {"attested_at": None}, "intake form"),
        ("text", {"attested_at": None}, "intake form"),
        ("text", {"phone": ""}, "phone number"),
    ],
)
def test_what_the_practice_lacks_after_switching_on_pauses_before_a_message_is_written(
    people, in_northside, senders, channel, taken_away, said
):
    make_patients()
    campaign = make_blast(people.uma, channel=channel)
    blast.load(campaign, people.uma)
    moves.enable(campaign, people.uma)
    before = PracticeSettings.objects.values(*taken_away).get()
    PracticeSettings.objects.update(**taken_away)
    assert engine.work(campaign.practice_id) == 0
    assert (_state(campaign), Message.objects.count()) == ("paused", 0)
    assert said in campaign.paused_reason
    with pytest.raises(moves.Blocked, match=said):
        moves.resume(campaign, people.uma)
    PracticeSettings.objects.update(**before)
    moves.resume(campaign, people.uma)
    assert engine.work(campaign.practice_id) == 3
    assert campaign.paused_reason == ""


def test_a_drip_pauses_itself_with_the_reason_and_stopping_takes_it_away(drip, people, clock):
    clock.at(dt.datetime(2027, 3, 12, 14, tzinfo=dt.UTC))
    PatientFactory(birth_date=dt.date(1984, 3, 12))
    moves.enable(drip, people.uma)
    PracticeSettings.objects.update(attested_at=None)
    clock.at(dt.datetime(2027, 3, 12, 15, tzinfo=dt.UTC))
    assert engine.work(drip.practice_id) == 0
    assert _state(drip) == "paused"
    assert "intake form" in drip.paused_reason
    moves.stop(drip, people.uma)
    assert (drip.state, drip.paused_reason) == ("stopped", "")


def test_a_birthday_is_greeted_through_the_same_engine(drip, people, clock):
    clock.at(dt.datetime(2027, 3, 12, 12, tzinfo=dt.UTC))
    ana = PatientFactory(birth_date=dt.date(1984, 3, 12))
    assert moves.enable(drip, people.uma)
    assert engine.work(drip.practice_id) == 0
    clock.at(dt.datetime(2027, 3, 12, 14, 59, 30, tzinfo=dt.UTC))
    assert [engine.work(drip.practice_id) for _ in range(3)] == [1, 0, 0]
    message = Message.objects.get()
    assert (message.patient, message.due_at) == (ana, dt.datetime(2027, 3, 12, 15, tzinfo=dt.UTC))
    assert message.not_after == dt.datetime(2027, 3, 13, 5, tzinfo=dt.UTC)
    assert _state(drip) == "enabled"
    clock.at(dt.datetime(2028, 3, 12, 14, 30, tzinfo=dt.UTC))
    assert engine.work(drip.practice_id) == 1, "next year again"


def test_switching_a_drip_on_greets_nobody_late(drip, people, clock):
    clock.at(dt.datetime(2027, 3, 12, 15, 5, tzinfo=dt.UTC))
    PatientFactory(birth_date=dt.date(1984, 3, 12))
    moves.enable(drip, people.uma)
    assert engine.work(drip.practice_id) == 0
    clock.at(dt.datetime(2027, 3, 12, 18, tzinfo=dt.UTC))
    assert engine.work(drip.practice_id) == 0


def test_after_an_outage_today_is_caught_up_and_the_days_before_are_not(drip, people, clock):
    clock.at(dt.datetime(2027, 3, 10, 12, tzinfo=dt.UTC))
    for day in (10, 11, 12):
        PatientFactory(birth_date=dt.date(1984, 3, day))
    moves.enable(drip, people.uma)
    clock.at(dt.datetime(2027, 3, 12, 20, tzinfo=dt.UTC))
    assert engine.work(drip.practice_id) == 1
    assert Message.objects.get().patient.birth_date == dt.date(1984, 3, 12)


def test_the_tick_rings_only_for_practices_with_work(
    drip, people, clock, southside, monkeypatch, django_capture_on_commit_callbacks
):
    rung = []
    monkeypatch.setattr(tasks.work, "apply_async", lambda args, **options: rung.append(*args))
    clock.at(dt.datetime(2027, 3, 12, 12, tzinfo=dt.UTC))
    moves.enable(drip, people.uma)
    with practice_scope(southside):
        CampaignFactory()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.tick()
    assert rung == [drip.practice_id], "a drip that was just switched on"
    engine.work(drip.practice_id)
    assert tasks.tick() == [], "nothing is near"
    clock.at(dt.datetime(2027, 3, 12, 14, 59, 30, tzinfo=dt.UTC))
    assert tasks.tick() == tasks.tick() == [drip.practice_id]


def test_the_engine_of_one_practice_leaves_the_other_alone(launched, southside):
    with practice_scope(southside):
        assert engine.work(southside.pk) == 0
    assert Message.objects.count() == 0


@pytest.mark.parametrize("kind", ["text", "email"])
def test_the_number_of_queries_does_not_grow_with_the_audience(people, in_northside, senders, kind):
    numbers = []
    for name in ("a few", "more"):
        for _ in range(3 if name == "a few" else 60):
            PatientFactory()
            PatientFactory(sex=Patient.Sex.MALE)
        campaign = make_blast(people.uma, channel=kind, name=name)
        blast.load(campaign, people.uma)
        with CaptureQueriesContext(connection) as queries:
            moves.enable(campaign, people.uma)
            engine.work(campaign.practice_id)
        assert Message.objects.filter(campaign_id=campaign.pk).count() == campaign.loaded_count
        numbers.append(len(queries))
    assert numbers[1] <= numbers[0] <= 90, numbers


def test_the_clock_of_the_database_is_used(launched):
    assert abs(now() - Enrollment.objects.first().due_at) < dt.timedelta(minutes=1)
    assert Campaign.objects.get().enabled_at is not None
