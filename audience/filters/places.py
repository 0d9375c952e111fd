"""Where patients live."""

from typing import Any

from django.db.models import Q, Value
from django.db.models.functions import Upper

from audience.filters.choices import ColumnWords
from audience.filters.fields import Beginnings, ValuesForm
from audience.filters.registry import Filter, On, register
from audience.models import Patient

ADDRESS = "Address"


class CityForm(ValuesForm):
    cities = ColumnWords("city", "city_key", "city", whats="cities", label="Cities")


@register
class City(Filter):
    key = "city"
    label = "City"
    group = ADDRESS
    icon = "building-2"
    form = CityForm

    def q(self, value: dict[str, Any], on: On) -> Q:
        return Q(city_key__in=[Upper(Value(city)) for city in value["cities"]])

    def describe(self, value: dict[str, Any]) -> str:
        return f"city {self.names('cities', value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        return f"City {patient.city}" if patient.city else "City unknown"


class StateForm(ValuesForm):
    states = ColumnWords("state", "state", "state", label="States")


@register
class State(Filter):
    key = "state"
    label = "State"
    group = ADDRESS
    icon = "map"
    form = StateForm

    def q(self, value: dict[str, Any], on: On) -> Q:
        return Q(state__in=value["states"])

    def describe(self, value: dict[str, Any]) -> str:
        return f"state {self.names('states', value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        return f"State {patient.state}" if patient.state else "State unknown"


class ZipForm(ValuesForm):
    zips = Beginnings(
        "zip code", 2, label="Zip codes or how they begin", error_messages={"required": "give at least one."}
    )


@register
class Zip(Filter):
    """Whole codes and beginnings in one list: 02118 is also 02118-1234, and 021 is all that begin so."""

    key = "zip"
    label = "Zip"
    group = ADDRESS
    icon = "map-pin"
    form = ZipForm

    def q(self, value: dict[str, Any], on: On) -> Q:
        """As ranges in byte order, which the column has; LIKE would cost the index under row-level security."""
        q = Q()
        for each in value["zips"]:
            q |= Q(postal_code__gte=each, postal_code__lt=each[:-1] + chr(ord(each[-1]) + 1))
        return q

    def describe(self, value: dict[str, Any]) -> str:
        zips = value["zips"]
        return f"zip {', '.join(zips[:8])}{f' and {len(zips) - 8} others' if len(zips) > 8 else ''}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        return f"Zip {patient.postal_code}" if patient.postal_code else "Zip unknown"
