"""What may not have been sent: a hand-over without a clear answer that nothing settled, and what staff decide about it.

Sending it again may reach the patient twice, leaving it may reach them never; only people can weigh that. A message
that is still being looked up at its provider (`messaging.reconcile`) is listed, but not yet to be decided about.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from messaging.checks import Candidate, Situation, Stop, take_locks, verdicts
from messaging.models import Message
from messaging.reconcile import LOOKS
from messaging.tasks import wake
from trackstat.clock import now
from trackstat.tenancy import audit
from trackstat.tenancy.models import PracticeSettings, User
from trackstat.tenancy.scope import current_practice_id

# So long it is worth sending once staff have decided to.
WORTH_SENDING = dt.timedelta(hours=24)
# A provider that could not be asked for so long after the last look was due leaves the decision to staff.
PATIENCE_SECONDS = 1800

State, Reason = Message.State, Message.Reason


class Campaign(NamedTuple):
    """What is known here of a campaign; the app that keeps it comes later in the order of imports."""

    name: str
    state: str
    is_deleted: bool


class Entry(NamedTuple):
    """One message of the list, with its newest hand-over. Times are UTC."""

    message_id: int
    campaign_id: int | None
    channel: str
    to_address: str
    patient_id: int
    patient_name: str
    armed_at: dt.datetime
    provider: str
    http_status: int | None
    error_code: str
    looked_up: int
    is_absent_before: bool
    resent_at: dt.datetime | None
    resent_by: str
    left_at: dt.datetime | None
    left_by: str
    is_settled: bool
    # When the last look at the provider is due.
    decide_at: dt.datetime | None


class Tally(NamedTuple):
    """Of one campaign: messages on the list, and how many of them can be decided about now."""

    campaign_id: int | None
    n: int
    settled: int


@dataclass(frozen=True)
class Listing:
    """The messages that wait for a decision, or (`left`) those that were left; has `count()` and slices for Paginator.

    Newest campaign first, in it the oldest hand-over first.
    """

    left: bool = False
    campaign_id: int | None = None
    q: str = ""

    def count(self) -> int:
        return self._read("SELECT count(*)")[0][0]

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, piece: slice) -> list[Entry]:
        start = piece.start or 0
        order = "ORDER BY m.campaign_id DESC NULLS LAST, m.armed_at, m.id LIMIT %(limit)s OFFSET %(offset)s"
        rows = self._read(f"SELECT {_COLUMNS}", order, limit=piece.stop - start, offset=start)
        return [Entry(*row) for row in rows]

    def tallies(self) -> dict[int | None, Tally]:
        rows = self._read(f"SELECT m.campaign_id, count(*), count(*) FILTER (WHERE {_SETTLED})", "GROUP BY 1")
        return {row[0]: Tally(*row) for row in rows}

    def settled_ids(self) -> list[int]:
        return [pk for (pk,) in self._read("SELECT m.id", f"AND {_SETTLED} ORDER BY m.id")]

    def _read(self, columns: str, end: str = "", **values: Any) -> list[tuple]:
        where, known = "", _known() | {"left": self.left, "campaign": self.campaign_id} | values
        for n, word in enumerate(self.q.split()):
            where += f" AND (p.first_name || ' ' || p.last_name) ILIKE %(word{n})s"
            known[f"word{n}"] = f"%{_plain(word)}%"
        return _run(f"{columns} {_LISTED} {where} {end}", known)


@dataclass(frozen=True)
class Asked:
    """What a decision about these messages would come to, for the person to confirm."""

    ids: list[int]
    patients: int
    texts: int
    # Words of a Message.Reason → how many would not be sent again because of it.
    refused: dict[str, int] = field(default_factory=dict)
    # How many of them wait until their campaign is resumed.
    paused: int = 0


@dataclass(frozen=True)
class Decided:
    """`done` messages moved; `refused` as in Asked; the `gone` were decided or settled by something else before."""

    done: int
    refused: dict[str, int]
    gone: int


def count() -> int:
    """Messages of the practice in scope that wait for staff: neither looked up any longer, nor left."""
    return sum(tally.settled for tally in Listing().tallies().values())


def count_of_campaign(campaign_id: int) -> int:
    """Messages of a campaign that may not have been sent and were not left, also those still being looked up."""
    return Listing(campaign_id=campaign_id).count()


def campaigns(ids: Iterable[int | None]) -> dict[int | None, Campaign]:
    rows = _run(_CAMPAIGNS, {"practice": current_practice_id(), "ids": [pk for pk in ids if pk is not None]})
    return {row[0]: Campaign(*row[1:]) for row in rows}


def ask(ids: list[int], *, again: bool, left: bool = False) -> Asked:
    """What sending again (or leaving) these would come to now. Those that cannot be decided about are passed over."""
    candidates = _candidates(ids, now(), left)
    refused = _refusals(candidates) if again else {}
    kept = [candidate for candidate in candidates if candidate.message_id not in refused]
    known = campaigns({candidate.campaign_id for candidate in kept})
    return Asked(
        [candidate.message_id for candidate in kept],
        len({candidate.patient_id for candidate in kept}),
        sum(candidate.channel == "text" for candidate in kept),
        _counted(refused),
        sum(candidate.campaign_id in known and known[candidate.campaign_id].state == "paused" for candidate in kept),
    )


def resend(ids: list[int], seen: dt.datetime, by: User, *, left: bool = False) -> Decided:
    """Put these back to waiting, in the practice in scope: each once for what the person saw at `seen`.

    Whatever was decided, settled or handed over since then is not touched. They go out by the way of all messages, with
    every check; what would be stopped there already now stays as it is, so that a late report can still settle it.
    `left` says that they were looked at among those left before.
    """
    candidates = _candidates(ids, seen, left)
    take_locks(candidates)
    refused = _refusals(candidates)
    wanted = [candidate.message_id for candidate in candidates if candidate.message_id not in refused]
    worth = WORTH_SENDING.total_seconds()
    done = _decide(_RESEND, wanted, seen, by, left, "messages.resent", worth=worth)
    if done:
        wake(current_practice_id())
    return Decided(done, _counted(refused), len(set(ids)) - done - len(refused))


def leave(ids: list[int], seen: dt.datetime, by: User) -> Decided:
    """Off the list, as they are: a late report may still settle them. Once for what the person saw at `seen`."""
    done = _decide(_LEAVE, ids, seen, by, False, "messages.left")
    return Decided(done, {}, len(set(ids)) - done)


def _decide(
    statement: str, ids: list[int], seen: dt.datetime, by: User, left: bool, action: str, **values: float
) -> int:
    known = _known() | {"ids": ids, "seen": seen, "by": by.pk, "left": left} | values
    moved = sorted(pk for (pk,) in _run(statement, known))
    if moved:
        audit.record(action, user_id=by.pk, messages=moved)
    return len(moved)


def _candidates(ids: list[int], seen: dt.datetime, left: bool) -> list[Candidate]:
    """Those of the messages that can be decided about, as arming would see them after they were put back."""
    until = now() + WORTH_SENDING
    rows = _run(_AS_CANDIDATES, _known() | {"ids": ids, "seen": seen, "left": left})
    return [replace(found, not_after=max(found.not_after, until)) for found in (Candidate(*row) for row in rows)]


def _refusals(candidates: list[Candidate]) -> dict[int, str]:
    """Message id → the words of why it would not go out."""
    found = {
        message_id: Reason(verdict.reason).label
        for message_id, verdict in verdicts(candidates, Situation(now(), PracticeSettings.objects.get())).items()
        if isinstance(verdict, Stop)
    }
    known = campaigns({candidate.campaign_id for candidate in candidates})
    for candidate in candidates:
        if candidate.campaign_id in known and known[candidate.campaign_id].is_deleted:
            found[candidate.message_id] = "The campaign was deleted"
    return found


def _counted(refused: dict[int, str]) -> dict[str, int]:
    words = list(refused.values())
    return {each: words.count(each) for each in dict.fromkeys(words)}


def _known() -> dict[str, Any]:
    settle, between = settings.RECONCILE_SETTLE_SECONDS, settings.RECONCILE_BETWEEN_SECONDS
    return {
        "practice": current_practice_id(),
        "looks": LOOKS,
        "settle": settle,
        "between": between,
        "patience": settle + between * LOOKS + PATIENCE_SECONDS,
    }


def _run(statement: str, values: dict[str, Any]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _plain(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# `a` is the newest hand-over of `m`.
_NEWEST = """CROSS JOIN LATERAL (
        SELECT * FROM messaging_attempt newest
         WHERE newest.practice_id = m.practice_id AND newest.message_id = m.id ORDER BY newest.id DESC LIMIT 1) a"""
_SETTLED = """(a.outcome <> 'unknown' OR a.looked_up >= %(looks)s
    OR a.started_at < trackstat.now() - make_interval(secs => %(patience)s))"""
_COLUMNS = f"""m.id, m.campaign_id, m.channel, m.to_address, p.id, p.first_name || ' ' || p.last_name, m.armed_at,
    a.provider, a.http_status, a.error_code, a.looked_up,
    EXISTS (SELECT FROM messaging_attempt b
             WHERE b.practice_id = m.practice_id AND b.message_id = m.id AND b.outcome = 'absent'),
    m.resent_at, coalesce(again.name, ''), m.left_at, coalesce(leaver.name, ''), {_SETTLED},
    greatest(a.started_at + make_interval(secs => %(settle)s), a.looked_up_at + make_interval(secs => %(between)s))
        + make_interval(secs => %(between)s * greatest(%(looks)s - 1 - a.looked_up, 0))"""
_LISTED = f"""
  FROM messaging_message m
  JOIN audience_patient p ON p.practice_id = m.practice_id AND p.id = m.patient_id
  LEFT JOIN tenancy_user again ON again.id = m.resent_by_id
  LEFT JOIN tenancy_user leaver ON leaver.id = m.left_by_id
  {_NEWEST}
 WHERE m.practice_id = %(practice)s AND m.state = 'unknown' AND (m.left_at IS NOT NULL) = %(left)s
   AND (%(campaign)s::bigint IS NULL OR m.campaign_id = %(campaign)s::bigint)"""
_CAMPAIGNS = """
SELECT id, name, state, archived_at IS NOT NULL FROM campaigns_campaign
 WHERE practice_id = %(practice)s AND id = ANY(%(ids)s::bigint[])"""

# Still as it was seen: not decided, settled or handed over again since.
_AS_SEEN = f"""
    SELECT m.id FROM messaging_message m {_NEWEST}
     WHERE m.practice_id = %(practice)s AND m.id = ANY(%(ids)s::bigint[]) AND m.state = 'unknown'
       AND (m.left_at IS NOT NULL) = %(left)s AND m.armed_at <= %(seen)s AND {_SETTLED}"""
# Candidate's first fields, in their order.
_AS_CANDIDATES = f"""
SELECT m.id, m.channel, m.category, m.patient_id, m.contact_point_id, m.identity_id, m.content_id, m.campaign_id,
       m.step_id, m.enrollment_id, m.to_address, m.body, m.merge_values, m.token, m.due_at, m.not_after, m.segments
  FROM messaging_message m JOIN ({_AS_SEEN}) seen ON seen.id = m.id
 WHERE m.practice_id = %(practice)s ORDER BY m.id"""
_RESEND = f"""
WITH chosen AS MATERIALIZED ({_AS_SEEN} ORDER BY m.id FOR UPDATE OF m)
UPDATE messaging_message m
   SET state = 'pending', next_at = trackstat.now(), resent_at = trackstat.now(), resent_by_id = %(by)s,
       not_after = greatest(m.not_after, trackstat.now() + make_interval(secs => %(worth)s)),
       left_at = NULL, left_by_id = NULL
  FROM chosen WHERE m.practice_id = %(practice)s AND m.id = chosen.id AND m.state = 'unknown'
RETURNING m.id"""
_LEAVE = f"""
WITH chosen AS MATERIALIZED ({_AS_SEEN} ORDER BY m.id FOR UPDATE OF m)
UPDATE messaging_message m SET left_at = trackstat.now(), left_by_id = %(by)s
  FROM chosen WHERE m.practice_id = %(practice)s AND m.id = chosen.id AND m.state = 'unknown'
RETURNING m.id"""
