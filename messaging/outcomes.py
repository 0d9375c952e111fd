"""What a hand-over led to. The only writer of it; what comes back later by webhook is `messaging.receipts`.

Rows are locked in the order of the whole product: contact points, patients, campaigns, attempts, messages, each by id.
Nothing here ever takes a message back: a callback that was faster than our own record has already moved it on.
"""

import random
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from audience import consent
from audience.models import ConsentEvent, ContactPoint
from messaging.errors import Effect, effect, explain
from messaging.models import Attempt, Message
from messaging.providers.base import Accepted, Later, Refused, Result, Unclear
from messaging.withdraw import withdraw
from trackstat import prepared
from trackstat.tenancy.scope import current_practice_id

# Seconds after which a carrier's "too many queued" is tried again, and a sender that was switched off is probed.
SLOW_DOWN_SECONDS = 60
PROBE_SECONDS = 900
LONGEST_DELAY_SECONDS = 3600
# Answers after which each further try waits twice as long.
GROWING = ("connect", "mail_later")

_json = msgspec.json.Encoder().encode
_OUTCOME_OF = {Accepted: "accepted", Refused: "refused", Later: "later", Unclear: "unknown"}

# Two statements, see `audience.consent`: while one waits for the lock, what it is about to change may be changed.
_LOCK_NEW = """
SELECT p.id FROM messaging_attempt a
  JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
  JOIN audience_contactpoint p ON p.practice_id = a.practice_id AND p.id = m.contact_point_id
 WHERE a.practice_id = %(practice)s AND a.key = ANY(%(keys)s::uuid[]) AND m.has_opt_out_line
   AND p.introduced_at IS NULL
 ORDER BY p.id FOR NO KEY UPDATE OF p
"""
_INTRODUCED = """
UPDATE audience_contactpoint SET introduced_at = trackstat.now()
 WHERE practice_id = %(practice)s AND id = ANY(%(points)s::bigint[])
"""
# Attempts first, by id; whoever moves a message that was handed over holds its attempt. Of messages only those whose
# newest attempt this is, and only forward: a stale answer changes nothing.
_FINISH = """
WITH moment AS MATERIALIZED (SELECT trackstat.now() AS at), told AS MATERIALIZED (
    SELECT a.id, a.message_id, a.started_at, told.*
      FROM jsonb_to_recordset(%(told)s::jsonb) AS told (
           key uuid, outcome text, provider_id text, code text, http_status int, state text, wait float)
      JOIN messaging_attempt a ON a.practice_id = %(practice)s AND a.key = told.key
     WHERE a.key = ANY(%(keys)s::uuid[])
     ORDER BY a.id FOR UPDATE OF a
), finished AS (
    UPDATE messaging_attempt a
       SET outcome = told.outcome, finished_at = (SELECT at FROM moment), error_code = told.code,
           http_status = told.http_status, provider_id = coalesce(a.provider_id, nullif(told.provider_id, ''))
      FROM told
     WHERE a.practice_id = %(practice)s AND a.id = told.id AND a.outcome IN ('', 'unknown', 'absent')
    RETURNING a.id
)
UPDATE messaging_message m
   SET state = told.state, lease_token = NULL, lease_until = NULL,
       error_code = CASE told.state WHEN 'failed' THEN told.code ELSE m.error_code END,
       sent_at = CASE told.state WHEN 'sent' THEN (SELECT at FROM moment) ELSE m.sent_at END,
       done_at = CASE told.state WHEN 'failed' THEN (SELECT at FROM moment) ELSE m.done_at END,
       next_at = CASE told.state WHEN 'pending' THEN (SELECT at FROM moment) + make_interval(secs =>
           least(told.wait * CASE WHEN told.code = ANY(%(growing)s::text[]) THEN power(2, least(m.tries - 1, 6))
                             ELSE 1 END, %(longest)s::float)) ELSE m.next_at END
  FROM told
 WHERE m.practice_id = %(practice)s AND m.id = told.message_id AND m.state IN ('sending', 'unknown')
   AND m.armed_at = told.started_at AND (SELECT count(*) FROM finished) >= 0
"""


def record(attempt: Attempt, result: Result) -> None:
    """Settle one hand-over, in the practice in scope."""
    record_all({attempt.key: result})


def record_all(results: Mapping[UUID, Result], introducing: Collection[UUID] | None = None) -> None:
    """Settle hand-overs by the attempts' keys, in one transaction of the practice in scope.

    `introducing`: those that bring the opt-out line to an address for the first time, as arming found it; None = any.
    """
    if not results:
        return
    with transaction.atomic():
        for key, result in results.items():
            if isinstance(result, Refused):
                _mind_the_reason(key, result.code)
        accepted = {key for key, result in results.items() if isinstance(result, Accepted)}
        if brought := accepted if introducing is None else accepted & set(introducing):
            _introduce(brought)
        told = _json([_told(key, result) for key, result in results.items()]).decode()
        keys, growing = prepared.array(results), prepared.array(GROWING)
        _run(_FINISH, told=told, keys=keys, growing=growing, longest=LONGEST_DELAY_SECONDS)


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


def _introduce(keys: Collection[UUID]) -> None:
    """Who was told now how to opt out is not told again."""
    if locked := _run(_LOCK_NEW, keys=prepared.array(keys)):
        _run(_INTRODUCED, points=prepared.array(point for (point,) in locked))


def _run(statement: str, **values: Any) -> list[tuple]:
    return prepared.run(statement, {"practice": current_practice_id()} | values)


def _told(key: UUID, result: Result) -> dict[str, Any]:
    state, wait = _next_state(result)
    return {
        "key": str(key),
        "outcome": _OUTCOME_OF[type(result)],
        "provider_id": result.provider_id if isinstance(result, Accepted) else "",
        "code": _code(result),
        "http_status": result.http_status,
        "state": str(state),
        "wait": float(wait),
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
