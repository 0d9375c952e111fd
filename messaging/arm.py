"""The last decision before bytes leave: lock, then look, then move `claimed` to `sending` and write the attempts.

One short transaction for a group no larger than the threads that hand it over, so that a crash leaves no more than one
uncertain message a thread. What may not go is settled in the same transaction.
"""

import datetime as dt
import os
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from audience.models import Channel
from messaging.checks import Candidate, Stop, Verdict, take_locks, verdicts
from messaging.email_body import email
from messaging.models import Content
from messaging.providers.base import Outgoing
from messaging.quiet_hours import Hours, closing, zones_for
from trackstat.clock import now
from trackstat.tenancy.models import PracticeSettings
from trackstat.tenancy.scope import current_practice_id

WORKER = f"{socket.gethostname()}:{os.getpid()}"[:80]


@dataclass(frozen=True, slots=True)
class Armed:
    """`outgoing` may leave now, once; `aborted` and `waiting` are how many of the group may not."""

    outgoing: list[Outgoing]
    aborted: int = 0
    waiting: int = 0


def arm(candidates: Sequence[Candidate], token: uuid.UUID, provider: str) -> Armed:
    """Call in `practice_scope` with nothing else in the transaction. Messages that lost their lease are left alone."""
    group = list(candidates)
    take_locks(group)
    moment = now()
    found = verdicts(group, moment)
    _settle(found, token)
    go = [candidate for candidate in group if candidate.message_id not in found]
    outgoing = _outgoing(go, moment)
    armed = _move(go, token)
    _write_attempts([c for c in go if c.message_id in armed], outgoing, provider)
    stopped = sum(isinstance(verdict, Stop) for verdict in found.values())
    return Armed([outgoing[message_id] for message_id in armed], stopped, len(found) - stopped)


def _settle(found: dict[int, Verdict], token: uuid.UUID) -> None:
    stops = {message_id: verdict.reason for message_id, verdict in found.items() if isinstance(verdict, Stop)}
    waits = {message_id: verdict.until for message_id, verdict in found.items() if not isinstance(verdict, Stop)}
    if stops:
        _run(_STOP, token=token, ids=list(stops), reasons=list(stops.values()))
    if waits:
        _run(_WAIT, token=token, ids=list(waits), moments=list(waits.values()))


def _outgoing(go: list[Candidate], moment: dt.datetime) -> dict[int, Outgoing]:
    if not go:
        return {}
    contents = Content.objects.in_bulk({c.content_id for c in go if c.channel == Channel.EMAIL})
    practice = PracticeSettings.objects.get()
    hours = Hours.of(practice)
    made = {}
    for candidate in go:
        ends = candidate.not_after
        if candidate.channel == Channel.TEXT:
            zones = zones_for(candidate.time_zone, candidate.to_address, practice.time_zone)
            ends = min(ends, closing(moment, zones, hours))
            words: dict[str, Any] = {"body": candidate.body}
        else:
            content = contents[candidate.content_id]
            mail = email(content.subject, content.body, candidate.merge_values, candidate.token)
            words = {"subject": mail.subject, "body": mail.text, "html": mail.html, "headers": mail.headers}
        seconds = int((ends - moment).total_seconds())
        made[candidate.message_id] = Outgoing(uuid.uuid4(), candidate.to_address, valid_seconds=seconds, **words)
    return made


def _move(go: list[Candidate], token: uuid.UUID) -> list[int]:
    if not go:
        return []
    ids = [candidate.message_id for candidate in go]
    moved = {row[0] for row in _run(_ARM, token=token, ids=ids, lease=settings.DISPATCH_LEASE_SECONDS)}
    return [message_id for message_id in ids if message_id in moved]


def _write_attempts(armed: list[Candidate], outgoing: dict[int, Outgoing], provider: str) -> None:
    if armed:
        ids = [candidate.message_id for candidate in armed]
        keys = [outgoing[message_id].attempt_key for message_id in ids]
        _run(_ATTEMPT, ids=ids, keys=keys, provider=provider, worker=WORKER)


def _run(statement: str, **values: Any) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"practice": current_practice_id()} | values)
        return cursor.fetchall() if cursor.description else []


_STOP = """
UPDATE messaging_message m
   SET state = 'aborted', reason = told.reason, done_at = trackstat.now(), lease_token = NULL, lease_until = NULL
  FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS told (id, reason)
 WHERE m.practice_id = %(practice)s AND m.id = told.id AND m.state = 'claimed' AND m.lease_token = %(token)s
"""
_WAIT = """
UPDATE messaging_message m SET state = 'pending', next_at = told.moment, lease_token = NULL, lease_until = NULL
  FROM unnest(%(ids)s::bigint[], %(moments)s::timestamptz[]) AS told (id, moment)
 WHERE m.practice_id = %(practice)s AND m.id = told.id AND m.state = 'claimed' AND m.lease_token = %(token)s
"""
_ARM = """
UPDATE messaging_message
   SET state = 'sending', armed_at = trackstat.now(), tries = tries + 1,
       lease_until = trackstat.now() + make_interval(secs => %(lease)s)
 WHERE practice_id = %(practice)s AND id = ANY(%(ids)s) AND state = 'claimed' AND lease_token = %(token)s
RETURNING id
"""
_ATTEMPT = """
INSERT INTO messaging_attempt (practice_id, key, message_id, provider, outcome, error_code, looked_up, worker)
SELECT %(practice)s, told.key, told.id, %(provider)s, '', '', 0, %(worker)s
  FROM unnest(%(keys)s::uuid[], %(ids)s::bigint[]) AS told (key, id)
"""
