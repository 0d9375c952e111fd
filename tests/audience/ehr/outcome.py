"""What an import left behind, to compare."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from audience.models import (
    Appointment,
    AppointmentPurpose,
    Attorney,
    CarePackage,
    Case,
    CaseType,
    ConsentEvent,
    ContactPoint,
    Coverage,
    Diagnosis,
    FeeSchedule,
    ImportRun,
    Insurer,
    Location,
    Patient,
    Payment,
    Provider,
    ReferralSource,
    Service,
)
from trackstat.tenancy.scope import practice_scope

ROLLUPS = (
    "first_visit_on",
    "last_visit_on",
    "next_visit_at",
    "visit_count",
    "can_text",
    "can_email",
    "total_paid_cents",
)
CHOICES = (
    Provider,
    Location,
    Insurer,
    AppointmentPurpose,
    CaseType,
    Attorney,
    CarePackage,
    FeeSchedule,
    ReferralSource,
)


def state(practice) -> dict[str, list]:
    """Everything an import writes, by the EHR's ids and without the database's own."""
    with practice_scope(practice):
        return {
            "patients": list(
                Patient.everyone.order_by("external_id").values_list(
                    "external_id", "first_name", "preferred_name", "last_name", "birth_date", "sex", "status",
                    "inactive_reason", "cell", "home_phone", "work_phone", "email", "address_line", "city", "state",
                    "postal_code", "time_zone", "primary_provider__name", "attorney__name",
                    "care_package__name", "fee_schedule__name", "referral_source__name", "marketing_ok",
                    "merged_into__external_id", *ROLLUPS,
                )
            ),
            "appointments": list(
                Appointment.objects.order_by("external_id").values_list(
                    "external_id", "patient__external_id", "status", "starts_at", "ends_at", "starts_on",
                    "checked_in_at", "purpose__name", "provider__name", "location__name", "case__external_id",
                )
            ),
            "cases": list(
                Case.objects.order_by("external_id").values_list(
                    "external_id", "patient__external_id", "case_type__name", "attorney__name", "care_package__name",
                    "fee_schedule__name", "is_active", "starts_on", "ends_on",
                )
            ),
            "diagnoses": list(
                Diagnosis.objects.order_by("external_id", "code__code", "code__system").values_list(
                    "external_id", "patient__external_id", "code__system", "code__code", "code__name", "is_active",
                    "since", "case__external_id",
                )
            ),
            "services": list(
                Service.objects.order_by("external_id", "code__code", "visit_on", "code__system").values_list(
                    "external_id", "patient__external_id", "code__system", "code__code", "code__name", "visit_on",
                )
            ),
            "payments": list(
                Payment.objects.order_by("external_id", "payer").values_list(
                    "external_id", "patient__external_id", "payer", "amount_cents", "paid_on",
                )
            ),
            "coverages": list(
                Coverage.objects.order_by("external_id", "insurer__external_id").values_list(
                    "external_id", "patient__external_id", "insurer__name", "plan", "is_active", "starts_on",
                    "ends_on", "billed_on",
                )
            ),
            "ledger": sorted(
                ConsentEvent.objects.values_list("contact_point__address", "purpose", "given", "source", "wording")
            ),
            "choices": [
                list(model.objects.order_by("name").values_list("name", flat=True))
                for model in CHOICES
            ],
            "contact points": sorted(
                (channel, address, opted_out is not None)
                for channel, address, opted_out in ContactPoint.objects.values_list(
                    "channel", "address", "announcement_opted_out_at"
                )
            ),
        }  # fmt: skip


def written(run: ImportRun) -> int:
    return sum(counts.get("new", 0) + counts.get("changed", 0) for counts in run.counts.values())


@contextmanager
def undone() -> Iterator[None]:
    """
    Nothing of this stays, for the examples of a property test: each begins with an empty practice, and gives back
    the locks on its imports' temporary tables. PostgreSQL has room for a few thousand.
    """
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
