"""What each answer of a provider leads to, through the whole run of a lane."""

import datetime as dt
import uuid
from time import monotonic, sleep

import pytest

from audience.models import ConsentEvent
from messaging import claim
from messaging.arm import arm
from messaging.errors import codes, explain
from messaging.models import Attempt, Message, SendingIdentity
from messaging.outcomes import record
from messaging.providers.base import Accepted, Later, Refused, Unclear
from messaging.reap import reap
from tests.factories import PatientFactory
from tests.messaging.conftest import NOON, point_of
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def sending(northside, text_line, due):
    """An armed message and its attempt."""

    def make(**fields):
        (message,) = due(text_line, **fields)
        token = uuid.uuid4()
        with practice_scope(northside):
            (outgoing,) = arm(claim.claim(text_line.pk, 1, token), token, "twilio").outgoing
        with practice_scope(northside):
            return message, Attempt.objects.get(key=outgoing.attempt_key)

    return make


@pytest.fixture
def settled(northside):
    def settle(message, attempt, result):
        with practice_scope(northside):
            record(attempt, result)
        with practice_scope(northside):
            return Message.objects.get(pk=message.pk), Attempt.objects.get(pk=attempt.pk)

    return settle


def test_accepted_is_sent_and_the_first_text_introduces_the_practice(northside, sending, settled):
    message, attempt = sending(has_opt_out_line=True)
    message, attempt = settled(message, attempt, Accepted("SM1", 201))
    assert (message.state, attempt.outcome, attempt.provider_id, attempt.http_status) == (
        "sent",
        "accepted",
        "SM1",
        201,
    )
    assert message.sent_at and attempt.finished_at and message.lease_until is None
    with practice_scope(northside):
        assert point_of(message).introduced_at


@pytest.mark.parametrize(
    ("code", "validity", "opted_out"),
    [
        ("21610", "unknown", True),
        ("21211", "invalid", False),
        ("21614", "landline", False),
        ("21602", "unknown", False),
    ],
)
def test_a_refusal_fails_the_message_and_is_remembered_for_the_number(
    northside, sending, settled, code, validity, opted_out
):
    message, attempt = settled(*sending(), Refused(code, 400))
    assert (message.state, message.error_code, attempt.outcome) == ("failed", code, "refused")
    assert message.done_at
    with practice_scope(northside):
        point = point_of(message)
        assert (point.validity, bool(point.all_opted_out_at)) == (validity, opted_out)
        events = ConsentEvent.objects.filter(contact_point=point, source=ConsentEvent.Source.CARRIER)
        assert events.exists() == opted_out


def test_what_waits_for_a_number_the_carrier_blocks_is_dropped(northside, sending, settled, due, text_line):
    message, attempt = sending()
    (waiting,) = due(text_line, patient=message.patient)
    settled(message, attempt, Refused("21610", 400))
    with practice_scope(northside):
        assert Message.objects.get(pk=waiting.pk).reason == "opted_out"


def test_a_sender_that_is_switched_off_rests_and_its_message_waits_for_it(northside, sending, settled, text_line):
    message, _ = settled(*sending(), Refused("20003", 401))
    assert (message.state, message.error_code) == ("pending", "")
    with practice_scope(northside):
        identity = SendingIdentity.objects.get(pk=text_line.pk)
    assert identity.paused_until > NOON
    assert "disconnected" in identity.paused_reason


def test_later_goes_back_and_waits_as_long_as_it_was_asked_to(sending, settled):
    message, attempt = settled(*sending(), Later(40, "20429", 429))
    assert (message.state, attempt.outcome) == ("pending", "later")
    assert dt.timedelta(seconds=40) <= message.next_at - message.armed_at <= dt.timedelta(seconds=65)


def test_no_clear_answer_is_unknown_and_stays_so(northside, sending, settled, run, text_line):
    message, attempt = settled(*sending(), Unclear("ReadTimeout"))
    assert (message.state, attempt.outcome) == ("unknown", "unknown")
    assert run(text_line).outcomes == {}


def test_our_own_record_never_takes_back_what_a_callback_said(northside, sending, settled):
    message, attempt = sending()
    with practice_scope(northside):
        Attempt.objects.filter(pk=attempt.pk).update(outcome="accepted", provider_id="SM1")
        Message.objects.filter(pk=message.pk).update(state="delivered", lease_token=None, lease_until=None)
    message, attempt = settled(message, attempt, Unclear("ReadTimeout"))
    assert (message.state, attempt.outcome) == ("delivered", "accepted")


def test_a_late_answer_still_settles_what_was_taken_for_uncertain(northside, sending, settled, clock):
    message, attempt = sending()
    clock.at(NOON + dt.timedelta(minutes=5))
    with practice_scope(northside):
        assert reap() == (0, 1)
    message, attempt = settled(message, attempt, Accepted("SM1"))
    assert (message.state, attempt.outcome) == ("sent", "accepted")


