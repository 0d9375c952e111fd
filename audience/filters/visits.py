"""Visits by date: the filters one of which is an audience's primary one (A1)."""

import datetime as dt
from typing import Any, ClassVar

from django.db.models import Q

from audience.filters.dates import FutureRange, PastRange, Range, RangeForm, resolve, say
from audience.filters.registry import Filter, On, register
from audience.filters.there import HasOne
from audience.models import Appointment, Patient
from trackstat.formats import day

VISITS = "Visits and dates"


class ByDate(Filter):
    group = VISITS
    form: type[RangeForm] = PastRange
    may_be_primary = True
    icon = "calendar"
    column = ""
    initial: ClassVar[dict[str, Any]] = {"range": "ago", "least": 6, "most": 18, "unit": "months"}

    def fits(self, raw: dict[str, Any]) -> bool:
        return raw.get("range") in dict(self.form.base_fields["range"].choices)  # type: ignore[attr-defined]

    def q(self, value: dict[str, Any], on: On) -> Q:
        return Q(**where_within(self.column, resolve(value, on.date)))

    def describe(self, value: dict[str, Any]) -> str:
        return f"{self.label.lower()} {say(value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        date = getattr(patient, self.column)
        return f"{self.label} {day(date)}" if date else "No visit yet"

    def note(self, value: dict[str, Any], on: On) -> str:
        return "" if value["range"] == "between" else str(resolve(value, on.date))


@register
class LastVisit(ByDate):
    key = "last_visit"
    label = "Last visit"
    column = "last_visit_on"


@register
class VisitDate(ByDate):
    """Any visit, not only the first or last: someone was here in the range."""

    key = "visit"
    label = "Visit"

    def q(self, value: dict[str, Any], on: On) -> Q:
        """By the first and the last visit where these decide; only of who came before and after are visits asked."""
        days = resolve(value, on.date)
        if days.first is None:
            return Q(**where_within("first_visit_on", days))
        if days.last is None:
            return Q(**where_within("last_visit_on", days))
        # Said so that one index leads: who came later than it begins, of them who came before it ends.
        overlaps = Q(last_visit_on__gte=days.first, first_visit_on__lte=days.last)
        decided = Q(last_visit_on__lte=days.last) | Q(first_visit_on__gte=days.first)
        return overlaps & (decided | Q(HasOne(Appointment, **_where_visited(days))))

    def describe(self, value: dict[str, Any]) -> str:
        return f"a visit {say(value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        visits = Appointment.objects.filter(patient=patient, **_where_visited(resolve(value, on.date)))
        visit = visits.order_by("-starts_on").first()
        return f"Visit on {day(visit.starts_on)}" if visit else f"No visit {say(value)}"


@register
class FirstVisit(ByDate):
    key = "first_visit"
    label = "First visit"
    column = "first_visit_on"


@register
class NextVisit(ByDate):
    key = "next_visit"
    label = "Next visit"
    form = FutureRange
    initial: ClassVar[dict[str, Any]] = {"range": "next", "most": 7, "unit": "days"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        return next_visit_in(resolve(value, on.date), on)

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        return say_next_visit(patient, on)


def where_within(column: str, days: Range) -> dict[str, Any]:
    """Conditions: the date column lies in the range; someone without a date does not."""
    ends = {f"{column}__gte": days.first, f"{column}__lte": days.last}
    return {end: day for end, day in ends.items() if day is not None} or {f"{column}__isnull": False}


def _where_visited(days: Range) -> dict[str, Any]:
    """Conditions of an appointment that was checked in on a day of the range."""
    return {"status": Appointment.Status.CHECKED_IN} | where_within("starts_on", days)


def next_visit_in(days: Range, on: On) -> Q:
    """The next appointment still ahead lies in the range of local days.

    The rollup answers while it is ahead. Once it has passed (until the next import or the daily sweep) the
    appointments themselves are asked, for those few patients.
    """
    start = on.midnight(days.first) if days.first else None
    end = on.midnight(days.last + dt.timedelta(days=1)) if days.last else None
    if start is None or start <= on.now:
        fresh, sooner, since = Q(next_visit_at__gt=on.now), Q(), {}
    else:
        fresh, sooner = Q(next_visit_at__gte=start), ~Q(booked_ahead(on, starts_at__lt=start))
        since = {"starts_at__gte": start}
    until = {} if end is None else {"starts_at__lt": end}
    stale = Q(next_visit_at__lte=on.now) & Q(booked_ahead(on, **since, **until)) & sooner
    either = fresh | stale
    # What is stale has passed, and only days to come are left: so it holds of both, and an index can begin with it.
    return either if end is None else Q(next_visit_at__lt=end) & either


def nothing_ahead(on: On) -> Q:
    """The opposite of any next visit, said without a NOT around it: it is asked of nearly every patient."""
    return Q(next_visit_at__isnull=True) | Q(next_visit_at__lte=on.now) & ~Q(booked_ahead(on))


def next_visit_at(patient: Patient, on: On) -> dt.datetime | None:
    """UTC moment of the next appointment still ahead, None when there is none."""
    if patient.next_visit_at is None or patient.next_visit_at > on.now:
        return patient.next_visit_at
    booked = Appointment.objects.filter(patient=patient, status=Appointment.Status.SCHEDULED, starts_at__gt=on.now)
    return booked.order_by("starts_at").values_list("starts_at", flat=True).first()


def say_next_visit(patient: Patient, on: On) -> str:
    moment = next_visit_at(patient, on)
    return f"Next visit {day(on.local(moment).date())}" if moment else "No future appointment"


def booked_ahead(on: On, **more: Any) -> HasOne:
    """The patient has an appointment that is still ahead and meets these conditions, too."""
    return HasOne(Appointment, status=Appointment.Status.SCHEDULED, starts_at__gt=on.now, **more)
