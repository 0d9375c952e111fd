"""Workers killed in the middle of a send: nothing is lost and nothing goes out twice, says the carrier's own ledger."""

import time
from collections import Counter

import redis

from messaging.models import Attempt, Message
from tests.chaos.processes import beat, environment, own_broker, worker
from tests.factories import ContentFactory, MessageFactory, PatientFactory
from tests.messaging.conftest import NOON, a_text_identity
from tests.sandbox.conftest import a_number
from trackstat.tenancy.scope import practice_scope

MESSAGES = 500
# Kill the one that is sending when the carrier has accepted that many.
KILLS = (80, 200, 320)
WAITS = {"TICK_SECONDS": "0.5", "DISPATCH_LEASE_SECONDS": "1.5", "DISPATCH_THREADS": "8", "DISPATCH_CHUNK": "40"}


def test_workers_killed_in_the_middle_of_500_messages_lose_none_and_double_none(
    transactional_db, northside, sandbox, sandbox_server, live_server, noon, settings, tmp_path
):
    settings.TWILIO_API_URL, settings.PUBLIC_URL = sandbox_server.url, live_server.url
    # Reports come later than a lease ends: what was on its way at a kill becomes uncertain first, then settled.
    sandbox.set_pace(speed=1, queued=0.1, sending=0.1, sent=0.1, delivered=5, callbacks=["delivered"])
    sandbox.set_faults([{"where": "sms", "action": "latency", "ms": 60}])
    with practice_scope(northside):
        _five_hundred(a_text_identity(sandbox_server, rate_per_second=100_000))
    broker = redis.Redis.from_url(own_broker())
    broker.flushdb()
    health = sandbox.health()
    since, before = health["ledger"], health["messages"]
    env = environment(
        PUBLIC_URL=live_server.url, TWILIO_API_URL=sandbox_server.url, SANDBOX_URL=sandbox_server.url, **WAITS
    )
    log = tmp_path / "worker.log"
    ticking, running = beat(env, tmp_path), [worker(env, log, "first"), worker(env, log, "second")]
    try:
        for number, accepted in enumerate(KILLS):
            _until(lambda many=before + accepted: sandbox.health()["messages"] >= many, 40)
            hit = _sending(northside, running)
            hit.kill()
            running.remove(hit)
            running.append(worker(env, log, f"after{number}"))
        _until(lambda: not _left(northside, "pending", "claimed", "sending"), 30)
        sandbox.settle(30)
        _until(lambda: _left(northside, "sent") == 0, 10)
    finally:
        for process in (ticking, *running):
            process.kill()
        broker.flushdb()

    bodies = Counter(entry["body"] for entry in _accepted(sandbox, since))
    with practice_scope(northside):
        states = dict(Message.objects.values_list("body", "state"))
        settled_by_report = Attempt.objects.filter(outcome="accepted", http_status=None).count()
    assert len(states) == MESSAGES
    assert [body for body, times in bodies.items() if times > 1] == [], "doubled"
    lost = [body for body, state in states.items() if body not in bodies and state != "unknown"]
    assert lost == [], "lost"
    # Every uncertain one that the carrier has was settled by its report; the others say so to staff.
    assert {states[body] for body in bodies} == {"delivered"}
    assert all(state == "unknown" for body, state in states.items() if body not in bodies)
    assert settled_by_report, "no kill hit a message between the carrier's ear and our record: nothing was proved"


def _five_hundred(identity):
    """Half of the phones belong to two patients. Every text has words of its own."""
    content = ContentFactory()
    shared = [PatientFactory(cell=a_number("415")).cell for _ in range(MESSAGES // 4)]
    for number in range(MESSAGES):
        cell = shared[number % len(shared)] if number < MESSAGES // 2 else a_number("415")
        MessageFactory(
            identity=identity, content=content, patient=PatientFactory(cell=cell), body=f"Text {number}", due_at=NOON
        )


def _accepted(sandbox, since):
    return sandbox.ledger("sms.accepted", since)


def _sending(practice, running):
    """The worker that has messages on their way right now."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with practice_scope(practice):
            busy = Attempt.objects.filter(outcome="").values_list("worker", flat=True).last()
        for process in running:
            if busy and process.owns(int(busy.rpartition(":")[2])):
                return process
    raise AssertionError("nobody is sending")


def _left(practice, *states):
    with practice_scope(practice):
        return Message.objects.filter(state__in=states).count()


def _until(reached, seconds):
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not reached in {seconds} s"
        time.sleep(0.1)
