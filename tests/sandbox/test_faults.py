"""Faults do what they say, and the ledger says what was accepted in spite of them."""

import itertools
import time

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException

from tests.sandbox.conftest import a_number
from trackstat.sandbox.client import SandboxError


def accepted(sandbox, phone) -> int:
    return len([fact for fact in sandbox.ledger("sms.accepted") if fact["to"] == phone])


def create(line, phone, timeout: float = 5):
    return requests.post(
        f"{line.url}/2010-04-01/Accounts/{line.sid}/Messages.json",
        auth=(line.sid, line.token),
        data={"To": phone, "From": line.number, "Body": "Hi"},
        timeout=timeout,
    )


def test_429_is_refused_before_anything_happens_and_says_when_to_come_back(sandbox, line, phone):
    sandbox.set_faults([{"where": "sms", "action": "429", "retry_after": 7, "match": {"count": 1}}])
    answer = create(line, phone)
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (429, 20429, "7")
    assert accepted(sandbox, phone) == 0
    assert create(line, phone).status_code == 201


@pytest.mark.parametrize(("action", "copies"), [("500_before", 0), ("500_after", 1)])
def test_500_before_and_after_accepting(sandbox, line, phone, action, copies):
    sandbox.set_faults([{"where": "sms", "action": action}])
    with pytest.raises(TwilioRestException) as refused:
        line.twilio.messages.create(to=phone, from_=line.number, body="Hi")
    assert (refused.value.status, refused.value.code) == (500, 20500)
    assert accepted(sandbox, phone) == copies


def test_500_can_be_another_status(sandbox, line, phone):
    sandbox.set_faults([{"where": "sms", "action": "500_before", "status": 503}])
    assert create(line, phone).status_code == 503


@pytest.mark.parametrize(("action", "copies"), [("reset_before", 0), ("reset_after", 1)])
def test_the_connection_is_reset_before_or_after_accepting(sandbox, line, phone, action, copies):
    sandbox.set_faults([{"where": "sms", "action": action}])
    with pytest.raises(requests.ConnectionError, match=r"reset|aborted"):
        create(line, phone)
    assert accepted(sandbox, phone) == copies
    assert sandbox.health()["ok"]


@pytest.mark.parametrize(("action", "copies"), [("stall_before", 0), ("stall_after", 1)])
def test_the_answer_stalls_past_the_timeout(sandbox, line, phone, action, copies):
    sandbox.set_faults([{"where": "sms", "action": action, "seconds": 0.6}])
    with pytest.raises(requests.ReadTimeout):
        create(line, phone, timeout=0.2)
    assert accepted(sandbox, phone) == copies
    time.sleep(0.6)
    assert accepted(sandbox, phone) == copies


def test_latency_slows_and_nothing_else(sandbox, line, phone):
    sandbox.set_faults([{"where": "sms", "action": "latency", "ms": 150}])
    before = time.monotonic()
    assert create(line, phone).status_code == 201
    assert time.monotonic() - before >= 0.15


def test_a_listing_lags_behind(sandbox, line, phone):
    sandbox.set_faults([{"where": "sms.list", "action": "list_lag", "seconds": 0.7}])
    message = line.twilio.messages.create(to=phone, from_=line.number, body="Hi")
    assert line.twilio.messages.list(to=phone) == []
    assert line.twilio.messages(message.sid).fetch().sid == message.sid
    time.sleep(0.7)
    assert [each.sid for each in line.twilio.messages.list(to=phone)] == [message.sid]


def test_a_listing_can_fail(sandbox, line, phone):
    sandbox.set_faults([{"where": "sms.list", "action": "500_before"}])
    with pytest.raises(TwilioException):
        line.twilio.messages.list(to=phone)


def told(sandbox, line, phone, receiver, rule) -> list[str]:
    sandbox.set_faults([rule])
    line.twilio.messages.create(to=phone, from_=line.number, body="Hi", status_callback=f"{receiver.url}/status")
    sandbox.settle()
    return [each.fields["MessageStatus"] for each in receiver.at("/status")]


