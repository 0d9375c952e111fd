"""Wall clock to UTC, over every zone there is; birthdays over every day there is."""

import datetime as dt
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.schedule import birthdays_kept_on, delayed, end_of_day, is_skipped, next_time_of_day, to_utc
from campaigns.triggers.birthday import kept_in

NEW_YORK = ZoneInfo("America/New_York")
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)
WALL_TIMES = st.datetimes(dt.datetime.fromisoformat("2020-01-01"), dt.datetime.fromisoformat("2035-12-31"))


def _wall(words):
    return dt.datetime.fromisoformat(words)


def _utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


def test_a_time_the_clocks_skip_is_the_first_valid_minute():
    assert is_skipped(_wall("2027-03-14 02:30"), NEW_YORK)
    assert to_utc(_wall("2027-03-14 02:30"), NEW_YORK) == _utc(2027, 3, 14, 7)
    assert to_utc(_wall("2027-03-14 02:00"), NEW_YORK) == _utc(2027, 3, 14, 7)
    assert to_utc(_wall("2027-03-14 03:00"), NEW_YORK) == _utc(2027, 3, 14, 7)


def test_a_time_that_comes_twice_is_the_first():
    assert to_utc(_wall("2026-11-01 01:30"), NEW_YORK) == _utc(2026, 11, 1, 5, 30)
    assert not is_skipped(_wall("2026-11-01 01:30"), NEW_YORK)


def test_a_day_begins_where_the_clocks_skip_midnight_at_one():
    assert end_of_day(dt.date(2026, 9, 5), ZoneInfo("America/Santiago")) == _utc(2026, 9, 6, 4)


@settings(max_examples=2000, deadline=None)
@given(ZONES, WALL_TIMES)
def test_every_wall_time_is_one_moment_that_reads_the_same_or_the_next_valid_one(zone, wall):
    moment = to_utc(wall, zone)
    read = moment.astimezone(zone).replace(tzinfo=None)
    if is_skipped(wall, zone):
        just_before = (moment - dt.timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
        assert just_before < wall < read + dt.timedelta(seconds=1)
    else:
        assert read == wall
        assert moment.astimezone(zone).fold == 0


@settings(max_examples=500, deadline=None)
@given(ZONES, WALL_TIMES, st.times().map(lambda time: time.replace(second=0, microsecond=0)))
def test_the_next_time_of_day_is_later_and_within_two_days(zone, wall, time_of_day):
    after = to_utc(wall, zone)
    moment = next_time_of_day(after, time_of_day, zone)
    assert after < moment <= after + dt.timedelta(hours=50)
    assert next_time_of_day(moment - dt.timedelta(microseconds=1), time_of_day, zone) == moment


def test_a_delay_counts_from_the_message_before_and_may_wait_for_a_time_of_day():
    at_noon = _utc(2026, 11, 21, 17)
    assert delayed(at_noon, 90, None, NEW_YORK) == _utc(2026, 11, 21, 18, 30)
    assert delayed(at_noon, 60, dt.time(9), NEW_YORK) == _utc(2026, 11, 22, 14)
    assert delayed(at_noon, 60, dt.time(13), NEW_YORK) == _utc(2026, 11, 21, 18)


def test_every_birthday_of_1900_to_2026_is_kept_on_exactly_one_day_of_each_of_ten_years():
    days_of = {
        year: [dt.date(year, 1, 1) + dt.timedelta(days=n) for n in range(365 + (year % 4 == 0))]
        for year in range(2024, 2034)
    }
    kept = {}
    for year, days in days_of.items():
        for day in days:
            for month_and_day in birthdays_kept_on(day):
                kept.setdefault((year, month_and_day), []).append(day)
    born = dt.date(1900, 1, 1)
    while born <= dt.date(2026, 12, 31):
        for year in days_of:
            assert kept[year, born.month * 100 + born.day] == [kept_in(year, born)]
        born += dt.timedelta(days=1)


@pytest.mark.parametrize(("year", "kept"), [(2027, (2, 28)), (2028, (2, 29)), (2100, (2, 28))])
def test_the_29th_of_february_is_kept_on_the_28th_in_common_years(year, kept):
    assert kept_in(year, dt.date(2004, 2, 29)) == dt.date(year, *kept)
    assert 229 in birthdays_kept_on(dt.date(year, *kept))
