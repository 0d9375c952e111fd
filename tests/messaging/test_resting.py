"""What makes a lane stop by itself: too many uncertain hand-overs, and a database that was restored from a backup."""

import uuid

from messaging.models import Attempt, Message, SendingIdentity
from messaging.tasks import mend
from trackstat.tenancy.scope import practice_scope


def _line(practice, identity):
    with practice_scope(practice):
        return SendingIdentity.objects.get(pk=identity.pk)


def test_hand_overs_without_a_clear_answer_let_the_sender_rest_before_all_are_gone(
    northside, text_line, due, run, states, sandbox, settings
):
    settings.DISPATCH_THREADS = 4
    due(text_line, 30)
    sandbox.set_faults([{"where": "sms", "action": "500_after"}])
    run(text_line)
    assert "no clear answer" in _line(northside, text_line).paused_reason
    assert states().count("unknown") < 20
    assert states().count("pending") == 30 - states().count("unknown")


def test_hand_overs_that_a_dead_worker_left_behind_count_as_uncertain_too(northside, text_line, due):
    messages = due(text_line, 6, state="sending", lease_token=uuid.uuid4(), lease_until="2026-11-24T16:00Z")
    with practice_scope(northside):
        moment = Message.objects.get(pk=messages[0].pk).due_at
        Message.objects.update(armed_at=moment)
        for message in messages:
            Attempt.objects.create(key=uuid.uuid4(), message=message, provider="twilio", started_at=moment)
    mend(northside.pk)
    assert "no clear answer" in _line(northside, text_line).paused_reason


def test_a_restored_database_sends_nothing(northside, text_line, due, run, states, owner):
    due(text_line, 2)
    owner.execute("UPDATE trackstat.sending SET went_back_at = now()")
    try:
        assert not run(text_line).outcomes
        assert states() == ["pending", "pending"]
    finally:
        owner.execute("UPDATE trackstat.sending SET went_back_at = NULL")
    assert run(text_line).outcomes == {"accepted": 2}
