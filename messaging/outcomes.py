"""What a hand-over led to. The only writer of it; what comes back later by webhook is `messaging.receipts`.

Rows are locked in the order of the whole product: contact points, patients, campaigns, attempts, messages, each by id.
Nothing here ever takes a message back: a callback that was faster than our own record has already moved it on.
"""

import random
from collections.abc import Mapping
from uuid import UUID

from django.db import connection, transaction

from audience import consent
from audience.models import ConsentEvent, ContactPoint
from messaging.errors import Effect, effect, explain
from messaging.models import Attempt, Message
from messaging.providers.base import Accepted, Later, Refused, Result, Unclear
from messaging.withdraw import withdraw
from trackstat.tenancy.scope import current_practice_id

# Seconds after which a carrier's "too many queued" is tried again, and a sender that was switched off is probed.
SLOW_DOWN_SECONDS = 60
PROBE_SECONDS = 900
LONGEST_DELAY_SECONDS = 3600

_ATTEMPT_OF = {"accepted": Accepted, "refused": Refused, "later": Later, "unknown": Unclear}

_FINISH_ATTEMPTS = """
WITH told AS MATERIALIZED (
    SELECT * FROM unnest(%(keys)s::uuid[], %(outcomes)s::text[], %(provider_ids)s::text[], %(codes)s::text[],
        %(https)s::int[]) AS told (key, outcome, provider_id, code, http_status)
), locked AS MATERIALIZED (
    SELECT id, key FROM messaging_attempt
     WHERE practice_id = %(practice)s AND key = ANY(%(keys)s::uuid[]) AND outcome IN ('', 'unknown', 'absent')
     ORDER BY id FOR UPDATE
)
UPDATE messaging_attempt a
   SET outcome = told.outcome, finished_at = trackstat.now(), error_code = told.code, http_status = told.http_status,
       provider_id = coalesce(a.provider_id, nullif(told.provider_id, ''))
  FROM told, locked
 WHERE a.practice_id = %(practice)s AND a.id = locked.id AND told.key = locked.key
"""

# Only a message whose newest attempt this is, and only forward: a stale answer changes nothing.
_MOVE = """
WITH told AS MATERIALIZED (
    SELECT * FROM unnest(%(keys)s::uuid[], %(states)s::text[], %(codes)s::text[], %(waits)s::float[])
        AS told (key, state, code, wait)
), locked AS MATERIALIZED (
    SELECT m.id, a.key FROM messaging_attempt a
      JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
     WHERE a.practice_id = %(practice)s AND a.key = ANY(%(keys)s::uuid[]) AND m.state IN ('sending', 'unknown')
       AND NOT EXISTS (SELECT FROM messaging_attempt newer WHERE newer.practice_id = a.practice_id
                        AND newer.message_id = a.message_id AND newer.id > a.id)
     ORDER BY m.id FOR UPDATE OF m
)
UPDATE messaging_message m
   SET state = told.state, lease_token = NULL, lease_until = NULL,
       error_code = CASE told.state WHEN 'failed' THEN told.code ELSE m.error_code END,
       sent_at = CASE told.state WHEN 'sent' THEN trackstat.now() ELSE m.sent_at END,
       done_at = CASE told.state WHEN 'failed' THEN trackstat.now() ELSE m.done_at END,
       next_at = CASE told.state WHEN 'pending' THEN trackstat.now() + make_interval(secs =>
           least(told.wait * CASE told.code WHEN 'connect' THEN power(2, least(m.tries - 1, 6)) ELSE 1 END,
                 %(longest)s)) ELSE m.next_at END
  FROM told, locked
 WHERE m.practice_id = %(practice)s AND m.id = locked.id AND told.key = locked.key
"""

_INTRODUCED = """
WITH written_to AS MATERIALIZED (
    SELECT DISTINCT m.contact_point_id AS id FROM messaging_attempt a
      JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
     WHERE a.practice_id = %(practice)s AND a.key = ANY(%(keys)s::uuid[]) AND m.has_opt_out_line
), locked AS MATERIALIZED (
    SELECT p.id FROM written_to JOIN audience_contactpoint p ON p.practice_id = %(practice)s AND p.id = written_to.id
     WHERE p.introduced_at IS NULL ORDER BY p.id FOR NO KEY UPDATE OF p
)
UPDATE audience_contactpoint p SET introduced_at = trackstat.now()
  FROM locked WHERE p.practice_id = %(practice)s AND p.id = locked.id
"""