def test_an_answer_for_an_older_attempt_leaves_the_newer_one_alone(northside, sending, settled, text_line, clock):
    message, first = sending()
    settled(message, first, Later(0))
    clock.at(NOON + dt.timedelta(minutes=1))
    token = uuid.uuid4()
    with practice_scope(northside):
        arm(claim.claim(text_line.pk, 1, token), token, "twilio")
        Attempt.objects.filter(pk=first.pk).update(outcome="unknown")
    message, first = settled(message, first, Accepted("SM-old"))
    assert message.state == "sending"


def test_a_run_slows_down_on_429_and_loses_nothing(northside, text_line, due, run, states, sandbox, clock):
    sandbox.set_faults([{"where": "sms", "action": "429", "retry_after": 1, "match": {"every": 4, "count": 4}}])
    messages = due(text_line, 16)
    # A run ends where the halved rate leaves it while other lanes wait; later runs finish. The rate takes real time.
    give_up, seconds = monotonic() + 30, 0
    while set(states()) != {"sent"} and monotonic() < give_up:
        run(text_line)
        seconds += 2
        clock.at(NOON + dt.timedelta(seconds=seconds))
        sleep(0.02)
    assert states() == ["sent"] * 16
    with practice_scope(northside):
        assert Attempt.objects.filter(http_status=429).count() == 4
    assert [len(sandbox.messages(message.to_address)) for message in messages] == [1] * 16


def test_a_provider_that_is_away_is_left_alone_and_then_probed_with_one_message(
    northside, text_line, due, run, states, settings, sandbox_server, clock
):
    due(text_line, 60)
    settings.TWILIO_API_URL = "http://127.0.0.1:9"
    first = run(text_line).outcomes["later"]
    assert 20 <= first <= 20 + settings.DISPATCH_THREADS
    assert run(text_line).outcomes == {}
    clock.at(NOON + dt.timedelta(minutes=1))
    assert run(text_line).outcomes == {"later": 1}
    settings.TWILIO_API_URL = sandbox_server.url
    clock.at(NOON + dt.timedelta(minutes=30))
    assert run(text_line).outcomes == {"accepted": 60}
    with practice_scope(northside):
        assert SendingIdentity.objects.get(pk=text_line.pk).paused_reason == ""


def test_faults_of_the_carrier_neither_lose_nor_double(northside, text_line, due, run, states, sandbox, settings):
    settings.PROVIDER_READ_TIMEOUT = 0.4
    settings.BREAKER_AT_LEAST = settings.BREAKER_MOST = 100
    sandbox.set_faults(
        [
            {"where": "sms", "action": "500_after", "match": {"every": 7}},
            {"where": "sms", "action": "reset_after", "match": {"every": 11}},
            {"where": "sms", "action": "stall_after", "seconds": 1, "match": {"every": 13}},
        ]
    )
    messages = due(text_line, 60)
    outcomes = run(text_line).outcomes
    assert outcomes["accepted"] + outcomes["unclear"] == 60 and outcomes["unclear"] >= 8
    sandbox.set_faults([])
    run(text_line)
    assert [len(sandbox.messages(message.to_address)) for message in messages] == [1] * 60
    assert set(states()) == {"sent", "unknown"}


def test_both_patients_of_a_shared_phone_get_their_own_text(northside, text_line, due, run, sandbox):
    (first,) = due(text_line, body="Hi Ana")
    with practice_scope(northside):
        twin = PatientFactory(cell=first.to_address)
    due(text_line, patient=twin, body="Hi Ben")
    assert run(text_line).outcomes == {"accepted": 2}
    assert {m["body"] for m in sandbox.messages(first.to_address)} == {"Hi Ana", "Hi Ben"}


def test_every_code_is_explained_in_sentences():
    for code in [*codes(), "99999", ""]:
        said = explain(code)
        assert said.what.endswith(".") and (not said.advice or said.advice.endswith("."))


def test_a_hand_over_left_open_behind_a_late_report_is_closed_when_nobody_can_be_at_it_any_more(
    northside, sending, clock
):
    message, attempt = sending()
    with practice_scope(northside):
        Message.objects.filter(pk=message.pk).update(state="sent", lease_token=None, lease_until=None)
        reap()
        assert Attempt.objects.get(pk=attempt.pk).outcome == Attempt.Outcome.OPEN
    clock.at(NOON + dt.timedelta(minutes=5))
    with practice_scope(northside):
        assert reap() == (0, 0)
        assert Attempt.objects.get(pk=attempt.pk).outcome == Attempt.Outcome.UNKNOWN
        assert Message.objects.get(pk=message.pk).state == "sent"
