"""Hand-overs without a clear answer, looked up at the real sandbox: found, put back once, or left to staff."""

import pytest

from messaging.models import Attempt, Message
from messaging.reconcile import LOOKS, reconcile
from messaging.tasks import tick
from tests.factories import PatientFactory
from tests.messaging.knocking import sid, tell_status
from tests.messaging.mailbox import at_the_mailbox, mail_due, smtp_line
from tests.sandbox.conftest import a_number
from trackstat.clock import now, real_now
from trackstat.tenancy.scope import practice_scope

__all__ = ["at_the_mailbox", "mail_due", "smtp_line"]

LOST_ANSWER = {"where": "sms", "action": "reset_after"}
LOST_REQUEST = {"where": "sms", "action": "500_before"}


@pytest.fixture
def at_once(settings):
    settings.RECONCILE_SETTLE_SECONDS = settings.RECONCILE_BETWEEN_SECONDS = -1


@pytest.fixture
def uncertain(text_line, northside, sandbox, due, run, at_once):
    """Makes messages whose hand-over went wrong as the rule says; returns them."""

    # The sandbox dates texts by the same clock as the product.
    sandbox.set_clock((now() - real_now()).total_seconds())

    def make(*faults, patients=(None,)):
        sandbox.set_faults(list(faults))
        messages = [due(text_line, 1, **({"patient": patient} if patient else {}))[0] for patient in patients]
        run(text_line)
        sandbox.set_faults([])
        with practice_scope(northside):
            assert set(Message.objects.values_list("state", flat=True)) == {"unknown"}
        return messages

    return make


def look(northside, times=1):
    return [dict(reconcile(northside.pk)) for _ in range(times)]


def now_is(northside, message):
    with practice_scope(northside):
        return Message.objects.get(pk=message.pk)


def test_what_the_carrier_has_is_settled_and_never_sent_again(uncertain, northside, sandbox, run, text_line):
    (message,) = uncertain(LOST_ANSWER)
    assert look(northside) == [{"found": 1}]
    sent = now_is(northside, message)
    (accepted,) = sandbox.messages(message.to_address)
    with practice_scope(northside):
        assert sent.attempts.get().provider_id == accepted["sid"]
    assert sent.state in {"sent", "delivered"}
    run(text_line)
    assert len(sandbox.messages(message.to_address)) == 1


def test_what_is_absent_twice_goes_out_once_more_and_only_once(uncertain, northside, sandbox, run, text_line):
    (message,) = uncertain(LOST_REQUEST)
    assert look(northside, 3) == [{"missed": 1}, {"put back": 1}, {}]
    assert now_is(northside, message).state == "pending"
    sandbox.set_faults([LOST_REQUEST])
    run(text_line)
    sandbox.set_faults([])
    assert look(northside, 3) == [{"missed": 1}, {"left": 1}, {}]
    assert now_is(northside, message).state == "unknown"
    assert sandbox.messages(message.to_address) == []


def test_the_repeat_arrives_and_is_the_only_one(uncertain, northside, sandbox, run, text_line):
    (message,) = uncertain(LOST_REQUEST)
    look(northside, 2)
    run(text_line)
    assert len(sandbox.messages(message.to_address)) == 1
    assert now_is(northside, message).state in {"sent", "delivered"}


def test_two_messages_with_the_same_words_to_a_shared_phone_are_told_apart(
    uncertain, northside, sandbox, run, text_line
):
    with practice_scope(northside):
        mother = PatientFactory(cell=a_number("415"))
        child = PatientFactory(cell=mother.cell)
    uncertain(LOST_ANSWER | {"match": {"nth": 1}}, LOST_REQUEST, patients=[mother, child])
    assert look(northside) == [{"found": 1, "missed": 1}]
    assert look(northside) == [{"put back": 1}]
    run(text_line)
    with practice_scope(northside):
        assert not Message.objects.filter(state__in=["unknown", "pending"]).exists()
        assert Attempt.objects.filter(outcome="accepted").values("provider_id").distinct().count() == 2
    assert len(sandbox.messages(mother.cell)) == 2


def test_what_is_no_longer_worth_sending_stays_unknown(uncertain, northside, clock, noon):
    (message,) = uncertain(LOST_REQUEST)
    with practice_scope(northside):
        Message.objects.update(not_after=message.due_at)
    assert look(northside, 2) == [{"missed": 1}, {"left": 1}]
    assert now_is(northside, message).state == "unknown"


def test_before_the_settling_time_nobody_asks(uncertain, northside, settings):
    uncertain(LOST_REQUEST)
    settings.RECONCILE_SETTLE_SECONDS = 300
    assert look(northside) == [{}]
    settings.RECONCILE_SETTLE_SECONDS, settings.RECONCILE_BETWEEN_SECONDS = -1, 600
    assert look(northside, 2) == [{"missed": 1}, {}]


def test_a_carrier_that_cannot_be_asked_proves_nothing(uncertain, northside, sandbox):
    uncertain(LOST_REQUEST)
    sandbox.set_faults([{"where": "sms.list", "action": "500_before"}])
    assert look(northside, 2) == [{}, {}]
    with practice_scope(northside):
        assert Attempt.objects.get().looked_up == 0


def test_a_report_that_comes_after_the_message_was_put_back_stops_the_repeat(
    uncertain, northside, sandbox, run, text_line
):
    (message,) = uncertain(LOST_REQUEST)
    look(northside, 2)
    with practice_scope(northside):
        attempt = Attempt.objects.get()
        tell_status(attempt, "delivered", sid())
    assert now_is(northside, message).state == "delivered"
    run(text_line)
    assert sandbox.messages(message.to_address) == []


@pytest.fixture
def rung(monkeypatch):
    """What the tick would publish, were the waiting times over."""
    calls = []
    monkeypatch.setattr("messaging.tasks.ring", lambda task, *ids: calls.append(task.name))
    monkeypatch.setattr("messaging.tasks._LOOKS", [2, -1, -1])
    return calls


def test_where_there_is_no_list_staff_decide_at_once_and_nobody_looks_again(
    smtp_line, mail_due, northside, sandbox, run, at_once, rung
):
    (message,) = mail_due()
    sandbox.set_faults([{"where": "smtp", "action": "smtp_drop_after_data"}])
    assert run(smtp_line).outcomes == {"unclear": 1}
    sandbox.set_faults([])
    tick()
    assert rung == ["messaging.reconcile"]
    assert look(northside, 2) == [{"left": 1}, {}]
    with practice_scope(northside):
        attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.looked_up) == ("unknown", LOOKS)
    assert now_is(northside, message).state == "unknown"
    rung.clear()
    tick()
    assert rung == []
    assert run(smtp_line).outcomes == {}


@pytest.mark.parametrize("provider", ["smtp", "mailgun"])
def test_the_list_of_another_provider_than_the_one_spoken_to_proves_nothing(
    uncertain, northside, sandbox, run, text_line, provider
):
    (message,) = uncertain(LOST_REQUEST)
    with practice_scope(northside):
        Attempt.objects.update(provider=provider)
    assert look(northside, 2) == [{"left": 1}, {}]
    assert now_is(northside, message).state == "unknown"


def test_the_tick_asks_for_practices_with_something_uncertain(uncertain, rung):
    uncertain(LOST_REQUEST)
    tick()
    assert "messaging.reconcile" in rung
