"""What a hand-over led to. The only writer of it; what comes back later by webhook is `messaging.receipts`.

Rows are locked in the order of the whole product: contact points, patients, campaigns, attempts, messages, each by id.
Nothing here ever takes a message back: a callback that was faster than our own record has already moved it on.
"""

import random
from collections.abc import Mapping
from typing import Any
from uuid import UUID

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

_OUTCOME_OF = {Accepted: "accepted", Refused: "refused", Later: "later", Unclear: "unknown"}

_WHOSE = """
SELECT a.key, a.id, a.message_id, a.started_at, m.contact_point_id, m.has_opt_out_line AND p.introduced_at IS NULL
  FROM messaging_attempt a
  JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
  JOIN audience_contactpoint p ON p.practice_id = a.practice_id AND p.id = m.contact_point_id
 WHERE a.practice_id = %(practice)s AND a.key = ANY(%(keys)s::uuid[])
 ORDER BY a.id
"""
_INTRODUCED = """
WITH locked AS MATERIALIZED (
    SELECT id FROM audience_contactpoint
     WHERE practice_id = %(practice)s AND id = ANY(%(points)s::bigint[]) AND introduced_at IS NULL
     ORDER BY id FOR NO KEY UPDATE
)
UPDATE audience_contactpoint p SET introduced_at = trackstat.now()
  FROM locked WHERE p.practice_id = %(practice)s AND p.id = locked.id
"""
# Attempts first, by id; whoever moves a message that was handed over holds its attempt. Of messages only those whose
# newest attempt this is, and only forward: a stale answer changes nothing.
_FINISH = """
WITH moment AS MATERIALIZED (SELECT trackstat.now() AS at), told AS MATERIALIZED (
    SELECT * FROM unnest(%(attempts)s::bigint[], %(messages)s::bigint[], %(starts)s::timestamptz[],
        %(outcomes)s::text[], %(provider_ids)s::text[], %(codes)s::text[], %(https)s::int[], %(states)s::text[],
        %(waits)s::float[])
        AS told (attempt_id, message_id, started_at, outcome, provider_id, code, http_status, state, wait)
), locked AS MATERIALIZED (
    SELECT id FROM messaging_attempt
     WHERE practice_id = %(practice)s AND id = ANY(%(attempts)s::bigint[]) AND outcome IN ('', 'unknown', 'absent')
     ORDER BY id FOR UPDATE
), finished AS (
    UPDATE messaging_attempt a
       SET outcome = told.outcome, finished_at = (SELECT at FROM moment), error_code = told.code,
           http_status = told.http_status,
           provider_id = coalesce(a.provider_id, nullif(told.provider_id, ''))
      FROM told JOIN locked ON locked.id = told.attempt_id
     WHERE a.practice_id = %(practice)s AND a.id = locked.id
    RETURNING a.id
)
UPDATE messaging_message m
   SET state = told.state, lease_token = NULL, lease_until = NULL,
       error_code = CASE told.state WHEN 'failed' THEN told.code ELSE m.error_code END,
       sent_at = CASE told.state WHEN 'sent' THEN (SELECT at FROM moment) ELSE m.sent_at END,
       done_at = CASE told.state WHEN 'failed' THEN (SELECT at FROM moment) ELSE m.done_at END,
       next_at = CASE told.state WHEN 'pending' THEN (SELECT at FROM moment) + make_interval(secs =>
           least(told.wait * CASE told.code WHEN 'connect' THEN power(2, least(m.tries - 1, 6)) ELSE 1 END,
                 %(longest)s::float)) ELSE m.next_at END
  FROM told
 WHERE m.practice_id = %(practice)s AND m.id = told.message_id AND m.state IN ('sending', 'unknown')
   AND m.armed_at = told.started_at AND (SELECT count(*) FROM finished) >= 0
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
        whose = _run(_WHOSE, keys=list(results))
        points = {row[4] for row in whose if row[5] and isinstance(results[row[0]], Accepted)}
        if points:
            _run(_INTRODUCED, points=sorted(points))
        if whose:
            _run(_FINISH, longest=LONGEST_DELAY_SECONDS, **_told(whose, [results[row[0]] for row in whose]))


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


def _run(statement: str, **values: Any) -> list[tuple]:
    return prepared.run(statement, {"practice": current_practice_id()} | values)


def _told(whose: list[tuple], results: list[Result]) -> dict[str, list]:
    """Columns of what is told about each attempt, in the order of the attempts."""
    moved = [_next_state(result) for result in results]
    return {
        "attempts": [row[1] for row in whose],
        "messages": [row[2] for row in whose],
        "starts": [row[3] for row in whose],
        "outcomes": [_OUTCOME_OF[type(result)] for result in results],
        "provider_ids": [result.provider_id if isinstance(result, Accepted) else "" for result in results],
        "codes": [_code(result) for result in results],
        "https": [result.http_status for result in results],
        "states": [state for state, _ in moved],
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
