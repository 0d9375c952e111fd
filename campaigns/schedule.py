"""From the practice's wall clock to UTC, with the hours that daylight saving skips or repeats. Pure functions."""

import calendar
import datetime as dt
from zoneinfo import ZoneInfo

# How long after its time a message is still worth sending when nothing else says so.
WORTH_SENDING = dt.timedelta(hours=48)


def to_utc(wall: dt.datetime, tz: ZoneInfo) -> dt.datetime:
    """The moment a local wall time (naive) stands for.

    A time that daylight saving skips is the first valid minute after the gap; one that comes twice is the first.
    """
    first = wall.replace(tzinfo=tz, fold=0).astimezone(dt.UTC)
    return _end_of_gap(wall, tz) if is_skipped(wall, tz) else first


def is_skipped(wall: dt.datetime, tz: ZoneInfo) -> bool:
    """Whether the clocks of `tz` jump over this wall time (naive)."""
    return wall.replace(tzinfo=tz).astimezone(dt.UTC).astimezone(tz).replace(tzinfo=None) != wall


def _end_of_gap(wall: dt.datetime, tz: ZoneInfo) -> dt.datetime:
    # Read with the offsets after and before the jump, a skipped time lies on both sides of it.
    before = wall.replace(tzinfo=tz, fold=1).astimezone(dt.UTC)
    after = wall.replace(tzinfo=tz, fold=0).astimezone(dt.UTC)
    offset = before.astimezone(tz).utcoffset()
    while after - before > dt.timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(tz).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def end_of_day(day: dt.date, tz: ZoneInfo) -> dt.datetime:
    """The moment (UTC) the next local day begins."""
    return to_utc(dt.datetime.combine(day + dt.timedelta(days=1), dt.time.min), tz)


def birthdays_kept_on(day: dt.date) -> list[int]:
    """The birthdays, as month * 100 + day, greeted on `day`: 29 February is kept on the 28th in common years."""
    kept = [day.month * 100 + day.day]
    if kept == [228] and not calendar.isleap(day.year):
        kept.append(229)
    return kept


def next_time_of_day(after: dt.datetime, at: dt.time, tz: ZoneInfo) -> dt.datetime:
    """The first moment (UTC) later than `after` at which the local clock says `at`."""
    day = after.astimezone(tz).date()
    while (moment := to_utc(dt.datetime.combine(day, at), tz)) <= after:
        day += dt.timedelta(days=1)
    return moment


def delayed(previous: dt.datetime, minutes: int, time_of_day: dt.time | None, tz: ZoneInfo) -> dt.datetime:
    """When the message after one due at `previous` (UTC) is due: that much later, at a local time of day if given."""
    moment = previous + dt.timedelta(minutes=minutes)
    if time_of_day is None:
        return moment
    return next_time_of_day(moment - dt.timedelta(microseconds=1), time_of_day, tz)
