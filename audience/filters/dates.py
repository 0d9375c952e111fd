"""Ranges of dates, absolute or counted from the practice's today, and how they are said."""

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.db.models import DateField, Lookup, TextChoices

from audience.filters.fields import Day, OneOf, ValuesForm, Whole
from trackstat.formats import day


class Unit(TextChoices):
    DAYS = "days", "days"
    WEEKS = "weeks", "weeks"
    MONTHS = "months", "months"
    YEARS = "years", "years"


@dataclass(frozen=True)
class Range:
    """First and last day, both included; None is open."""

    first: dt.date | None
    last: dt.date | None

    def __contains__(self, date: object) -> bool:
        return (
            isinstance(date, dt.date)
            and (self.first is None or date >= self.first)
            and (self.last is None or date <= self.last)
        )

    def __str__(self) -> str:
        if self.first == self.last:
            return day(self.first)
        if self.first is None:
            return f"until {day(self.last)}"
        if self.last is None:
            return f"from {day(self.first)}"
        return f"{day(self.first)} to {day(self.last)}"


def shift(date: dt.date, n: int, unit: str) -> dt.date:
    """`n` units later (earlier when negative). A day the month lacks becomes its last: 31 Mar − 1 month = 28 Feb."""
    if unit in {Unit.DAYS, Unit.WEEKS}:
        return date + dt.timedelta(days=n * (7 if unit == Unit.WEEKS else 1))
    months = date.year * 12 + date.month - 1 + n * (12 if unit == Unit.YEARS else 1)
    year, month = divmod(months, 12)
    return dt.date(year, month + 1, min(date.day, calendar.monthrange(year, month + 1)[1]))


@DateField.register_lookup
class NoneOrGte(Lookup):
    """What ends on that date, or is not known to end, is not over before a day: ends_on__none_or_gte=day.

    Not for exclude() and ~Q, which add of a nullable column that it is known; around HasOne they do not.
    """

    lookup_name = "none_or_gte"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        date, params = self.process_lhs(compiler, connection)
        day, more = self.process_rhs(compiler, connection)
        return f"({date} IS NULL OR {date} >= {day})", [*params, *params, *more]


_ONE_DAY = dt.timedelta(days=1)
# Which fields each kind of range needs; a kind that is not here needs none.
_NEEDS = {
    "ago": ("least", "most", "unit"),
    "more_than_ago": ("least", "unit"),
    "last": ("most", "unit"),
    "next": ("most", "unit"),
    "ahead": ("least", "most", "unit"),
    "more_than_ahead": ("least", "unit"),
    "between": ("start", "end"),
}
_PAST = [
    ("ago", "between … and … ago"),
    ("more_than_ago", "more than … ago"),
    ("last", "in the last …"),
    ("between", "between two dates"),
    ("today", "today"),
    ("yesterday", "yesterday"),
    ("this_month", "this month"),
    ("last_month", "last month"),
    ("this_year", "this year"),
    ("last_year", "last year"),
]
_FUTURE = [
    ("next", "in the next …"),
    ("ahead", "between … and … from now"),
    ("more_than_ahead", "more than … from now"),
    ("between", "between two dates"),
    ("today", "today"),
    ("tomorrow", "tomorrow"),
    ("this_month", "this month"),
    ("next_month", "next month"),
]


