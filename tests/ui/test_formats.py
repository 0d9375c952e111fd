import datetime as dt

import pytest
import time_machine
from django.utils import timezone

from trackstat import formats


def test_counts_have_separators_and_nothing_known_is_a_dash():
    assert formats.number(1284) == "1,284"
    assert formats.number(None) == "–"


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(97, 203, "47.8 %"), (0, 10, "0 %"), (10, 10, "100 %"), (9999, 10000, "99.9 %"), (1, 10000, "0.1 %"), (1, 0, "–")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part, whole, shown):
    assert formats.share(part, whole) == shown


def test_money_is_kept_in_cents_and_shown_in_dollars():
    assert formats.money(128450) == "$1,284.50"
    assert formats.money(-5) == "−$0.05"


@time_machine.travel("2026-11-21 15:00Z", tick=False)
def test_moments_are_shown_in_the_zone_in_force_and_name_another_year():
    moment = dt.datetime(2026, 11, 24, 14, 0, tzinfo=dt.UTC)
    with timezone.override("America/New_York"):
        assert formats.when(moment) == "Tue 24 Nov, 9:00 AM"
        assert formats.when(moment.replace(year=2027)) == "Wed 24 Nov 2027, 9:00 AM"
    with timezone.override("America/Denver"):
        assert formats.when(moment) == "Tue 24 Nov, 7:00 AM"


def test_phones_are_shown_as_staff_write_them():
    assert formats.phone("+16175550134") == "(617) 555-0134"
    assert formats.phone("+442079460000").startswith("+44")
    assert formats.phone("call the front desk") == "call the front desk"


def test_time_left_is_said_in_the_largest_fitting_unit():
    assert [formats.duration(s) for s in (0.4, 59, 130, 3600, 4800)] == ["0 s", "59 s", "2 min", "1 h", "1 h 20 min"]
