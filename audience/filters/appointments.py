"""What patients come for, with whom, and how often."""

from typing import Any, ClassVar

from django import forms
from django.db.models import Exists, OuterRef, Q

from audience.filters.choices import Rows
from audience.filters.dates import EverRange, Range, during, resolve
from audience.filters.fields import OneOf, ValuesForm, Whole
from audience.filters.registry import Filter, On, register
from audience.filters.there import HasOne
from audience.filters.visits import VISITS, booked_ahead, next_visit_in, nothing_ahead, say_next_visit, where_within
from audience.models import Appointment, AppointmentPurpose, Patient, Provider
from trackstat.formats import day

CARE = "Care"
# An appointment that somebody missed or cancelled says neither what they come for nor whom they see.
KEPT_OR_BOOKED = [Appointment.Status.CHECKED_IN, Appointment.Status.SCHEDULED]


class FutureForm(ValuesForm):
    has = OneOf(
        label="Has one", choices=[("yes", "Yes"), ("no", "No")], error_messages={"required": "choose yes or no."}
    )
    purposes = Rows(AppointmentPurpose, "purpose", label="For", required=False)
    providers = Rows(Provider, "provider", label="With", required=False)
    joints: ClassVar[dict[str, str]] = {"purposes": "for", "providers": "with"}

    def shown(self) -> list[forms.BoundField]:
        return [self["has"], *self.offering("purposes", "providers")]


