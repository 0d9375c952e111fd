"""Filters as rows of a form: a stored definition to rows, posted rows back to a definition."""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import QueryDict

from audience.filters import REGISTRY, Filter, On
from audience.filters.choices import Chooser
from audience.filters.dates import FutureRange
from audience.filters.fields import ValuesForm
from trackstat.tenancy.models import Practice

_BLANK_PRIMARY = "p"
# Up to so many choices lie open; more are behind a button, and what is chosen of them stands beside it.
OPEN_CHOICES = 7


class Part(NamedTuple):
    """A field of a row, and the word before it."""

    joint: str
    bound: forms.BoundField

    @property
    def is_searched(self) -> bool:
        """Too long even to be sent whole: what is typed is looked for on the server."""
        return isinstance(self.bound, Chooser) and self.bound.is_long

    @property
    def is_long(self) -> bool:
        if isinstance(self.bound, Chooser):
            # What only narrows a filter further is out of the way until it is wanted.
            return self.bound.is_long or not self.bound.field.required
        is_boxes = isinstance(self.bound.field.widget, forms.CheckboxSelectMultiple)
        return is_boxes and len(self.bound.subwidgets) > OPEN_CHOICES

    @property
    def chosen(self) -> list[str]:
        """Words of the ticked choices."""
        if isinstance(self.bound, Chooser):
            return [option.label for option in self.bound.picked]
        return [str(each.choice_label) for each in self.bound.subwidgets if each.data["selected"]]

    @property
    def is_empty(self) -> bool:
        """There is nothing to choose from: the EHR has used none so far."""
        return isinstance(self.bound, Chooser) and not self.is_searched and not self.bound.subwidgets

    @property
    def nothing(self) -> str:
        """In place of the chosen, while nothing is."""
        return "none chosen yet" if self.bound.field.required else "any"


@dataclass
class FilterRow:
    """One filter in the builder; `filter` None is the blank primary line."""

    prefix: str
    filter: Filter | None
    value: dict[str, Any]
    excludes: bool
    on: On
    # Whether what it lacks is said as an error.
    insists: bool = False

    @cached_property
    def form(self) -> ValuesForm:
        """What is wrong with it stands at its fields, unless it only lacks something that nobody has given yet."""
        assert self.filter is not None
        form = self.filter.form.of(self.value, prefix=self.prefix)
        if self.is_waiting and not self.insists:
            form.errors.clear()
        return form

    @cached_property
    def is_waiting(self) -> bool:
        return self.filter is not None and _lacks(self.filter, self.value)

    @property
    def is_wrong(self) -> bool:
        """Errors stand at its fields."""
        return self.filter is not None and bool(self.form.errors)

    @property
    def fields(self) -> list[forms.BoundField]:
        return self.form.shown() if self.filter else []

    @cached_property
    def parts(self) -> list[Part]:
        return [Part(self.form.joint(bound.name), bound) for bound in self.fields]

    @property
    def long_parts(self) -> list[Part]:
        return [part for part in self.parts if part.is_long]

    @property
    def verb(self) -> str:
        return "is" if self.filter and issubclass(self.filter.form, FutureRange) else "was"

    @property
    def note(self) -> str:
        """The dates that a relative range comes to today; what to do where there is no value yet."""
        if self.is_waiting and self.insists:
            return ""
        if self.is_waiting:
            return f"{self._lacking} Until then it is not counted."
        if self.filter is None or not self.form.is_valid():
            return ""
        return self.filter.note(self.form.cleaned_data, self.on)

    @property
    def _lacking(self) -> str:
        """What is to be given, in the words of the error that it would be."""
        assert self.filter is not None
        return self.filter.form.of(self.value).sentence

    @property
    def shape(self) -> str:
        key = self.filter.key if self.filter else ""
        return f"{self.prefix}:{key}:{','.join(field.name for field in self.fields)}"


def definition_rows(
    definition: dict[str, Any], practice: Practice, on: dt.date, insists: bool = False
) -> list[FilterRow]:
    """Filters this version does not know are left out here; the panel's sentence tells of them."""
    of_day = On(on, practice.tz)
    first = definition.get("primary") or {}
    primary = REGISTRY.get(first.get("key", ""))
    rows = [FilterRow(_BLANK_PRIMARY, primary, first.get("value", {}), False, of_day, insists)]
    for n, each in enumerate(definition.get("filters", [])):
        if found := REGISTRY.get(each.get("key")):
            excludes = each.get("mode") == "exclude"
            rows.append(FilterRow(f"f{n}", found, each.get("value", {}), excludes, of_day, insists))
    return rows


def without_waiting(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition without filters that were added and have no value yet; what is wrong otherwise stays in it."""
    first, filters = definition.get("primary"), definition.get("filters")
    if not isinstance(filters, list):
        return definition
    kept = [each for each in filters if not _is_waiting(each)]
    return definition | {"primary": None if _is_waiting(first) else first, "filters": kept}


def _is_waiting(item: Any) -> bool:
    found = REGISTRY.get(item.get("key", "")) if isinstance(item, dict) else None
    return found is not None and _lacks(found, item.get("value", {}))


def _lacks(filter: Filter, value: Any) -> bool:
    """All that is wrong is that something has not been given yet; how to look is chosen from the beginning."""
    form = filter.form.of(value)
    if form.is_valid() or form.malformed:
        return False
    given = any(value.get(name) for name, field in form.fields.items() if not _is_one_of(field))
    return all(not (given if name == NON_FIELD_ERRORS else value.get(name)) for name in form.errors)


def _is_one_of(field: forms.Field) -> bool:
    return isinstance(field, forms.ChoiceField) and not isinstance(field, forms.MultipleChoiceField)


def posted_definition(data: QueryDict) -> dict[str, Any]:
    """Rows in the order they stand in. `add` puts a filter at the end, `drop` takes the row of that prefix away."""
    filters = []
    for prefix in data.getlist("row"):
        key = data.get(f"{prefix}-key", "")
        if prefix != data.get("drop"):
            mode = "exclude" if data.get(f"{prefix}-mode") == "exclude" else "include"
            filters.append({"key": key, "mode": mode, "value": _posted_value(data, prefix, key)})
    if added := data.get("add"):
        found = REGISTRY.get(added)
        filters.append({"key": added, "mode": "include", "value": dict(found.initial) if found else {}})
    key = data.get(f"{_BLANK_PRIMARY}-key", "")
    primary = {"key": key, "value": _posted_value(data, _BLANK_PRIMARY, key)} if key else None
    return {"primary": primary, "filters": filters}


def _posted_value(data: QueryDict, prefix: str, key: str) -> dict[str, Any]:
    """Typed where the values are complete, else as typed in, so that nothing is lost while one is still choosing."""
    found = REGISTRY.get(key)
    if found is None:
        return {}
    raw: dict[str, Any] = {}
    for name, field in found.form.base_fields.items():
        given = field.widget.value_from_datadict(data, data, f"{prefix}-{name}")
        if isinstance(given, list | tuple):
            given = [str(each)[:200] for each in given if str(each).strip()]
        if given not in (None, "", []):
            raw[name] = given if isinstance(given, list) else str(given)[:200]
    if not found.fits(raw):
        return dict(found.initial)
    for name, usual in found.form.usual.items():
        if f"{prefix}-{name}" not in data:
            raw.setdefault(name, usual)
    form = found.form.of(raw)
    return form.json if form.is_valid() else raw
