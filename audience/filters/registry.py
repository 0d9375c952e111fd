"""What a filter is, and the list of all of them. Adding one is one class in one file, imported in `__init__`."""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import BooleanField, Expression, Model, Q

from audience.filters.choices import Picked, Rows, listed
from audience.filters.fields import ValuesForm
from audience.models import Patient
from trackstat.clock import now
from trackstat.tenancy.scope import current_practice_id


class BadDefinition(ValueError):
    """An audience that cannot be meant as it stands; the message is a sentence for staff."""


@dataclass(frozen=True)
class On:
    """The day an audience is looked at: the practice's local date, its zone, and the moment."""

    date: dt.date
    tz: ZoneInfo

    def midnight(self, day: dt.date) -> dt.datetime:
        """When `day` begins at the practice, in UTC; where clocks skip midnight, when it would have begun before."""
        return dt.datetime.combine(day, dt.time(), self.tz).astimezone(dt.UTC)

    @cached_property
    def now(self) -> dt.datetime:
        """UTC, aware."""
        return now()

    def local(self, moment: dt.datetime) -> dt.datetime:
        return moment.astimezone(self.tz)


class _AllThere(Expression):
    """Whether the practice still has all rows of these ids. In SQL of its own: the ORM would take longer to write it
    than the database to answer it."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, model: type[Model], ids: list[int]) -> None:
        super().__init__()
        self._table, self._ids, self._practice = model._meta.db_table, list(ids), current_practice_id()

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        table = connection.ops.quote_name(self._table)
        counted = f"(SELECT count(*) FROM {table} WHERE practice_id = %s AND id = ANY(%s::bigint[]))"
        return f"({counted} = %s)", [self._practice, self._ids, len(self._ids)]


class Filter:
    """One question about a patient.

    `value` is what `form` made of the definition's JSON. `q` must be true exactly for those who match: excluding is
    done by negating it. Dates, numbers and moments go in as Python values of the column's type, rows of other tables
    by `there.HasOne`: so row-level security keeps the indexes (docs/architecture.md).
    """

    key: ClassVar[str]
    label: ClassVar[str]
    group: ClassVar[str]
    form: ClassVar[type[ValuesForm]]
    may_be_primary: ClassVar[bool] = False
    icon: ClassVar[str] = "funnel"
    # What the builder starts with when the filter is added: best a value that can be used at once.
    initial: ClassVar[dict[str, Any]] = {}

    def q(self, value: dict[str, Any], on: On) -> Q:
        raise NotImplementedError

    def describe(self, value: dict[str, Any]) -> str:
        """A noun phrase to follow "patients with": "last visit 6 to 18 months ago"."""
        raise NotImplementedError

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        """The patient's own value that decided: "Last visit 12 Mar 2026"."""
        raise NotImplementedError

    def note(self, value: dict[str, Any], on: On) -> str:
        """What the value comes to today, e.g. the dates of a relative range; '' when there is nothing to add."""
        return ""

    def still_there(self, value: dict[str, Any]) -> Q | None:
        """False for everyone once a chosen row is gone: leaving out a deleted tag must not let everyone in."""
        q = Q()
        for name, field in self.form.base_fields.items():
            if isinstance(field, Rows) and value[name]:
                q &= Q(_AllThere(field.model, value[name]))
        return q or None

    def names(self, field: str, value: dict[str, Any], joint: str = "or") -> str:
        """What is picked, by name: "Aetna, Cigna or Humana"."""
        picked = self.form.base_fields[field]
        assert isinstance(picked, Picked)
        return listed([option.label for option in picked.labels([str(each) for each in value[field]])], joint)

    def fits(self, raw: dict[str, Any]) -> bool:
        """What was posted belongs to this filter, not to the one the row held before."""
        return True

    def shape(self) -> dict[str, str]:
        return {name: _shape(field) for name, field in self.form.base_fields.items()}


def _shape(field: forms.Field) -> str:
    return f"{field.shape()}{'' if field.required else ', optional'}"  # type: ignore[attr-defined]


REGISTRY: dict[str, Filter] = {}
# In the order staff look for them; a group not named here comes last.
GROUPS = (
    "Visits and dates",
    "Patient",
    "Tags",
    "Care",
    "Insurance and money",
    "Address",
    "Messages",
)


def register(cls: type[Filter]) -> type[Filter]:
    """Decorator: makes the filter known to builder, validation, sentences, explanation, command and tests."""
    assert cls.key not in REGISTRY, cls.key
    REGISTRY[cls.key] = cls()
    return cls


def find(key: Any) -> Filter:
    if not isinstance(key, str) or key not in REGISTRY:
        raise BadDefinition(f"There is no filter “{key}”. Remove it and choose another.")
    return REGISTRY[key]


def primary() -> list[Filter]:
    return [each for each in REGISTRY.values() if each.may_be_primary]


def grouped() -> dict[str, list[Filter]]:
    """Every filter by group, as the menu "Add filter" offers them."""
    groups: dict[str, list[Filter]] = {group: [] for group in GROUPS}
    for each in REGISTRY.values():
        groups.setdefault(each.group, []).append(each)
    return {group: filters for group, filters in groups.items() if filters}
