"""What patients are treated for: services, diagnoses, cases, packages, and where they stand in their care."""

from typing import Any, ClassVar

from django import forms
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Replace

from audience.filters.appointments import CARE
from audience.filters.choices import Codes, Rows
from audience.filters.dates import EverPast, Range, during, resolve
from audience.filters.fields import AnyOf, Beginnings, OneOf, ValuesForm
from audience.filters.registry import Filter, On, register
from audience.filters.there import HasOne
from audience.filters.visits import next_visit_at, next_visit_in, nothing_ahead, say_next_visit, where_within
from audience.models import (
    Attorney,
    CarePackage,
    Case,
    CaseType,
    Diagnosis,
    DiagnosisCode,
    FeeSchedule,
    Patient,
    Service,
    ServiceCode,
)
from trackstat.formats import day

MONEY = "Insurance and money"


class ServiceForm(EverPast):
    codes = Codes(ServiceCode, "code", label="Codes")

    def shown(self) -> list[forms.BoundField]:
        return [self["codes"], *super().shown()]


@register
class ServiceDone(Filter):
    """A code of any system the EHR uses (CPT, HCPCS …) that was done."""

    key = "service"
    label = "Service (CPT code)"
    group = CARE
    icon = "activity"
    form = ServiceForm
    initial: ClassVar[dict[str, Any]] = {"range": "ever"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        return Q(HasOne(Service, **self._where_done(value, on)))

    def describe(self, value: dict[str, Any]) -> str:
        return f"service {self.names('codes', value)}{during(value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        theirs = Service.objects.filter(**self._where_done(value, on), patient=patient).select_related("code")
        done = theirs.order_by("-visit_on").first()
        return f"{done.code} on {day(done.visit_on)}" if done else f"None of these{during(value)}"

    def _where_done(self, value: dict[str, Any], on: On) -> dict[str, Any]:
        """Conditions of a service."""
        return where_within("visit_on", resolve(value, on.date)) | {"code__in": value["codes"]}


class DiagnosisForm(ValuesForm):
    which = OneOf(
        label="When",
        choices=[("ever", "ever"), ("current", "current")],
        error_messages={"required": "choose ever or current."},
    )
    codes = Codes(DiagnosisCode, "code", label="Codes", required=False, whats="codes")
    beginnings = Beginnings("code", 1, label="Codes that begin with", required=False)
    joints: ClassVar[dict[str, str]] = {"beginnings": "or beginning with"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and not cleaned["codes"] and not cleaned["beginnings"]:
            raise forms.ValidationError("Choose a code, or give how it begins, such as M54.")
        return cleaned


@register
class Diagnosed(Filter):
    """Codes, or how they begin, with or without the point: M545 is M54.5. Current: the EHR says it still holds."""

    key = "diagnosis"
    label = "Diagnosis"
    group = CARE
    icon = "bone"
    form = DiagnosisForm
    initial: ClassVar[dict[str, Any]] = {"which": "ever"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        return Q(HasOne(self._given(value)))

    def describe(self, value: dict[str, Any]) -> str:
        codes = [self.names("codes", value)] if value["codes"] else []
        codes += [f"{beginning}…" for beginning in value["beginnings"]]
        return f"{'current ' if value['which'] == 'current' else ''}diagnosis {' or '.join(codes)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        given = self._given(value).filter(patient=patient).select_related("code").order_by("-is_active", "code").first()
        if given is None:
            return "None of these"
        since = f" since {day(given.since)}" if given.since else ""
        return f"{given.code}{since}{'' if given.is_active else ' (not current)'}"

    def _given(self, value: dict[str, Any]) -> QuerySet[Diagnosis]:
        """By the list of codes where beginnings are asked for: it is short, and one look into it serves them all."""
        given = Diagnosis.objects.filter(is_active=True) if value["which"] == "current" else Diagnosis.objects.all()
        if not value["beginnings"]:
            return given.filter(code__in=value["codes"])
        wanted = Q(pk__in=value["codes"])
        for beginning in value["beginnings"]:
            wanted |= Q(plain__istartswith=beginning.replace(".", ""))
        plain = Replace("code", Value("."), Value(""))
        return given.filter(code__in=DiagnosisCode.objects.alias(plain=plain).filter(wanted).values("pk").order_by())


class CaseForm(ValuesForm):
    which = OneOf(
        label="Cases",
        choices=[("open", "open case"), ("any", "any case")],
        error_messages={"required": "choose open or any."},
    )


def where_open(on: On) -> dict[str, Any]:
    """Conditions of a case that is under way on the day: the EHR calls it active, and it has not ended."""
    return {"is_active": True, "ends_on__none_or_gte": on.date}


def _where_meant(value: dict[str, Any], on: On) -> dict[str, Any]:
    return where_open(on) if value["which"] == "open" else {}


def _said_case(case: Case, on: On) -> str:
    return "open case" if case.is_active and (case.ends_on is None or case.ends_on >= on.date) else "closed case"


class CaseTypeForm(CaseForm):
    types = Rows(CaseType, "case type", label="Case types")


@register
class ByCaseType(Filter):
    key = "case_type"
    label = "Case type"
    group = CARE
    icon = "folder-open"
    form = CaseTypeForm
    initial: ClassVar[dict[str, Any]] = {"which": "open"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        return Q(HasOne(Case, **_where_meant(value, on), case_type__in=value["types"]))

    def describe(self, value: dict[str, Any]) -> str:
        return f"an{' open' if value['which'] == 'open' else 'y'} case of type {self.names('types', value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        theirs = Case.objects.filter(patient=patient, case_type__in=value["types"]).select_related("case_type")
        found = sorted(theirs, key=lambda case: _said_case(case, on) != "open case")
        return f"{found[0]} ({_said_case(found[0], on)})" if found else "No case of these types"


class OnPatientOrCase(Filter):
    """What some EHRs keep by patient and others by case: the patient's own counts, and that of a case."""

    column = ""
    picks = ""

    def q(self, value: dict[str, Any], on: On) -> Q:
        """One list of patients, so that neither place has to be asked of each patient."""
        picked = {f"{self.column}__in": value[self.picks]}
        own = Patient.everyone.filter(**picked).values("pk")
        return Q(pk__in=own.union(Case.objects.filter(**_where_meant(value, on), **picked).values("patient")))

    def describe(self, value: dict[str, Any]) -> str:
        return f"{self.label.lower()} {self.names(self.picks, value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        own = getattr(patient, self.column)
        if own and own.pk in value[self.picks]:
            return f"{self.label} {own}"
        has = {"patient": patient, f"{self.column}__isnull": False}
        of_cases = Case.objects.filter(**_where_meant(value, on), **has)
        for case in of_cases.select_related(self.column):
            if getattr(case, f"{self.column}_id") in value[self.picks]:
                return f"{self.label} {getattr(case, self.column)} ({_said_case(case, on)})"
        return f"{self.label} {own}" if own else f"None of these {self.label.lower()}s"


class AttorneyForm(CaseForm):
    attorneys = Rows(Attorney, "attorney", label="Attorneys")


@register
class ByAttorney(OnPatientOrCase):
    key = "attorney"
    label = "Attorney"
    group = MONEY
    icon = "scale"
    column = "attorney"
    picks = "attorneys"
    form = AttorneyForm
    initial: ClassVar[dict[str, Any]] = {"which": "any"}


class CarePackageForm(CaseForm):
    packages = Rows(CarePackage, "care package", label="Care packages")


@register
class ByCarePackage(OnPatientOrCase):
    key = "care_package"
    label = "Care package"
    group = CARE
    icon = "package"
    column = "care_package"
    picks = "packages"
    form = CarePackageForm
    initial: ClassVar[dict[str, Any]] = {"which": "open"}


class FeeScheduleForm(CaseForm):
    schedules = Rows(FeeSchedule, "fee schedule", label="Fee schedules")


@register
class ByFeeSchedule(OnPatientOrCase):
    key = "fee_schedule"
    label = "Fee schedule"
    group = MONEY
    icon = "receipt-text"
    column = "fee_schedule"
    picks = "schedules"
    form = FeeScheduleForm
    initial: ClassVar[dict[str, Any]] = {"which": "open"}


PHASES = {"in_care": "in care", "pending": "pending", "none": "no phase"}


class PhaseForm(ValuesForm):
    phases = AnyOf(
        label="Phases",
        choices=[(key, words.capitalize()) for key, words in PHASES.items()],
        error_messages={"required": "choose at least one."},
    )


@register
class CarePhase(Filter):
    """Each patient is in one. Pending: the first appointment is still ahead. In care: a future appointment, an open
    case or a care package. No phase: none of these."""

    key = "care_phase"
    label = "Care phase"
    group = CARE
    icon = "milestone"
    form = PhaseForm
    initial: ClassVar[dict[str, Any]] = {"phases": ["none"]}

    def q(self, value: dict[str, Any], on: On) -> Q:
        has_case = Q(HasOne(Case, **where_open(on)))
        # Said as a chain of conditions, which the planner can ask in any order and one patient at a time.
        no_phase = nothing_ahead(on) & Q(care_package__isnull=True) & ~has_case
        if value["phases"] == ["none"]:
            return no_phase
        ahead = next_visit_in(Range(None, None), on)
        never_here = Q(last_visit_on__isnull=True)
        kept = Q(care_package__isnull=False) | has_case
        q = Q()
        if "pending" in value["phases"]:
            q |= never_here & ahead
        if "in_care" in value["phases"]:
            q |= (~never_here & ahead) | (kept & ~(never_here & ahead))
        if "none" in value["phases"]:
            q |= no_phase
        return q

    def describe(self, value: dict[str, Any]) -> str:
        return f"care phase {' or '.join(PHASES[each] for each in PHASES if each in value['phases'])}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        ahead = next_visit_at(patient, on)
        if ahead and patient.last_visit_on is None:
            return f"Pending: first appointment {day(on.local(ahead).date())}"
        case = Case.objects.filter(**where_open(on), patient=patient).select_related("case_type").first()
        reasons = [say_next_visit(patient, on)] if ahead else []
        reasons += [f"open case ({case})" if case.case_type else "open case"] if case else []
        reasons += [f"care package {patient.care_package}"] if patient.care_package else []
        if reasons:
            return f"In care: {', '.join(reasons)[0].lower()}{', '.join(reasons)[1:]}"
        return "No phase: no future appointment, open case or care package"
