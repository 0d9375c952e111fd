"""A definition as it is stored → filters with typed values, or a sentence about what is wrong with it.

{"primary": {"key": "last_visit", "value": {…}} | null,
 "filters": [{"key": "age", "mode": "include" | "exclude", "value": {…}}]}
"""

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from django.db.models import Q

from audience.filters.choices import Rows
from audience.filters.registry import BadDefinition, Filter, On, find

MOST_FILTERS = 40
BLANK: dict[str, Any] = {"primary": None, "filters": []}


@dataclass(frozen=True)
class Chosen:
    """A filter with its value, and whether those who match are wanted or left out."""

    filter: Filter
    value: dict[str, Any]
    excludes: bool = False

    def q(self, on: On) -> Q:
        """Excluding negates: who is unknown to a filter (no birth date) does not match it, and so is not left out."""
        q = self.filter.q(self.value, on)
        q = ~q if self.excludes else q
        still_there = self.filter.still_there(self.value)
        return q if still_there is None else q & still_there

    @cached_property
    def words(self) -> str:
        return self.filter.describe(self.value)

    def check_rows(self) -> None:
        """Raises BadDefinition when a chosen row is gone or another practice's: to the database they are the same."""
        for name, field in self.filter.form.base_fields.items():
            if isinstance(field, Rows) and field.missing(self.value[name]):
                raise BadDefinition(f"{self.filter.label}: a chosen {field.what} no longer exists. Choose again.")


@dataclass(frozen=True)
class Definition:
    primary: Chosen | None
    filters: tuple[Chosen, ...]

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        return ((self.primary,) if self.primary else ()) + self.filters


def parse(definition: Any, *, may_be_blank: bool = False) -> Definition:
    """Raises BadDefinition: an unknown key or value is an error, never "everyone". Asks the database nothing.

    `may_be_blank` where something else narrows the audience, such as a drip's trigger.
    """
    if definition == {}:
        definition = BLANK
    if not isinstance(definition, dict) or set(definition) - {"primary", "filters"}:
        raise BadDefinition("The audience's filters are not understood. Choose them again.")
    primary, filters = definition.get("primary"), definition.get("filters", [])
    if not isinstance(filters, list):
        raise BadDefinition("The audience's filters are not understood. Choose them again.")
    if len(filters) > MOST_FILTERS:
        raise BadDefinition(f"An audience can have at most {MOST_FILTERS} filters; this one has {len(filters)}.")
    parsed = Definition(
        None if primary is None else _chosen(primary, is_primary=True),
        tuple(_chosen(each) for each in filters),
    )
    if not parsed.chosen and not may_be_blank:
        raise BadDefinition("Choose a date range or add a filter: an audience is never the whole practice.")
    return parsed


def validate(definition: Any, *, may_be_blank: bool = False) -> Definition:
    """`parse`, and that every chosen tag and the like still exists. Raises BadDefinition with a sentence."""
    parsed = parse(definition, may_be_blank=may_be_blank)
    for chosen in parsed.chosen:
        chosen.check_rows()
    return parsed


def _chosen(item: Any, *, is_primary: bool = False) -> Chosen:
    if not isinstance(item, dict) or set(item) - {"key", "value", "mode"}:
        raise BadDefinition("A filter is not understood. Remove it and choose it again.")
    found = find(item.get("key"))
    if is_primary and not found.may_be_primary:
        raise BadDefinition(f"“{found.label}” is no date: it cannot be the first line. Add it as a filter.")
    mode = item.get("mode", "include")
    if mode not in ("include", "exclude") or (is_primary and mode == "exclude"):
        raise BadDefinition(f"{found.label}: say whether to include or to exclude.")
    try:
        as_stored = json.dumps(item.get("value", {}), sort_keys=True)
    except (TypeError, ValueError):
        raise BadDefinition(f"{found.label}: The values of this filter are not understood.") from None
    return Chosen(found, _cleaned(found.key, as_stored), mode == "exclude")


@lru_cache(maxsize=1024)
def _cleaned(key: str, value: str) -> dict[str, Any]:
    """Typed values, which nobody changes: the same definition is read again with every look at it. A form asks the
    database nothing, so they are the same for everybody. Raises BadDefinition."""
    found = find(key)
    form = found.form.of(json.loads(value))
    if not form.is_valid():
        raise BadDefinition(f"{found.label}: {form.sentence}")
    return form.cleaned_data