def test_callbacks_are_lost_and_the_ledger_says_so(sandbox, line, phone, receiver):
    rule = {"where": "sms.callback", "action": "drop", "match": {"status": "^delivered$"}}
    assert told(sandbox, line, phone, receiver, rule) == ["sending", "sent"]
    (dropped,) = [f for f in sandbox.ledger("sms.callback") if f["to"] == phone and f["status"] == "delivered"]
    assert (dropped["error"], dropped["attempt"], dropped["answer"]) == ("dropped", 0, None)
    assert sandbox.messages(phone)[0]["status"] == "delivered"


def test_callbacks_come_twice(sandbox, line, phone, receiver):
    rule = {"where": "sms.callback", "action": "double"}
    assert told(sandbox, line, phone, receiver, rule) == ["sending"] * 2 + ["sent"] * 2 + ["delivered"] * 2


def test_a_late_callback_is_overtaken(sandbox, line, phone, receiver):
    rule = {"where": "sms.callback", "action": "delay", "seconds": 0.5, "match": {"status": "^sent$"}}
    assert told(sandbox, line, phone, receiver, rule) == ["sending", "delivered", "sent"]


def test_shuffled_callbacks_all_arrive(sandbox, line, phone, receiver):
    rule = {"where": "sms.callback", "action": "shuffle", "seconds": 0.3}
    assert sorted(told(sandbox, line, phone, receiver, rule)) == ["delivered", "sending", "sent"]


def test_rules_pick_by_recipient_turn_and_count(sandbox, line):
    chosen, other = a_number("415"), a_number("415")
    sandbox.set_faults([{"where": "sms", "action": "500_before", "match": {"to": chosen[1:], "nth": [2, 4]}}])
    assert [create(line, chosen).status_code for _ in range(5)] == [201, 500, 201, 500, 201]
    assert create(line, other).status_code == 201
    sandbox.set_faults([{"where": "sms", "action": "500_before", "match": {"after": 1, "count": 2}}])
    assert [create(line, chosen).status_code for _ in range(5)] == [201, 500, 500, 201, 201]
    sandbox.set_faults([{"where": "sms", "action": "500_before", "match": {"every": 3}}])
    assert [create(line, chosen).status_code for _ in range(6)] == [201, 201, 500, 201, 201, 500]
    assert sandbox.faults()[0]["seen"] == 6
    assert sandbox.faults()[0]["hits"] == 2


def test_a_seed_repeats_its_faults(sandbox, line, phone):
    def run(seed: int) -> list[int]:
        sandbox.set_faults([{"where": "sms", "action": "500_before", "match": {"rate": 0.5, "seed": seed}}])
        return [create(line, phone).status_code for _ in range(20)]

    first = run(1)
    assert run(1) == first
    assert 3 < first.count(500) < 17
    assert run(2) != first


def test_every_fault_is_in_the_ledger(sandbox, line, phone):
    before = sandbox.health()["ledger"]
    sandbox.set_faults([{"where": "sms", "action": "reset_after"}])
    with pytest.raises(requests.ConnectionError):
        create(line, phone)
    kinds = [(fact["kind"], fact.get("action")) for fact in sandbox.ledger("sms.accepted,fault", since=before)]
    assert kinds == [("fault", "reset_after"), ("sms.accepted", None)]


@pytest.mark.parametrize(
    "rule",
    [
        {"where": "sms"},
        {"where": "telegraph", "action": "drop"},
        {"where": "sms", "action": "drop"},
        {"where": "sms.callback", "action": "429"},
        {"where": "sms", "action": "429", "match": {"two": 1}},
        {"where": "sms", "action": "429", "match": {"to": "("}},
        {"where": "sms", "action": "429", "match": {"rate": "often"}},
        {"where": "sms", "action": "latency", "ms": "long"},
        {"where": "sms", "action": "429", "when": "now"},
        "429",
    ],
)
def test_a_rule_that_would_do_nothing_is_refused_and_the_old_ones_stay(sandbox, rule):
    sandbox.set_faults([{"where": "sms", "action": "latency", "ms": 0}])
    with pytest.raises(SandboxError, match="400"):
        sandbox.set_faults([rule])
    assert len(sandbox.faults()) == 1


def test_two_texts_at_once_meet_one_fault(sandbox, line, phone):
    sandbox.set_faults([{"where": "sms", "action": "429", "match": {"count": 1}}])
    statuses = [create(line, phone).status_code for _ in itertools.repeat(None, 3)]
    assert statuses == [429, 201, 201]
