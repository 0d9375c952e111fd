"""What the EHR knows of a patient beyond name and phone: cases, diagnoses, insurance, services, payments, merges."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q, Sum

from audience.models import Case, Coverage, Diagnosis, Patient, Payment, Service
from trackstat.tenancy.models import Membership

SERVICES_SHOWN = 30
MONEY = "reports.view_money"


@dataclass
class CaseCard:
    """A course of care with what belongs to it. `case.visits`: appointments that were checked in."""

    case: Case
    diagnoses: list[Diagnosis] = field(default_factory=list)


def chart(patient: Patient, membership: Membership, on: dt.date) -> dict[str, Any]:
    """In the practice's scope; a fixed number of statements. Money only for those who may see it."""
    cases = _cases(patient)
    diagnoses = list(Diagnosis.objects.filter(patient=patient).select_related("code").order_by("-is_active", "-since"))
    services = Service.objects.filter(patient=patient)
    return {
        "cases": cases,
        "other_diagnoses": _without_case(cases, diagnoses),
        "coverages": _coverages(patient, on),
        "services": list(services.select_related("code").order_by("-visit_on", "code__code", "pk")[:SERVICES_SHOWN]),
        "services_in_all": services.count(),
        "paid": _paid(patient) if membership.can(MONEY) else None,
        "merged_from": list(
            Patient.everyone.filter(merged_into=patient).order_by("external_id").values_list("external_id", flat=True)
        ),
    }


def _cases(patient: Patient) -> list[CaseCard]:
    found = Case.objects.filter(patient=patient).select_related("case_type", "attorney", "care_package", "fee_schedule")
    found = found.annotate(visits=Count("appointments", Q(appointments__status="checked_in")))
    return [CaseCard(case) for case in found.order_by("-is_active", "-starts_on", "pk")]


def _without_case(cases: list[CaseCard], diagnoses: list[Diagnosis]) -> list[Diagnosis]:
    """Hands each case its diagnoses, a code once; what is left belongs to none of them."""
    by_case = {card.case.pk: card.diagnoses for card in cases}
    left: list[Diagnosis] = []
    for diagnosis in diagnoses:
        told = by_case.get(diagnosis.case_id or 0, left)
        if all(other.code_id != diagnosis.code_id for other in told):
            told.append(diagnosis)
    return left


def _coverages(patient: Patient, on: dt.date) -> list[Coverage]:
    """Each company and plan once, the ones that hold first; `holds` says so of each."""
    found: dict[tuple[int, str], Coverage] = {}
    for coverage in Coverage.objects.filter(patient=patient).select_related("insurer").order_by("-is_active", "-pk"):
        coverage.holds = coverage.is_active and (coverage.ends_on is None or coverage.ends_on >= on)  # type: ignore[attr-defined]
        found.setdefault((coverage.insurer_id, coverage.plan), coverage)
    return sorted(found.values(), key=lambda each: not each.holds)  # type: ignore[attr-defined]


def _paid(patient: Patient) -> dict[str, int]:
    """US cents by payer; the sum of both is Patient.total_paid_cents."""
    sums = Payment.objects.filter(patient=patient).order_by("payer").values_list("payer").annotate(Sum("amount_cents"))
    return dict.fromkeys(Payment.Payer.values, 0) | dict(sums)
