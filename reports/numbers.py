"""The numbers of a campaign, counted from enrollments and messages each time, never kept.

One statement reads them all, so they agree with each other while messages are going out; the lists of patients behind
them use the same SQL, so they agree with the lists, too. Every recipient is in exactly one part: Delivered, On the way,
Errors, Not sent, Unknown or Waiting.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import connection

from messaging.explained import Explained, explained
from trackstat.tenancy.scope import current_practice_id

# Who an enrollment's message of a step reached; also where it stands when there is no message yet, or none ever.
PART = """CASE
    WHEN m.bounced_at IS NOT NULL OR m.state IN ('undelivered', 'failed') THEN 'errors'
    WHEN m.state = 'delivered' THEN 'delivered'
    WHEN m.state = 'sent' THEN 'on_the_way'
    WHEN m.state = 'unknown' THEN 'unknown'
    WHEN m.state IN ('pending', 'claimed', 'sending') OR (m.id IS NULL AND e.state = 'active') THEN 'waiting'
    ELSE 'not_sent' END"""
STANDING = "coalesce(m.state, CASE e.state WHEN 'active' THEN 'waiting' ELSE 'ended' END)"
# What may also have happened, whichever part it is in.
FLAGS = {
    "opened": "m.opened_at IS NOT NULL",
    "bounced": "m.bounced_at IS NOT NULL",
    "unsubscribed": "(m.unsubscribed_at IS NOT NULL OR m.complained_at IS NOT NULL)",
    "replied": "m.replied_at IS NOT NULL",
}
PARTS = ("delivered", "on_the_way", "errors", "unknown", "waiting", "not_sent")
RECIPIENTS = """
    FROM campaigns_enrollment e
    LEFT JOIN campaigns_step s ON s.practice_id = e.practice_id AND s.campaign_id = e.campaign_id
    LEFT JOIN messaging_message m
           ON m.practice_id = e.practice_id AND m.enrollment_id = e.id AND m.step_id = s.id"""

_COUNT = f"""
    SELECT e.campaign_id, s.id, {PART}, {STANDING}, coalesce(m.reason, e.reason), coalesce(m.error_code, ''),
           m.bounced_at IS NOT NULL, count(*),
           {", ".join(f"count(*) FILTER (WHERE {flag})" for flag in FLAGS.values())},
           count(*) FILTER (WHERE m.armed_at > trackstat.now() - interval '1 minute'),
           min(m.armed_at), max(m.armed_at), min(m.next_at) FILTER (WHERE m.state = 'pending')
    {RECIPIENTS}
    WHERE e.practice_id = %s AND e.campaign_id = ANY(%s)
    GROUP BY 1, 2, 3, 4, 5, 6, 7"""


class Row(NamedTuple):
    """Recipients of one step who stand alike."""

    campaign_id: int
    step_id: int | None
    part: str
    standing: str
    reason: str
    error_code: str
    is_bounced: bool
    n: int
    opened: int
    bounced: int
    unsubscribed: int
    replied: int
    last_minute: int
    first_at: dt.datetime | None
    last_at: dt.datetime | None
    next_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why some were not reached."""

    words: Explained
    n: int
    reason: str = ""
    error_code: str = ""


@dataclass(frozen=True)
class Numbers:
    """Of one step, or of all steps of a campaign together. Times are UTC."""

    rows: list[Row] = field(default_factory=list)

    def __getitem__(self, name: str) -> int:
        """`recipients`, a part, or a flag."""
        if name == "recipients":
            return sum(row.n for row in self.rows)
        if name in PARTS:
            return sum(row.n for row in self.rows if row.part == name)
        return sum(getattr(row, name) for row in self.rows)

    def of_step(self, step_id: int | None) -> "Numbers":
        return Numbers([row for row in self.rows if row.step_id == step_id])

    @property
    def handed_over(self) -> int:
        return sum(self[part] for part in ("delivered", "on_the_way", "errors", "unknown"))

    @property
    def settled(self) -> int:
        """Recipients nothing more has to be done for."""
        return self["recipients"] - self["waiting"]

    @property
    def last_at(self) -> dt.datetime | None:
        return max((row.last_at for row in self.rows if row.last_at), default=None)

    @property
    def next_at(self) -> dt.datetime | None:
        return min((row.next_at for row in self.rows if row.next_at), default=None)

    def per_second(self, moment: dt.datetime) -> float | None:
        """How fast messages went out in the last minute; None when none did."""
        recent = sum(row.last_minute for row in self.rows)
        first = min((row.first_at for row in self.rows if row.first_at), default=moment)
        return recent / min(60.0, max(1.0, (moment - first).total_seconds())) if recent else None

    def causes(self, part: str) -> list[Cause]:
        """The recipients of "errors" or "not_sent" by what happened, most frequent first."""
        found: dict[tuple[str, str, Explained], int] = {}
        for row in self.rows:
            if row.part == part:
                words = explained(row.standing, row.reason, row.error_code, bounced=row.is_bounced)
                key = (row.reason, row.error_code, words)
                found[key] = found.get(key, 0) + row.n
        causes = [Cause(words, n, reason, code) for (reason, code, words), n in found.items()]
        return sorted(causes, key=lambda cause: (-cause.n, cause.words.what))


def count(campaign_ids: Iterable[int]) -> dict[int, Numbers]:
    """The numbers of each campaign of the practice in scope, in one statement."""
    ids = list(campaign_ids)
    found: dict[int, Numbers] = {campaign_id: Numbers() for campaign_id in ids}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [current_practice_id(), ids])
        for row in map(Row._make, cursor.fetchall()):
            found[row.campaign_id].rows.append(row)
    return found
