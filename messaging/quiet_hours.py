"""When a text may arrive: the practice's hours on the patient's clock, never before 8 or after 21 (47 CFR 64.1200).

Where the patient's zone is not known for sure, the hours must hold in every zone they may be in.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from messaging.numbers import time_zones
from trackstat.tenancy.models import PracticeSettings

EARLIEST, LATEST = dt.time(8), dt.time(21)
SUNDAY = 6
# Zones as far apart as Guam and New York share an hour a day at least once within a week.
LOOK_AHEAD_DAYS = 8


@dataclass(frozen=True)
class Hours:
    """From `opens` (Sundays `opens_sunday`) until before `closes`, local time of day, within what the law allows."""

    opens: dt.time = dt.time(9)
    opens_sunday: dt.time = dt.time(12)
    closes: dt.time = dt.time(20)

    @classmethod
    def of(cls, settings: PracticeSettings) -> "Hours":
        return cls(
            max(settings.quiet_until, EARLIEST),
            max(settings.quiet_until_sunday, EARLIEST),
            min(settings.quiet_from, LATEST),
        )

    def on(self, day: dt.date, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
        """Opening and closing of one local day, in UTC; equal when it does not open at all."""
        opens = self.opens_sunday if day.weekday() == SUNDAY else self.opens
        start = dt.datetime.combine(day, opens, zone).astimezone(dt.UTC)
        end = dt.datetime.combine(day, self.closes, zone).astimezone(dt.UTC)
        return start, max(start, end)


def zones_for(time_zone: str, number: str, practice_zone: str) -> tuple[str, ...]:
    """Zones the patient may be in: by their address; else every zone of the area code, and the practice's."""
    if time_zone and _zone(time_zone):
        return (time_zone,)
    return tuple(dict.fromkeys((*(z for z in time_zones(number) if _zone(z)), practice_zone)))


def opening(moment: dt.datetime, zones: Collection[str], hours: Hours) -> dt.datetime | None:
    """`moment` itself when all zones are open, else the first moment after it when they are; None: not within days."""
    here = moment.astimezone(dt.UTC)
    until = here + dt.timedelta(days=LOOK_AHEAD_DAYS)
    while here < until:
        later = max(_opening_in(here, _known(zone), hours) for zone in zones)
        if later == here:
            return moment if here == moment else here
        here = later
    return None


def closing(moment: dt.datetime, zones: Collection[str], hours: Hours) -> dt.datetime:
    """When the first of the zones closes after `moment`, at which all are open. UTC."""
    return min(_day(moment, _known(zone), hours)[1] for zone in zones)


def _opening_in(moment: dt.datetime, zone: ZoneInfo, hours: Hours) -> dt.datetime:
    opens, closes = _day(moment, zone, hours)
    if opens <= moment < closes:
        return moment
    if moment < opens < closes:
        return opens
    day = moment.astimezone(zone).date()
    for ahead in range(1, LOOK_AHEAD_DAYS + 1):
        opens, closes = hours.on(day + dt.timedelta(days=ahead), zone)
        if moment < opens < closes:
            return opens
    return moment + dt.timedelta(days=LOOK_AHEAD_DAYS)


def _day(moment: dt.datetime, zone: ZoneInfo, hours: Hours) -> tuple[dt.datetime, dt.datetime]:
    return hours.on(moment.astimezone(zone).date(), zone)


@lru_cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _known(name: str) -> ZoneInfo:
    return _zone(name) or ZoneInfo("UTC")
