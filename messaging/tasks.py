"""Doorbells. Each carries ids only, may be lost, late or doubled; what is due stands in PostgreSQL."""

from django.conf import settings
from django.db import connection

from messaging import reconcile as reconciling
from messaging.breaker import trip_if_unclear
from messaging.dispatch import dispatch_lane
from messaging.models import SendingIdentity
from messaging.reap import reap
from messaging.receipts import apply_open
from trackstat.celery import app, practice_task, ring
from trackstat.tenancy.scope import across_practices, current_practice_id, practice_scope


@app.task(name="messaging.tick", expires=settings.TICK_SECONDS)
def tick() -> None:
    """Wake every lane with something due, and mend the practices where something is left over."""
    with across_practices("tick"):
        lanes, practices = _rows(_LANES_ANYWHERE), _rows(_TO_MEND, [settings.DISPATCH_LEASE_SECONDS])
        uncertain = _rows(_UNCERTAIN, _LOOKS)
    for practice_id in practices:
        ring(mend, *practice_id)
    for practice_id in uncertain:
        ring(reconcile, *practice_id)
    for lane in lanes:
        ring(dispatch, *lane)


@app.task(name="messaging.reconcile", expires=settings.TICK_SECONDS)
def reconcile(practice_id: int) -> None:
    if reconciling.reconcile(practice_id)["put back"]:
        with practice_scope(practice_id):
            wake(practice_id)


@app.task(name="messaging.dispatch", expires=settings.TICK_SECONDS)
def dispatch(practice_id: int, identity_id: int) -> None:
    if dispatch_lane(practice_id, identity_id).more:
        ring(dispatch, practice_id, identity_id)


@practice_task(name="messaging.mend", expires=settings.TICK_SECONDS)
def mend() -> None:
    """Take back expired leases, and apply what providers told us and could not be applied at once."""
    _, unclear = reap()
    if unclear:
        for identity_id in SendingIdentity.objects.values_list("pk", flat=True):
            trip_if_unclear(identity_id)
    apply_open(current_practice_id())


def wake(practice_id: int) -> None:
    """When the current transaction commits, ring every lane of the practice in scope that has something due."""
    for lane in _rows(_LANES, [practice_id]):
        ring(dispatch, *lane)


def _rows(statement: str, values: list | None = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


# One look into the index of due messages for each identity, however many messages wait.
_LANES_ANYWHERE = """
SELECT i.practice_id, i.id FROM messaging_sendingidentity i
 WHERE (i.lane_until IS NULL OR i.lane_until < trackstat.now())
   AND (i.paused_until IS NULL OR i.paused_until < trackstat.now())
   AND EXISTS (SELECT FROM messaging_message m WHERE m.practice_id = i.practice_id AND m.identity_id = i.id
                AND m.state = 'pending' AND m.next_at <= trackstat.now())
 ORDER BY random()
"""
_LANES = """
SELECT i.practice_id, i.id FROM messaging_sendingidentity i
 WHERE i.practice_id = %s
   AND EXISTS (SELECT FROM messaging_message m WHERE m.practice_id = i.practice_id AND m.identity_id = i.id
                AND m.state = 'pending' AND m.next_at <= trackstat.now())
"""
_TO_MEND = """
SELECT practice_id FROM messaging_message WHERE state IN ('claimed', 'sending') AND lease_until < trackstat.now()
 UNION
SELECT a.practice_id FROM messaging_attempt a
  JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
 WHERE a.outcome = '' AND m.state <> 'sending' AND a.started_at < trackstat.now() - make_interval(secs => %s)
 UNION
SELECT practice_id FROM messaging_providerevent
 WHERE applied_at IS NULL AND (retry_at IS NULL OR retry_at <= trackstat.now())
"""
_UNCERTAIN = """
SELECT DISTINCT a.practice_id FROM messaging_attempt a
  JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
 WHERE m.state = 'unknown' AND a.outcome = 'unknown' AND a.looked_up < %s
   AND a.started_at < trackstat.now() - make_interval(secs => %s)
   AND (a.looked_up_at IS NULL OR a.looked_up_at < trackstat.now() - make_interval(secs => %s))
"""
_LOOKS = [reconciling.LOOKS, settings.RECONCILE_SETTLE_SECONDS, settings.RECONCILE_BETWEEN_SECONDS]
