"""Households as staff see them: on a patient's page, and who was left out of an audience because of one."""

import datetime as dt
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import Q

from audience.filters.households import COLUMNS, ELDEST_FIRST, PLACES
from audience.filters.people import age_on
from audience.models import Channel, Patient

# Of one household, on a patient's page.
SHOWN = 30


class Shared(NamedTuple):
    """Who shares an address with a patient: `others`, eldest first, each with `age`; `more` than are shown."""

    place: str
    is_phone: bool
    address: str
    others: list[Patient]
    more: bool


def shared_with(patient: Patient, on: dt.date) -> list[Shared]:
    """For the patient's page: a row for each channel on which somebody else has the same address. One statement."""
    mine = {column: getattr(patient, column) for column in COLUMNS.values()}
    same = Q()
    for column, address in mine.items():
        same |= Q(**{column: address}) if address else Q()
    if not same:
        return []
    found: list[Any] = list(Patient.objects.filter(same).exclude(pk=patient.pk).order_by(*ELDEST_FIRST)[: SHOWN + 1])
    for each in found:
        each.age = age_on(each.birth_date, on) if each.birth_date else None
    rows = []
    for channel, column in COLUMNS.items():
        others = [each for each in found if mine[column] and getattr(each, column) == mine[column]]
        if others:
            more = len(others) > SHOWN
            rows.append(Shared(PLACES[channel], channel == Channel.TEXT, mine[column], others[:SHOWN], more))
    return rows


def with_stand_ins(rows: Iterable[Any], on: dt.date) -> list[Patient]:
    """Rows of `Household.left_out`, each with `stands`: the patient that stands for it, with `age`."""
    found: list[Any] = list(rows)
    stand_ins = Patient.objects.in_bulk({row.stands_id for row in found})
    for row in found:
        row.stands = stand_ins[row.stands_id]
        row.age = age_on(row.birth_date, on) if row.birth_date else None
        row.stands.age = age_on(row.stands.birth_date, on) if row.stands.birth_date else None
    return found
