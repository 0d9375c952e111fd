"""From due to handed over, against the real sandbox and with committed rows."""

import datetime as dt
import threading
import time

import pytest
from django.db import connection

from messaging import rates
from messaging.models import Attempt, Hold, Message, SendingIdentity
from messaging.outcomes import pause_identity
from messaging.tasks import tick
from tests.factories import CampaignFactory
from tests.messaging.conftest import NOON
from trackstat.tenancy.scope import practice_scope


def test_due_messages_are_accepted_once_each(northside, text_line, due, run, states, sandbox):
    messages = due(text_line, 20)
    counts = run(text_line)
    assert counts.outcomes == {"accepted": 20}
    assert states() == ["sent"] * 20
    assert run(text_line).outcomes == {}
    with practice_scope(northside):
        message = Message.objects.get(pk=messages[0].pk)
        attempt = message.attempts.get()
    at_the_carrier = sandbox.messages(message.to_address)
    assert [(m["sid"], m["body"]) for m in at_the_carrier] == [(attempt.provider_id, message.body)]
    assert attempt.outcome == Attempt.Outcome.ACCEPTED
    assert message.sent_at and message.armed_at and message.lease_token is None


def test_what_is_not_due_yet_or_belongs_to_a_paused_campaign_stays(northside, text_line, due, run, states):
    with practice_scope(northside):
        paused = CampaignFactory()
        Hold.objects.create(campaign_id=paused.pk)
    due(text_line, 1, campaign_id=paused.pk)
    with practice_scope(northside):
        Message.objects.update(due_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    due(text_line, 1, due_at=dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
    assert run(text_line).outcomes == {}
    assert states() == ["pending", "pending"]


def test_a_second_run_of_the_same_lane_returns_at_once(northside, text_line, due, run):
    from messaging.lanes import lane

    due(text_line)
    with lane(northside.pk, text_line.pk) as held:
        assert held is not None
        assert run(text_line).busy
    assert run(text_line).outcomes == {"accepted": 1}


def test_one_run_goes_on_through_any_number_of_messages_that_may_not_go(northside, text_line, due, run, states):
    with practice_scope(northside):
        draft = CampaignFactory()
    due(text_line, 40, campaign_id=draft.pk)
    due(text_line, 2, due_at=NOON + dt.timedelta(seconds=0.001))
    counts = run(text_line)
    assert (counts.aborted, counts.outcomes) == (40, {"accepted": 2})


@pytest.fixture
def rung(monkeypatch):
    """What the tick would publish."""
    calls = []
    monkeypatch.setattr("messaging.tasks.ring", lambda task, *args: calls.append((task.name, *args)))
    return calls


def test_the_tick_rings_each_lane_with_something_due_once(northside, text_line, due, rung):
    due(text_line, 3)
    tick()
    assert rung == [("messaging.dispatch", northside.pk, text_line.pk)]


def test_the_rate_counts_segments_not_messages(northside, text_line):
    with practice_scope(northside):
        text_line.rate_per_second = 10
    granted, wait = rates.take(text_line, [3] * 10)
    assert granted == 3
    assert 0 < wait <= 0.3


@pytest.fixture
def paused_during_a_run(northside, text_line, run, sandbox, settings):
    """Runs the lane, two texts at a time; while the first ones are on their way a callback pauses the sender."""
    settings.DISPATCH_THREADS = 2
    sandbox.set_faults([{"where": "sms", "action": "latency", "ms": 500}])

    def on_the_way():
        with practice_scope(northside):
            return Message.objects.filter(state="sending").exists()

    def call_back():
        try:
            while not on_the_way():
                time.sleep(0.02)
            with practice_scope(northside):
                pause_identity(text_line.pk, 900, "Unregistered (30034)")
        finally:
            connection.close()

    def go():
        caller = threading.Thread(target=call_back)
        caller.start()
        counts = run(text_line)
        caller.join(20)
        with practice_scope(northside):
            return counts, SendingIdentity.objects.get(pk=text_line.pk)

    return go


def test_a_run_stops_when_a_callback_pauses_the_sender(northside, text_line, due, paused_during_a_run, states):
    due(text_line, 12)
    counts, identity = paused_during_a_run()
    assert 1 <= counts.outcomes["accepted"] <= 4
    assert set(states()) == {"sent", "pending"}
    assert identity.paused_reason == "Unregistered (30034)"


def test_a_probe_that_is_accepted_does_not_end_a_newer_pause(northside, text_line, due, paused_during_a_run, states):
    with practice_scope(northside):
        SendingIdentity.objects.update(paused_until=NOON - dt.timedelta(hours=1), paused_reason="It did not answer.")
    due(text_line, 5)
    counts, identity = paused_during_a_run()
    assert counts.outcomes == {"accepted": 1}
    assert states().count("pending") == 4
    assert (identity.paused_reason, identity.paused_until > NOON) == ("Unregistered (30034)", True)
