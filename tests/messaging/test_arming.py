"""The last look before a message leaves, and the races it must win."""

import datetime as dt
import threading
import uuid

import pytest
from django.db import connection

from audience import consent
from audience.models import PatientTag
from messaging import claim
from messaging.arm import arm
from messaging.dispatch import InTransaction, dispatch_lane
from messaging.models import Attempt, Message, SendingIdentity
from messaging.reap import reap
from messaging.tasks import mend, wake
from tests.factories import ContentFactory, PatientFactory, TagFactory
from tests.messaging.conftest import NOON, point_of
from tests.sandbox.conftest import a_number
from trackstat.tenancy.models import PracticeSettings
from trackstat.tenancy.scope import practice_scope


def stored(practice, message):
    with practice_scope(practice):
        return Message.objects.get(pk=message.pk)


def test_what_changed_since_the_words_were_written_stops_the_message(northside, text_line, due, run, sandbox):
    opted_out, changed, removed, dead, tagged, landline, late = due(text_line, 7)
    with practice_scope(northside):
        consent.opt_out("text", opted_out.to_address, "all", "reply", "STOP")
        for message, fields in (
            (changed, {"cell": a_number("212")}),
            (removed, {"cell": ""}),
            (dead, {"status": "inactive", "inactive_reason": "deceased"}),
        ):
            type(message.patient).objects.filter(pk=message.patient_id).update(**fields)
        PatientTag.objects.create(patient=tagged.patient, tag=TagFactory(name="not qualified", always_excluded=True))
        consent.mark_unusable(point_of(landline), "landline", "30006")
        Message.objects.filter(pk=late.pk).update(not_after=NOON)
    counts = run(text_line)
    assert (counts.aborted, counts.outcomes) == (7, {})
    reasons = [stored(northside, m).reason for m in (opted_out, changed, removed, dead, tagged, landline, late)]
    assert reasons == [
        "opted_out",
        "address_changed",
        "no_address",
        "inactive",
        "not_qualified",
        "landline",
        "expired",
    ]
    assert not any(sandbox.messages(m.to_address) for m in (opted_out, changed, removed))


def test_texts_are_held_at_night_on_the_patients_clock_and_dropped_when_it_gets_too_late(
    northside, text_line, due, run, clock
):
    clock.at(NOON.replace(hour=9, minute=30))  # half past six in Los Angeles
    with practice_scope(northside):
        west = PatientFactory(cell=a_number("415"), time_zone="America/Los_Angeles")
        unknown = PatientFactory(cell=a_number("415"), time_zone="")
    held, soon_over = due(text_line, 2, patient=west, due_at=NOON - dt.timedelta(hours=4))
    by_area_code = due(text_line, patient=unknown, due_at=NOON - dt.timedelta(hours=4))[0]
    with practice_scope(northside):
        Message.objects.filter(pk=soon_over.pk).update(not_after=NOON - dt.timedelta(minutes=1))
    counts = run(text_line)
    assert (counts.waiting, counts.aborted, counts.outcomes) == (2, 1, {})
    assert stored(northside, held).next_at == NOON
    assert stored(northside, by_area_code).next_at == NOON
    assert stored(northside, soon_over).reason == "expired"
    clock.at(NOON + dt.timedelta(minutes=1))
    assert run(text_line).outcomes == {"accepted": 2}


def test_email_is_not_held_at_night(northside, mail_line, due, run, clock, sandbox):
    with practice_scope(northside):
        content = ContentFactory(channel="email", subject="News", body="<p>Hi {{PatientFirstName}}</p>")
    clock.at(NOON.replace(hour=3))
    (message,) = due(
        mail_line,
        channel="email",
        content=content,
        body="",
        merge_values={"PatientFirstName": "Ana", "PracticeName": "Northside", "PracticeAddress": "1 Main Street"},
        due_at=NOON - dt.timedelta(hours=10),
    )
    assert run(mail_line).outcomes == {"accepted": 1}
    mail = sandbox.mail(sandbox.mails(message.to_address)[0]["id"])
    assert "<p>Hi Ana</p>" in mail["html"] and message.token in mail["text"]


@pytest.fixture
def letter(northside, mail_line, due):
    """A due email; its foot as it was written, unless said otherwise."""
    values = {"PatientFirstName": "Ana", "PracticeName": "Northside", "PracticeAddress": "1 Main Street"}

    def make(**more):
        with practice_scope(northside):
            content = ContentFactory(channel="email", subject="News", body="<p>Hi {{PatientFirstName}}</p>")
        return due(mail_line, channel="email", content=content, body="", merge_values=values | more)[0]

    return make


def test_an_email_without_the_practices_postal_address_never_leaves(northside, mail_line, letter, run, sandbox):
    written_before = letter(PracticeAddress="")
    assert run(mail_line).aborted == 1
    with practice_scope(northside):
        PracticeSettings.objects.update(city="")
    taken_away = letter()
    assert run(mail_line).outcomes == {}
    for message in (written_before, taken_away):
        assert stored(northside, message).reason == "no_postal_address"
        assert not sandbox.mails(message.to_address)


def test_without_the_practices_word_announcements_stop_and_appointment_messages_go(
    northside, text_line, due, run, sandbox
):
    with practice_scope(northside):
        PracticeSettings.objects.update(attested_at=None)
    (news,) = due(text_line)
    (reminder,) = due(text_line, category="appointment")
    assert run(text_line).outcomes == {"accepted": 1}
    assert stored(northside, news).reason == "not_attested"
    assert stored(northside, reminder).state == "sent"


