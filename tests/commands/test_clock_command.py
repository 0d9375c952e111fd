"""`sandbox_clock`: when all practices are awake."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from trackstat.management.commands.sandbox_clock import Command, _is_awake, _next_waking_moment
from trackstat.tenancy.models import AuditEvent, PracticeSettings
from trackstat.tenancy.scope import practice_scope

BOSTON, BOISE = ZoneInfo("America/New_York"), ZoneInfo("America/Denver")


def at(*moment, zone=BOSTON):
    return dt.datetime(*moment, tzinfo=zone).astimezone(dt.UTC)


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        (at(2026, 11, 24, 13, 0), at(2026, 11, 24, 13, 0)),  # Tuesday, both awake
        (at(2026, 11, 24, 3, 0), at(2026, 11, 24, 12, 0)),  # 10:00 in Boise
        (at(2026, 11, 24, 21, 0), at(2026, 11, 25, 12, 0)),
        (at(2026, 11, 28, 21, 0), at(2026, 11, 29, 15, 0)),  # Sunday opens at noon
    ],
)
def test_the_clock_goes_to_the_first_moment_all_practices_are_awake(northside, southside, monkeypatch, now, wanted):
    monkeypatch.setattr("trackstat.management.commands.sandbox_clock.real_now", lambda: now)
    moment = _next_waking_moment()
    assert moment == wanted
    for practice in (northside, southside):
        with practice_scope(practice):
            assert _is_awake(PracticeSettings.objects.get(), moment)


def test_the_clock_never_goes_back_behind_what_has_happened(northside, southside, monkeypatch, clock):
    clock.at(at(2026, 11, 25, 14, 8))
    with practice_scope(northside):
        AuditEvent.objects.create(action="something")
    monkeypatch.setattr("trackstat.management.commands.sandbox_clock.real_now", lambda: at(2026, 11, 24, 13, 0))
    assert _next_waking_moment() >= at(2026, 11, 25, 14, 7)


def test_without_the_sandboxs_role_the_clock_stays(settings):
    settings.SANDBOX_DATABASE_URL = ""
    with pytest.raises(Exception, match="SANDBOX_DATABASE_URL"):
        Command().handle(awake=True, at=None, ahead=None)
