"""How old what is shown is: when the EHR was last read with success, and whether that is as it should be."""

import datetime as dt
from dataclasses import dataclass

from audience.models import EhrConnection, ImportRun
from trackstat import clock
from trackstat.formats import when

# A run may take a while, and be put off once, before what is there counts as old.
_GRACE = dt.timedelta(minutes=15)


@dataclass(frozen=True)
class Freshness:
    """`at`: of the connection that was read longest ago; None when one of them never was, or there is none."""

    at: dt.datetime | None
    now: dt.datetime
    is_failing: bool = False
    is_late: bool = False

    @property
    def ago(self) -> str:
        return ago(self.at, self.now) if self.at else ""

    @property
    def words(self) -> str:
        """12 minutes ago, Sun 22 Nov, 9:48 AM."""
        return f"{self.ago}, {when(self.at)}" if self.at else "not read yet"

    @property
    def is_old(self) -> bool:
        return self.is_failing or self.is_late


def freshness(source: str = "") -> Freshness:
    """Of all connections that fetch by themselves, else of all there are; of one with `source`. One or two statements.

    Where nothing is connected, the last import by hand counts.
    """
    now = clock.now()
    connections = list(EhrConnection.objects.filter(source=source) if source else EhrConnection.objects.all())
    connections = [each for each in connections if each.is_active] or connections
    if not connections:
        imports = ImportRun.objects.filter(state=ImportRun.State.DONE, **({"source": source} if source else {}))
        last = imports.order_by("-started_at").first()
        return Freshness((last.finished_at or last.started_at) if last else None, now)
    reads = [each.last_ended_at for each in connections]
    return Freshness(
        None if None in reads else min(filter(None, reads)),
        now,
        any(each.state == EhrConnection.State.FAILING for each in connections),
        any(is_late(each, now) for each in connections),
    )


def is_late(connection: EhrConnection, now: dt.datetime) -> bool:
    """Whether two of its schedule's runs should have brought something since it was read last."""
    if not (connection.is_active and connection.every_minutes and connection.last_ended_at):
        return False
    return now - connection.last_ended_at > dt.timedelta(minutes=2 * connection.every_minutes) + _GRACE


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """12 minutes ago; 3 hours ago; 5 days ago."""
    seconds = max(0, round((now - moment).total_seconds()))
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size * (2 if size > 60 else 1):
            n = seconds // size
            return f"{n} {word}{'' if n == 1 else 's'} ago"
    return "just now"