class RangeForm(ValuesForm):
    """`range` says which of the others count."""

    range = OneOf(label="When", choices=_PAST, error_messages={"required": "choose when."})
    least = Whole(0, 999, required=False, label="From")
    most = Whole(0, 999, required=False, label="To")
    unit = OneOf(required=False, choices=Unit.choices, label="Unit")
    start = Day(required=False, label="First day")
    end = Day(required=False, label="Last day")
    joints: ClassVar[dict[str, str]] = {"end": "to", "most": "to"}

    usual: ClassVar[dict[str, Any]] = {"least": 6, "most": 18, "unit": "months"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        needs = self.needs(cleaned["range"])
        for name in ("least", "most", "unit", "start", "end"):
            if name not in needs:
                cleaned[name] = "" if name == "unit" else None
        if "start" in needs:
            if cleaned["start"] is None and cleaned["end"] is None:
                raise forms.ValidationError("Give the first or the last day.")
            if cleaned["start"] and cleaned["end"] and cleaned["start"] > cleaned["end"]:
                raise forms.ValidationError("The first day is after the last.")
        if "unit" in needs:
            if any(cleaned[name] is None for name in needs if name != "unit"):
                raise forms.ValidationError("Say how long, as a whole number.")
            cleaned["unit"] = cleaned["unit"] or Unit.MONTHS
            if {"least", "most"} <= set(needs) and cleaned["least"] > cleaned["most"]:
                raise forms.ValidationError(f"{cleaned['least']} is more than {cleaned['most']}: exchange them.")
        return cleaned

    def needs(self, kind: Any) -> tuple[str, ...]:
        """The fields that count beside `range`."""
        return _NEEDS.get(str(kind), ())

    def shown(self) -> list[forms.BoundField]:
        return [self["range"], *(self[name] for name in self.needs(self["range"].value()))]

    def joint(self, name: str) -> str:
        if name == "most" and "least" not in self.needs(self["range"].value()):
            return ""
        return self.joints.get(name, "")


class PastRange(RangeForm):
    """Ranges that a date behind us can lie in."""


class FutureRange(RangeForm):
    """Ranges that a date ahead of us can lie in."""

    usual: ClassVar[dict[str, Any]] = {"least": 1, "most": 7, "unit": "days"}

    range = OneOf(label="When", choices=_FUTURE, error_messages={"required": "choose when."})


class EverRange(RangeForm):
    """At any time, or in a range behind or ahead of us. Forms that ask for something else, too, build on it."""

    usual: ClassVar[dict[str, Any]] = {"range": "ever", "least": 6, "most": 12, "unit": "months"}

    range = OneOf(
        label="When",
        required=False,
        choices=[("ever", "at any time"), *_PAST, *(each for each in _FUTURE if each not in _PAST)],
    )

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            self.cleaned_data["range"] = self.cleaned_data["range"] or "ever"
        return super().clean()


class EverPast(EverRange):
    """At any time, or in a range behind us."""

    range = OneOf(label="When", required=False, choices=[("ever", "at any time"), *_PAST])


def resolve(value: dict[str, Any], on: dt.date) -> Range:
    """The days a range comes to when today is `on`.

    "More than 6 months ago" begins where "in the last 6 months" ends: a day is in exactly one of them.
    """
    least, most, unit = value.get("least"), value.get("most"), value.get("unit")
    month = on.replace(day=1)
    match value["range"]:
        case "ever":
            return Range(None, None)
        case "between":
            return Range(value.get("start"), value.get("end"))
        case "ago":
            return Range(shift(on, -most, unit), shift(on, -least, unit))
        case "more_than_ago":
            return Range(None, shift(on, -least, unit) - _ONE_DAY)
        case "last":
            return Range(shift(on, -most, unit), on)
        case "next":
            return Range(on, shift(on, most, unit))
        case "ahead":
            return Range(shift(on, least, unit), shift(on, most, unit))
        case "more_than_ahead":
            return Range(shift(on, least, unit) + _ONE_DAY, None)
        case "today":
            return Range(on, on)
        case "yesterday":
            return Range(on - _ONE_DAY, on - _ONE_DAY)
        case "tomorrow":
            return Range(on + _ONE_DAY, on + _ONE_DAY)
        case "this_month":
            return Range(month, shift(month, 1, Unit.MONTHS) - _ONE_DAY)
        case "last_month":
            return Range(shift(month, -1, Unit.MONTHS), month - _ONE_DAY)
        case "next_month":
            return Range(shift(month, 1, Unit.MONTHS), shift(month, 2, Unit.MONTHS) - _ONE_DAY)
        case "this_year":
            return Range(on.replace(month=1, day=1), on.replace(month=12, day=31))
        case "last_year":
            return Range(dt.date(on.year - 1, 1, 1), dt.date(on.year - 1, 12, 31))
    raise AssertionError(value["range"])


def say(value: dict[str, Any]) -> str:
    """ "6 to 18 months ago", "in the next 7 days", "from 1 Jan 2026 to 31 Mar 2026"."""
    least, most, unit = value.get("least"), value.get("most"), value.get("unit") or ""
    match value["range"]:
        case "between":
            return str(Range(value.get("start"), value.get("end")))
        case "ago":
            return f"{_span(least, most, unit)} ago"
        case "more_than_ago":
            return f"more than {_count(least, unit)} ago"
        case "last":
            return f"in the last {_count(most, unit)}"
        case "next":
            return f"in the next {_count(most, unit)}"
        case "ahead":
            return f"{_span(least, most, unit)} from now"
        case "more_than_ahead":
            return f"more than {_count(least, unit)} from now"
        case "ever":
            return "at any time"
        case kind:
            return kind.replace("_", " ")


def during(value: dict[str, Any]) -> str:
    """To put behind a phrase: " in the last 7 days", '' where any time will do."""
    return "" if value["range"] == "ever" else f" {say(value)}"


def _span(least: int, most: int, unit: str) -> str:
    return _count(least, unit) if least == most else f"{least} to {_count(most, unit)}"


def _count(n: int, unit: str) -> str:
    return f"{n} {unit.removesuffix('s') if n == 1 else unit}"
