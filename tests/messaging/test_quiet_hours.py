import datetime as dt
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audience.numbers import may_be_texted
from messaging.numbers import time_zones
from messaging.quiet_hours import EARLIEST, LATEST, Hours, closing, opening, zones_for

ZONES = sorted(
    zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix/", "right/"))
)
moments = st.integers(1_577_836_800, 2_082_758_400).map(lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC))
NEW_YORK = ("America/New_York",)


def local(moment, zone):
    return moment.astimezone(ZoneInfo(zone))


@settings(max_examples=500, deadline=None)
@given(moments, st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True))
def test_whatever_zone_and_season_a_text_leaves_within_the_hours_everywhere_it_may_be(moment, zones):
    hours = Hours()
    opens = opening(moment, zones, hours)
    if opens is None:
        assert len(zones) > 1  # only zones on opposite sides of the world never share an hour
        return
    assert moment <= opens < moment + dt.timedelta(days=8)
    for zone in zones:
        there = local(opens, zone)
        assert EARLIEST <= there.time() < LATEST
        assert (dt.time(12) if there.weekday() == 6 else dt.time(9)) <= there.time() < dt.time(20)
        assert local(closing(opens, zones, hours), zone).time() <= dt.time(20)
    assert closing(opens, zones, hours) > opens
    assert opening(opens, zones, hours) == opens


@settings(max_examples=150, deadline=None)
@given(moments, st.sampled_from(ZONES))
def test_held_texts_go_out_at_the_first_open_minute(moment, zone):
    opens = opening(moment, [zone], Hours())
    minute = dt.timedelta(minutes=1)
    if opens > moment + minute:
        assert opening(opens - minute, [zone], Hours()) == opens
        assert opens - moment <= dt.timedelta(
            hours=41
        )  # Saturday 20:00 to Sunday noon, and a day's change of the clocks


def test_a_text_at_night_waits_for_nine_and_on_sunday_for_noon():
    night = dt.datetime(2026, 11, 24, 22, tzinfo=ZoneInfo(NEW_YORK[0]))
    assert local(opening(night, NEW_YORK, Hours()), NEW_YORK[0]) == dt.datetime(
        2026, 11, 25, 9, tzinfo=ZoneInfo(NEW_YORK[0])
    )
    saturday = dt.datetime(2026, 11, 28, 20, tzinfo=ZoneInfo(NEW_YORK[0]))
    assert local(opening(saturday, NEW_YORK, Hours()), NEW_YORK[0]).strftime("%a %H:%M") == "Sun 12:00"


def test_a_practice_cannot_widen_the_hours_beyond_the_law(northside, in_northside):
    northside.settings.refresh_from_db()
    northside.settings.quiet_until, northside.settings.quiet_from = dt.time(6), dt.time(23)
    hours = Hours.of(northside.settings)
    assert (hours.opens, hours.closes) == (dt.time(8), dt.time(21))


@pytest.mark.parametrize(
    ("zone", "number", "expected"),
    [
        ("America/Denver", "+16175550100", ("America/Denver",)),
        ("", "+12085550100", ("America/Boise", "America/Los_Angeles", "America/New_York")),
        ("", "+16175550100", ("America/New_York",)),
        ("", "+18005550100", ("America/New_York",)),
        ("Mars/Olympus", "+13035550100", ("America/Denver", "America/New_York")),
    ],
)
def test_the_zone_is_the_addresses_else_all_of_the_area_code_and_the_practices(zone, number, expected):
    assert set(zones_for(zone, number, "America/New_York")) == set(expected)


def test_an_area_code_may_be_in_two_zones_and_a_toll_free_number_in_none():
    assert set(time_zones("+12085550100")) >= {"America/Boise"}
    assert time_zones("+18885550100") == ()


@pytest.mark.parametrize(
    ("number", "may"),
    [
        ("+16175550100", True),
        ("+18005550100", False),
        ("+1617555", False),
        ("617-555-0100", False),
        ("+1617555010012345678", False),
    ],
)
def test_only_possible_numbers_that_are_not_toll_free_are_texted(number, may):
    assert may_be_texted(number) is may