def test_a_message_that_lost_its_lease_is_left_alone(northside, text_line, due):
    due(text_line, 3)
    token = uuid.uuid4()
    with practice_scope(northside):
        claimed = claim.claim(text_line.pk, 10, token)
    with practice_scope(northside):
        Message.objects.filter(pk=claimed[0].message_id).update(state="pending", lease_token=None, lease_until=None)
        Message.objects.filter(pk=claimed[1].message_id).update(lease_token=uuid.uuid4())
    with practice_scope(northside):
        armed = arm(claimed, token, "twilio")
    assert [outgoing.to for outgoing in armed.outgoing] == [claimed[2].to_address]
    with practice_scope(northside):
        assert Attempt.objects.count() == 1


def test_two_runs_never_claim_the_same_message(northside, text_line, due):
    due(text_line, 30)
    taken = []

    def take():
        try:
            with practice_scope(northside.pk):
                taken.append([c.message_id for c in claim.claim(text_line.pk, 20, uuid.uuid4())])
                started.wait()
        finally:
            connection.close()

    started = threading.Barrier(2)
    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(taken[0]) + len(taken[1]) == 30
    assert not set(taken[0]) & set(taken[1])


@pytest.mark.parametrize("first", ["opt out", "arm"])
@pytest.mark.parametrize("turn", range(5))
def test_nothing_is_armed_after_an_opt_out_has_committed(northside, text_line, due, first, turn):
    """Both orders: who comes second waits for the first one's lock, then sees what it did."""
    (message,) = due(text_line)
    token = uuid.uuid4()
    with practice_scope(northside):
        claimed = claim.claim(text_line.pk, 1, token)
    committing, order, armed = threading.Event(), [], []

    def opt_out():
        try:
            with practice_scope(northside.pk):
                consent.opt_out("text", message.to_address, "all", "reply", "STOP")
                _meet("opt out")
            order.append("opt out")
        finally:
            connection.close()

    def arm_it():
        try:
            with practice_scope(northside.pk):
                armed.extend(arm(claimed, token, "twilio").outgoing)
                _meet("arm")
            order.append("arm")
        finally:
            connection.close()

    def _meet(who):
        """The first holds its transaction open until the other one has surely run into its lock."""
        if who == first:
            committing.set()
            other.wait(0.15)

    other = threading.Event()
    threads = {"opt out": threading.Thread(target=opt_out), "arm": threading.Thread(target=arm_it)}
    threads[first].start()
    committing.wait(10)
    second = threads["arm" if first == "opt out" else "opt out"]
    second.start()
    for thread in threads.values():
        thread.join(20)
    assert order[0] == first
    after = stored(northside, message)
    if first == "opt out":
        assert (armed, after.state, after.reason) == ([], "aborted", "opted_out")
    else:
        assert len(armed) == 1 and after.state == "sending"


def test_no_provider_is_called_inside_a_transaction(northside, text_line, due):
    due(text_line)
    with pytest.raises(InTransaction), practice_scope(northside):
        dispatch_lane(northside.pk, text_line.pk)


def test_an_expired_claim_goes_back_and_an_expired_hand_over_becomes_uncertain(northside, text_line, due, clock, run):
    due(text_line, 3)
    token = uuid.uuid4()
    with practice_scope(northside):
        claimed = claim.claim(text_line.pk, 3, token)
        armed = arm(claimed[:1], token, "twilio")
    with practice_scope(northside):
        assert reap() == (0, 0)
    clock.at(NOON + dt.timedelta(minutes=2))
    mend(northside.pk)
    with practice_scope(northside):
        by_id = dict(Message.objects.values_list("pk", "state"))
        attempt = Attempt.objects.get(key=armed.outgoing[0].attempt_key)
    assert [by_id[c.message_id] for c in claimed] == ["unknown", "pending", "pending"]
    assert attempt.outcome == Attempt.Outcome.UNKNOWN
    # The uncertain one is never sent again by itself.
    assert run(text_line).outcomes == {"accepted": 2}
    assert stored(northside, due_message(claimed[0])).state == "unknown"


def due_message(candidate):
    return Message(pk=candidate.message_id)


def test_an_identity_that_may_not_send_sends_nothing(northside, text_line, due, run, states):
    due(text_line, 2)
    with practice_scope(northside):
        SendingIdentity.objects.update(registration=SendingIdentity.Registration.PENDING)
    assert run(text_line).outcomes == {}
    assert states() == ["pending", "pending"]
    with practice_scope(northside):
        Message.objects.update(not_after=NOON)
    run(text_line)
    assert states() == ["aborted", "aborted"]


def test_over_the_daily_cap_messages_wait_for_the_next_local_day(northside, text_line, due, run, states, clock):
    with practice_scope(northside):
        SendingIdentity.objects.update(daily_cap=3)
    messages = due(text_line, 5)
    assert run(text_line).outcomes == {"accepted": 3}
    run(text_line)
    assert states() == ["sent"] * 3 + ["pending"] * 2
    midnight = (NOON + dt.timedelta(days=1)).replace(hour=0)
    assert stored(northside, messages[4]).next_at == midnight
    clock.at(NOON + dt.timedelta(days=1))
    assert run(text_line).outcomes == {"accepted": 2}


def test_waking_a_practice_rings_its_lanes_when_the_transaction_commits(northside, text_line, due, monkeypatch):
    rung = []
    monkeypatch.setattr("trackstat.celery._publish", lambda task, args: rung.append((task.name, *args)))
    due(text_line)
    with practice_scope(northside):
        wake(northside.pk)
        assert rung == []
    assert rung == [("messaging.dispatch", northside.pk, text_line.pk)]
