"""What each filter means, written a second time without the product's code: plain Python over plain rows."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from tests.audience.filters.reference_charts import charts


@dataclass
class Booked:
    """An appointment of any status, on its local day."""

    status: str
    at: dt.datetime
    on: dt.date
    purpose: int | None
    provider: int | None


@dataclass
class CaseRow:
    case_type: int | None
    is_active: bool
    ends_on: dt.date | None
    attorney: int | None
    care_package: int | None
    fee_schedule: int | None


@dataclass
class Sent:
    """A message made for the patient; not armed while it waits."""

    campaign: int | None
    state: str
    armed: dt.datetime | None
    replied: dt.datetime | None


@dataclass
class Row:
    """A patient with everything a filter may ask about."""

    birth_date: dt.date | None
    sex: str
    status: str
    reason: str
    visits: list[dt.date] = field(default_factory=list)
    booked: list[dt.datetime] = field(default_factory=list)
    tags: set[int] = field(default_factory=set)
    cell: str = ""
    email: str = ""
    has_address: bool = True
    # channel → (validity, opted out of everything, of announcements, of appointment messages)
    points: dict = field(default_factory=dict)
    # Its text address as a row of the database, for messages; some other one where it has none.
    point: Any = None
    appointments: list[Booked] = field(default_factory=list)
    cases: list[CaseRow] = field(default_factory=list)
    # Column → id of what stands on the patient.
    own: dict[str, int | None] = field(default_factory=dict)
    services: list[tuple[int, dt.date]] = field(default_factory=list)
    # Id, code, whether it still holds.
    diagnoses: list[tuple[int, str, bool]] = field(default_factory=list)
    # Insurer, whether it is active, last day.
    covers: list[tuple[int, bool, dt.date | None]] = field(default_factory=list)
    payments: list[int] = field(default_factory=list)
    city: str = ""
    state: str = ""
    zip: str = ""
    messages: list[Sent] = field(default_factory=list)
    everyone: list["Row"] = field(default_factory=list, repr=False)


def matches(row: Row, definition: dict, today: dt.date, now: dt.datetime, tz: ZoneInfo) -> bool:
    primary = definition.get("primary")
    wanted = [(primary, False)] if primary else []
    wanted += [(each, each["mode"] == "exclude") for each in definition["filters"]]
    return all(REFERENCE[each["key"]](row, each["value"], today, now, tz) != out for each, out in wanted)


def reachable(row: Row, require, category: str, excluded_tags: set[int]) -> bool:
    if category == "announcement" and row.tags & excluded_tags:
        return False
    if {"cell", "email"} & set(require) and row.reason == "deceased":
        return False
    if "address" in require and not row.has_address:
        return False
    for box, channel, address in (("cell", "text", row.cell), ("email", "email", row.email)):
        if box not in require:
            continue
        if not address:
            return False
        validity, everything, announcements, appointments = row.points[channel]
        if validity not in {"unknown", "ok"} or everything:
            return False
        if announcements if category == "announcement" else appointments:
            return False
    return True


def _before(today, n, unit):
    return today - relativedelta(**{unit: n})


def _after(today, n, unit):
    return today + relativedelta(**{unit: n})


def _in_range(date: dt.date | None, value: dict, today: dt.date) -> bool:
    if date is None:
        return False
    unit = value.get("unit", "months")
    least, most = value.get("least"), value.get("most")
    kind = value["range"]
    if kind == "between":
        start, end = value.get("start"), value.get("end")
        return (not start or date >= dt.date.fromisoformat(start)) and (not end or date <= dt.date.fromisoformat(end))
    if kind == "this_month":
        return (date.year, date.month) == (today.year, today.month)
    if kind == "last_month":
        month = today.replace(day=1) - dt.timedelta(days=1)
        return (date.year, date.month) == (month.year, month.month)
    if kind == "next_month":
        month = today.replace(day=28) + dt.timedelta(days=7)
        return (date.year, date.month) == (month.year, month.month)
    return {
        "ago": lambda: _before(today, most, unit) <= date <= _before(today, least, unit),
        "more_than_ago": lambda: date < _before(today, least, unit),
        "last": lambda: _before(today, most, unit) <= date <= today,
        "next": lambda: today <= date <= _after(today, most, unit),
        "ahead": lambda: _after(today, least, unit) <= date <= _after(today, most, unit),
        "more_than_ahead": lambda: date > _after(today, least, unit),
        "today": lambda: date == today,
        "yesterday": lambda: (today - date).days == 1,
        "tomorrow": lambda: (date - today).days == 1,
        "this_year": lambda: date.year == today.year,
        "last_year": lambda: date.year == today.year - 1,
    }[kind]()


def _age(birth_date, today):
    years = today.year - birth_date.year
    try:
        birthday = birth_date.replace(year=today.year)
    except ValueError:
        birthday = dt.date(today.year, 2, 28)
    return years if today >= birthday else years - 1


def _next_visit(row, now, tz):
    ahead = [moment for moment in row.booked if moment > now]
    return min(ahead).astimezone(tz).date() if ahead else None


def _age_between(row, value, today, now, tz):
    if row.birth_date is None:
        return False
    return value.get("min", -1) <= _age(row.birth_date, today) <= value.get("max", 1000)


def _status(row, value, today, now, tz):
    if row.status != value["status"]:
        return False
    return value["status"] == "active" or not value.get("reasons") or row.reason in value["reasons"]


def _tags(row, value, today, now, tz):
    chosen = set(value["tags"])
    return {"any": bool(chosen & row.tags), "all": chosen <= row.tags, "none": not chosen & row.tags}[value["match"]]


REFERENCE = {
    "visit": lambda row, value, today, now, tz: any(_in_range(each, value, today) for each in row.visits),
    "last_visit": lambda row, value, today, now, tz: _in_range(max(row.visits, default=None), value, today),
    "first_visit": lambda row, value, today, now, tz: _in_range(min(row.visits, default=None), value, today),
    "next_visit": lambda row, value, today, now, tz: _in_range(_next_visit(row, now, tz), value, today),
    "status": _status,
    "age": _age_between,
    "sex": lambda row, value, today, now, tz: row.sex in value["sex"],
    "tags": _tags,
    **charts(_in_range),
}
