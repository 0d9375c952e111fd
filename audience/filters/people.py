"""What the patient is: active or not, age, sex, birthday; who sent them."""

import calendar
import datetime as dt
from typing import Any, ClassVar

from django import forms
from django.db.models import Q

from audience.filters.choices import Rows, listed
from audience.filters.fields import AnyOf, OneOf, ValuesForm, Whole
from audience.filters.registry import Filter, On, register
from audience.models import Patient, ReferralSource

PATIENT = "Patient"


class StatusForm(ValuesForm):
    status = OneOf(label="Status", choices=Patient.Status.choices, error_messages={"required": "choose one."})
    reasons = AnyOf(
        label="Because",
        required=False,
        choices=[(key, word) for key, word in Patient.InactiveReason.choices if key],
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("status") == Patient.Status.ACTIVE:
            cleaned["reasons"] = []
        return cleaned

    def shown(self) -> list[forms.BoundField]:
        return [self["status"], *([self["reasons"]] if self["status"].value() == Patient.Status.INACTIVE else [])]


@register
class Status(Filter):
    """Inactive: discharged, archived, deceased or only inactive, unless reasons are chosen; in drips as in blasts."""

    key = "status"
    label = "Active/Inactive"
    group = PATIENT
    icon = "circle-user"
    form = StatusForm
    initial: ClassVar[dict[str, Any]] = {"status": "active"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        q = Q(status=value["status"])
        return q & Q(inactive_reason__in=value["reasons"]) if value["reasons"] else q

    def describe(self, value: dict[str, Any]) -> str:
        reasons = [Patient.InactiveReason(each).label.lower() for each in value["reasons"]]
        return f"status {value['status']}" + (f" ({' or '.join(reasons)})" if reasons else "")

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        reason = patient.get_inactive_reason_display() if patient.inactive_reason else ""
        return f"{patient.get_status_display()}{f' ({reason.lower()})' if reason else ''}"


class AgeForm(ValuesForm):
    min = Whole(0, 130, required=False, label="From age")
    max = Whole(0, 130, required=False, label="To age")
    joints: ClassVar[dict[str, str]] = {"min": "from", "max": "to"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        youngest, oldest = cleaned["min"], cleaned["max"]
        if youngest is None and oldest is None:
            raise forms.ValidationError("Say from or to which age.")
        if youngest is not None and oldest is not None and youngest > oldest:
            raise forms.ValidationError(f"Age {youngest} to {oldest} is nobody: exchange them.")
        return cleaned


@register
class Age(Filter):
    key = "age"
    label = "Age"
    group = PATIENT
    icon = "cake"
    form = AgeForm
    initial: ClassVar[dict[str, Any]] = {"min": 18}

    def q(self, value: dict[str, Any], on: On) -> Q:
        q = Q()
        if value["min"] is not None:
            q &= Q(birth_date__lte=last_birth_date(on.date, value["min"]))
        if value["max"] is not None:
            q &= Q(birth_date__gt=last_birth_date(on.date, value["max"] + 1))
        return q

    def describe(self, value: dict[str, Any]) -> str:
        if value["max"] is None:
            return f"age {value['min']} or older"
        if value["min"] is None:
            return f"age {value['max']} or younger"
        return f"age {value['min']}" + (f" to {value['max']}" if value["max"] != value["min"] else "")

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        return "Birth date unknown" if patient.birth_date is None else f"Age {age_on(patient.birth_date, on.date)}"


def age_on(birth_date: dt.date, on: dt.date) -> int:
    """Full years. Born on 29 February, one is a year older on the 28th of common years, when the birthday text goes."""
    birthday = (birth_date.month, birth_date.day)
    if birthday == (2, 29) and not calendar.isleap(on.year):
        birthday = (2, 28)
    return on.year - birth_date.year - ((on.month, on.day) < birthday)


def last_birth_date(on: dt.date, age: int) -> dt.date:
    """The latest birth date of those who are at least `age` on the day."""
    year = on.year - age
    if (on.month, on.day) == (2, 28) and not calendar.isleap(on.year) and calendar.isleap(year):
        return dt.date(year, 2, 29)
    if (on.month, on.day) == (2, 29) and not calendar.isleap(year):
        return dt.date(year, 2, 28)
    return on.replace(year=year)


class SexForm(ValuesForm):
    sex = AnyOf(label="Sex", choices=Patient.Sex.choices, error_messages={"required": "choose at least one."})


@register
class Sex(Filter):
    key = "sex"
    label = "Sex"
    group = PATIENT
    icon = "users"
    form = SexForm
    initial: ClassVar[dict[str, Any]] = {"sex": ["female"]}

    def q(self, value: dict[str, Any], on: On) -> Q:
        return Q(sex__in=value["sex"])

    def describe(self, value: dict[str, Any]) -> str:
        return f"sex {' or '.join(Patient.Sex(each).label.lower() for each in value['sex'])}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        return f"Sex {patient.get_sex_display().lower()}"


_MONTHS = {str(n): calendar.month_name[n] for n in range(1, 13)}


class BirthdayForm(ValuesForm):
    months = AnyOf(
        label="Months",
        choices=[("this", "This month"), ("next", "Next month"), *_MONTHS.items()],
        error_messages={"required": "choose at least one month."},
    )


@register
class BirthdayMonth(Filter):
    key = "birthday_month"
    label = "Birthday month"
    group = PATIENT
    icon = "gift"
    form = BirthdayForm
    initial: ClassVar[dict[str, Any]] = {"months": ["this"]}

    def q(self, value: dict[str, Any], on: On) -> Q:
        q = Q()
        for month in _months(value, on):
            q |= Q(birth_md__gt=month * 100, birth_md__lt=(month + 1) * 100)
        # Said aloud: a generated column's own null is not looked at when Django negates.
        return Q(birth_md__isnull=False) & q

    def describe(self, value: dict[str, Any]) -> str:
        chosen = [f"{each} month" for each in ("this", "next") if each in value["months"]]
        return f"birthday in {listed([*chosen, *(word for n, word in _MONTHS.items() if n in value['months'])])}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        born = patient.birth_date
        return f"Birthday {born.day} {calendar.month_name[born.month]}" if born else "Birth date unknown"

    def note(self, value: dict[str, Any], on: On) -> str:
        if {"this", "next"} & set(value["months"]):
            return ", ".join(calendar.month_name[month] for month in _months(value, on))
        return ""


def _months(value: dict[str, Any], on: On) -> list[int]:
    of = {"this": on.date.month, "next": on.date.month % 12 + 1}
    return sorted({of[each] if each in of else int(each) for each in value["months"]})


class ReferralForm(ValuesForm):
    sources = Rows(ReferralSource, "referral source", label="Referral sources")


@register
class Referral(Filter):
    key = "referral_source"
    label = "Referral source"
    group = PATIENT
    icon = "signpost"
    form = ReferralForm

    def q(self, value: dict[str, Any], on: On) -> Q:
        return Q(referral_source__in=value["sources"])

    def describe(self, value: dict[str, Any]) -> str:
        return f"referral source {self.names('sources', value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        return f"Referral source {patient.referral_source}" if patient.referral_source else "Referral source unknown"