@register
class HasFutureAppointment(Filter):
    """Any appointment ahead, or one for some purposes and with some providers: both hold of the same appointment."""

    key = "has_future_appointment"
    label = "Has future appointment"
    group = VISITS
    icon = "calendar-check"
    form = FutureForm
    initial: ClassVar[dict[str, Any]] = {"has": "no"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        narrowed = _narrowed(value)
        if value["has"] == "no":
            return ~Q(booked_ahead(on, **narrowed)) if narrowed else nothing_ahead(on)
        return Q(booked_ahead(on, **narrowed)) if narrowed else next_visit_in(Range(None, None), on)

    def describe(self, value: dict[str, Any]) -> str:
        return f"{'a' if value['has'] == 'yes' else 'no'} future appointment{self._narrower(value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        if not (narrowed := _narrowed(value)):
            return say_next_visit(patient, on)
        ahead = Appointment.objects.filter(
            patient=patient, status=Appointment.Status.SCHEDULED, starts_at__gt=on.now, **narrowed
        ).select_related("purpose", "provider")
        found = ahead.order_by("starts_at").first()
        return _said(found) if found else f"No future appointment{self._narrower(value)}"

    def _narrower(self, value: dict[str, Any]) -> str:
        words = f" for {self.names('purposes', value)}" if value["purposes"] else ""
        return words + (f" with {self.names('providers', value)}" if value["providers"] else "")


def _narrowed(value: dict[str, Any]) -> dict[str, Any]:
    columns = {"purpose__in": value["purposes"], "provider__in": value["providers"]}
    return {column: ids for column, ids in columns.items() if ids}


class OfAppointment(EverRange):
    """`which` appointment is asked about, and for any of them when it was."""

    which = OneOf(label="Which", choices=[], error_messages={"required": "choose which appointment."})
    picks: ClassVar[str] = ""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("which") != "appointment":
            cleaned |= {"range": "", "least": None, "most": None, "unit": "", "start": None, "end": None}
        return cleaned

    def shown(self) -> list[forms.BoundField]:
        of_any = self["which"].value() == "appointment"
        return [self["which"], self[self.picks], *(super().shown() if of_any else [])]


class ByAppointment(Filter):
    """Someone's appointments (kept or booked), last visit or next appointment, by something that stands on them.

    Of several visits on the last day, each counts as the last one.
    """

    group = CARE
    column = ""
    # Which → "a visit", "the last visit" …, with the joint before the names.
    said: ClassVar[dict[str, str]] = {}

    @property
    def picks(self) -> str:
        return self.form.picks  # type: ignore[attr-defined]

    def q(self, value: dict[str, Any], on: On) -> Q:
        picked = {f"{self.column}__in": value[self.picks]}
        if value["which"] == "next_visit":
            ahead = Appointment.objects.filter(status=Appointment.Status.SCHEDULED, starts_at__gt=on.now)
            sooner = ahead.filter(patient=OuterRef("patient"), starts_at__lt=OuterRef("starts_at"))
            return Q(HasOne(ahead.filter(~Exists(sooner), **picked)))
        if value["which"] == "last_visit":
            kept = Appointment.objects.filter(patient=OuterRef("pk"), status=Appointment.Status.CHECKED_IN, **picked)
            return Q(Exists(kept.filter(starts_on=OuterRef("last_visit_on"))))
        return Q(HasOne(Appointment, **_where_kept_or_booked(value, on), **picked))

    def describe(self, value: dict[str, Any]) -> str:
        when = during(value) if value["which"] == "appointment" else ""
        return f"{self.said[value['which']]} {self.names(self.picks, value)}{when}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        theirs = Appointment.objects.filter(patient=patient).select_related("purpose", "provider")
        picked = theirs.filter(**{f"{self.column}__in": value[self.picks]})
        if value["which"] == "appointment":
            found = picked.filter(**_where_kept_or_booked(value, on)).order_by("-starts_at").first()
            return _said(found) if found else f"No appointment {self._joint} {self.names(self.picks, value)}"
        if value["which"] == "last_visit":
            last = {"status": Appointment.Status.CHECKED_IN, "starts_on": patient.last_visit_on}
            found = picked.filter(**last).first() or theirs.filter(**last).order_by("-starts_at").first()
            return _said(found) if found else "No visit yet"
        ahead = theirs.filter(status=Appointment.Status.SCHEDULED, starts_at__gt=on.now).order_by("starts_at")
        if (first := ahead.first()) is None:
            return "No future appointment"
        return _said(picked.filter(status=Appointment.Status.SCHEDULED, starts_at=first.starts_at).first() or first)

    @property
    def _joint(self) -> str:
        return "for" if self.column == "purpose" else "with"


def _where_kept_or_booked(value: dict[str, Any], on: On) -> dict[str, Any]:
    """Conditions of an appointment."""
    return {"status__in": KEPT_OR_BOOKED} | where_within("starts_on", resolve(value, on.date))


def _said(appointment: Appointment) -> str:
    word = "Visit" if appointment.status == Appointment.Status.CHECKED_IN else "Appointment"
    purpose = f" for {appointment.purpose}" if appointment.purpose else " without a purpose"
    provider = f" with {appointment.provider}" if appointment.provider else ""
    return f"{word} on {day(appointment.starts_on)}{purpose}{provider}"


class PurposeForm(OfAppointment):
    which = OneOf(
        label="Which",
        choices=[
            ("appointment", "appointment for"),
            ("last_visit", "last visit for"),
            ("next_visit", "next appointment for"),
        ],
        error_messages={"required": "choose which appointment."},
    )
    purposes = Rows(AppointmentPurpose, "purpose", label="Purposes")
    picks = "purposes"


@register
class Purpose(ByAppointment):
    key = "purpose"
    label = "Appointment purpose"
    icon = "clipboard-list"
    column = "purpose"
    form = PurposeForm
    initial: ClassVar[dict[str, Any]] = {"which": "appointment", "range": "ever"}
    said: ClassVar[dict[str, str]] = {
        "appointment": "an appointment for",
        "last_visit": "the last visit for",
        "next_visit": "the next appointment for",
    }


class ProviderForm(OfAppointment):
    which = OneOf(
        label="Which",
        choices=[
            ("appointment", "appointment with"),
            ("primary", "primary provider"),
            ("last_visit", "last visit with"),
            ("next_visit", "next appointment with"),
        ],
        error_messages={"required": "choose which provider."},
    )
    providers = Rows(Provider, "provider", label="Providers")
    picks = "providers"


@register
class ByProvider(ByAppointment):
    key = "provider"
    label = "Provider"
    icon = "stethoscope"
    column = "provider"
    form = ProviderForm
    initial: ClassVar[dict[str, Any]] = {"which": "primary"}
    said: ClassVar[dict[str, str]] = {
        "appointment": "an appointment with",
        "primary": "primary provider",
        "last_visit": "the last visit with",
        "next_visit": "the next appointment with",
    }

    def q(self, value: dict[str, Any], on: On) -> Q:
        if value["which"] == "primary":
            return Q(primary_provider__in=value["providers"])
        return super().q(value, on)

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        if value["which"] == "primary":
            return f"Primary provider {patient.primary_provider or 'not named'}"
        return super().why(value, patient, on)


class VisitCountForm(ValuesForm):
    compare = OneOf(
        label="How many",
        choices=[("exactly", "exactly"), ("at_least", "at least"), ("at_most", "at most")],
        error_messages={"required": "choose exactly, at least or at most."},
    )
    visits = Whole(0, 9999, label="Visits", error_messages={"required": "say how many."})


@register
class VisitCount(Filter):
    key = "visit_count"
    label = "Visit count"
    group = VISITS
    icon = "tally-5"
    form = VisitCountForm
    initial: ClassVar[dict[str, Any]] = {"compare": "at_least", "visits": 3}

    def q(self, value: dict[str, Any], on: On) -> Q:
        lookup = {"exactly": "exact", "at_least": "gte", "at_most": "lte"}[value["compare"]]
        return Q(**{f"visit_count__{lookup}": value["visits"]})

    def describe(self, value: dict[str, Any]) -> str:
        return f"{value['compare'].replace('_', ' ')} {_visits(value['visits'])}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        return _visits(patient.visit_count) if patient.visit_count else "No visit yet"


def _visits(n: int) -> str:
    return f"{n:,} visit{'' if n == 1 else 's'}"
