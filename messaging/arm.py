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

from audience.models import Channel
from messaging.checks import Candidate, Situation, Stop, Verdict, take_locks, verdicts
from messaging.email_body import email
from messaging.models import Content
from messaging.providers.base import Outgoing
from messaging.quiet_hours import Hours, closing, zones_for
from trackstat import prepared
from trackstat.tenancy.models import PracticeSettings
from trackstat.tenancy.scope import current_practice_id

WORKER = f"{socket.gethostname()}:{os.getpid()}"[:80]


@dataclass(frozen=True, slots=True)
class Armed:
    """`outgoing` may leave now, once; `aborted` and `waiting` are how many of the group may not.

    `closed`: the sender may not send any more, and nothing was looked at.
    """

    outgoing: list[Outgoing]
    aborted: int = 0
    waiting: int = 0
    closed: bool = False


def arm(candidates: Sequence[Candidate], token: uuid.UUID, provider: str) -> Armed:
    """Call in `practice_scope` with nothing else in the transaction. Messages that lost their lease are left alone.

    All candidates are of one identity.
    """
    group = list(candidates)
    take_locks(group)
    situation, sends = _situation(group[0].identity_id)
    if not sends:
        return Armed([], closed=True)
    found = verdicts(group, situation)
    _settle(found, token)
    go = [candidate for candidate in group if candidate.message_id not in found]
    outgoing = _outgoing(go, situation)
    armed = _move(go, outgoing, token, provider, situation.now)
    stopped = sum(isinstance(verdict, Stop) for verdict in found.values())
    return Armed([outgoing[message_id] for message_id in armed], stopped, len(found) - stopped)


def _situation(identity_id: int) -> tuple[Situation, bool]:
    """Read after the locks; and whether the sender may send at this moment: a callback may have closed it, or staff."""
    row = prepared.run(_SITUATION, {"practice": current_practice_id(), "identity": identity_id})[0]
    practice = PracticeSettings(**dict(zip(_SETTINGS, row[2:], strict=True)))
    return Situation(row[0].astimezone(dt.UTC), practice), row[1]


def _settle(found: dict[int, Verdict], token: uuid.UUID) -> None:
    stops = {message_id: verdict.reason for message_id, verdict in found.items() if isinstance(verdict, Stop)}
    waits = {message_id: verdict.until for message_id, verdict in found.items() if not isinstance(verdict, Stop)}
    if stops:
        _run(_STOP, token=token, ids=list(stops), reasons=list(stops.values()))
    if waits:
        _run(_WAIT, token=token, ids=list(waits), moments=list(waits.values()))


def _outgoing(go: list[Candidate], situation: Situation) -> dict[int, Outgoing]:
    emails = {c.content_id for c in go if c.channel == Channel.EMAIL}
    contents = Content.objects.in_bulk(emails) if emails else {}
    moment, hours = situation.now, Hours.of(situation.practice)
    closes: dict[tuple[str, ...], dt.datetime] = {}
    made = {}
    for candidate in go:
        ends = candidate.not_after
        if candidate.channel == Channel.TEXT:
            zones = zones_for(candidate.time_zone, candidate.to_address, situation.practice.time_zone)
            if zones not in closes:
                closes[zones] = closing(moment, zones, hours)
            ends = min(ends, closes[zones])
            words: dict[str, Any] = {"body": candidate.body}
        else:
            content = contents[candidate.content_id]
            mail = email(content.subject, content.body, candidate.values, candidate.token)
            words = {"subject": mail.subject, "body": mail.text, "html": mail.html, "headers": mail.headers}
        seconds = int((ends - moment).total_seconds())
        made[candidate.message_id] = Outgoing(
            uuid.uuid4(), candidate.to_address, valid_seconds=seconds, introduces=candidate.introduces, **words
        )
    return made


def _move(
    go: list[Candidate], outgoing: dict[int, Outgoing], token: uuid.UUID, provider: str, moment: dt.datetime
) -> list[int]:
    if not go:
        return []
    ids = [candidate.message_id for candidate in go]
    armed = _run(
        _ARM,
        token=token,
        ids=prepared.array(ids),
        keys=prepared.array(outgoing[message_id].attempt_key for message_id in ids),
        moment=moment,
        lease=settings.DISPATCH_LEASE_SECONDS,
        provider=provider,
        worker=WORKER,
    )
    moved = {message_id for (message_id,) in armed}
    return [message_id for message_id in ids if message_id in moved]


def _run(statement: str, **values: Any) -> list[tuple]:
    return prepared.run(statement, {"practice": current_practice_id()} | values)


_STOP = """
UPDATE messaging_message m
   SET state = 'aborted', reason = told.reason, done_at = trackstat.now(), lease_token = NULL, lease_until = NULL
  FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS told (id, reason)
 WHERE m.practice_id = %(practice)s AND m.id = told.id AND m.state = 'claimed' AND m.lease_token = %(token)s::uuid
"""
_WAIT = """
UPDATE messaging_message m SET state = 'pending', next_at = told.moment, lease_token = NULL, lease_until = NULL
  FROM unnest(%(ids)s::bigint[], %(moments)s::timestamptz[]) AS told (id, moment)
 WHERE m.practice_id = %(practice)s AND m.id = told.id AND m.state = 'claimed' AND m.lease_token = %(token)s::uuid
"""
# The moment is the same in both rows: by it a message knows its newest attempt.
_ARM = """
WITH told AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::bigint[], %(keys)s::uuid[]) AS told (id, key)
), armed AS (
    UPDATE messaging_message m
       SET state = 'sending', armed_at = %(moment)s::timestamptz, tries = m.tries + 1,
           lease_until = %(moment)s::timestamptz + make_interval(secs => %(lease)s::float)
      FROM told
     WHERE m.practice_id = %(practice)s AND m.id = told.id AND m.state = 'claimed' AND m.lease_token = %(token)s::uuid
    RETURNING m.id, told.key
)
INSERT INTO messaging_attempt (
    practice_id, key, message_id, provider, started_at, outcome, error_code, looked_up, worker)
SELECT %(practice)s::bigint, key, id, %(provider)s::text, %(moment)s::timestamptz, '', '', 0, %(worker)s::text
  FROM armed ORDER BY id
RETURNING message_id
"""
# What is decided by.
_SETTINGS = (
    *("id", "practice_id", "time_zone", "quiet_until", "quiet_until_sunday", "quiet_from"),
    *("address_line", "city", "state", "postal_code", "attested_at"),
)
_SITUATION = f"""
SELECT trackstat.now(),
       EXISTS (SELECT FROM messaging_sendingidentity i
                WHERE i.practice_id = %(practice)s AND i.id = %(identity)s AND i.is_active
                  AND i.registration = 'approved' AND (i.paused_until IS NULL OR i.paused_until <= trackstat.now())),
       {", ".join(f"s.{name}" for name in _SETTINGS)}
  FROM tenancy_practicesettings s WHERE s.practice_id = %(practice)s
"""