def record(attempt: Attempt, result: Result) -> None:
    """Settle one hand-over, in the practice in scope."""
    record_all({attempt.key: result})


def record_all(results: Mapping[UUID, Result]) -> None:
    """Settle hand-overs by the attempts' keys, in one transaction of the practice in scope."""
    if not results:
        return
    with transaction.atomic():
        for key, result in results.items():
            if isinstance(result, Refused):
                _mind_the_reason(key, result.code)
        accepted = [key for key, result in results.items() if isinstance(result, Accepted)]
        practice_id = current_practice_id()
        with connection.cursor() as cursor:
            if accepted:
                cursor.execute(_INTRODUCED, {"practice": practice_id, "keys": accepted})
            cursor.execute(_FINISH_ATTEMPTS, {"practice": practice_id, **_attempts(results)})
            cursor.execute(_MOVE, {"practice": practice_id, "longest": LONGEST_DELAY_SECONDS, **_moves(results)})


def pause_identity(identity_id: int, seconds: float, reason: str) -> None:
    """Let a sender rest; dispatch probes it with one message when the time is over."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE messaging_sendingidentity SET paused_reason = %s,"
            " paused_until = greatest(paused_until, trackstat.now() + make_interval(secs => %s))"
            " WHERE practice_id = %s AND id = %s",
            [reason[:200], seconds, current_practice_id(), identity_id],
        )


def _mind_the_reason(key: UUID, code: str) -> None:
    """A refusal that says something about the number or the sender, not only about this message."""
    said = effect(code)
    if said in {Effect.NONE, Effect.LATER, Effect.FILTERED}:
        return
    message = Message.objects.filter(attempts__key=key).values(
        "identity_id", "channel", "to_address", "contact_point_id"
    )[0]
    if said == Effect.PAUSE_SENDER:
        pause_identity(message["identity_id"], PROBE_SECONDS, f"{explain(code)} ({code})")
    elif said == Effect.OPT_OUT:
        withdraw(
            message["channel"],
            message["to_address"],
            ConsentEvent.Purpose.EVERYTHING,
            ConsentEvent.Source.CARRIER,
            wording=f"Error {code}",
        )
    else:
        point = ContactPoint.objects.get(pk=message["contact_point_id"])
        consent.mark_unusable(point, _VALIDITY[said], f"{explain(code).what} ({code})")


_VALIDITY = {
    Effect.INVALID: ContactPoint.Validity.INVALID,
    Effect.LANDLINE: ContactPoint.Validity.LANDLINE,
    Effect.SUPPRESS: ContactPoint.Validity.SUPPRESSED,
}


def _attempts(results: Mapping[UUID, Result]) -> dict[str, list]:
    return {
        "keys": list(results),
        "outcomes": [next(name for name, kind in _ATTEMPT_OF.items() if isinstance(r, kind)) for r in results.values()],
        "provider_ids": [r.provider_id if isinstance(r, Accepted) else "" for r in results.values()],
        "codes": [_code(r) for r in results.values()],
        "https": [r.http_status for r in results.values()],
    }


def _moves(results: Mapping[UUID, Result]) -> dict[str, list]:
    moved = [_next_state(result) for result in results.values()]
    return {
        "keys": list(results),
        "states": [state for state, _ in moved],
        "codes": [_code(result) for result in results.values()],
        "waits": [float(wait) for _, wait in moved],
    }


def _next_state(result: Result) -> tuple[str, float]:
    """State and, for a message that goes back, after how many seconds."""
    match result:
        case Accepted():
            return Message.State.SENT, 0
        case Refused(code) if effect(code) == Effect.LATER:
            return Message.State.PENDING, SLOW_DOWN_SECONDS
        case Refused(code) if effect(code) == Effect.PAUSE_SENDER:
            # It was not the message's fault: it goes out when the sender is mended, if it is still worth it then.
            return Message.State.PENDING, 0
        case Refused():
            return Message.State.FAILED, 0
        case Later(after_seconds):
            return Message.State.PENDING, after_seconds * random.uniform(1, 1.5)
        case _:
            return Message.State.UNKNOWN, 0


def _code(result: Result) -> str:
    return (getattr(result, "code", "") or getattr(result, "detail", ""))[:40]
