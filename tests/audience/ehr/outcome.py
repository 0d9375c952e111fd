"""What an import left behind, to compare."""

from audience.models import Appointment, AppointmentPurpose, ContactPoint, ImportRun, Location, Patient, Provider
from trackstat.tenancy.scope import practice_scope

ROLLUPS = ("first_visit_on", "last_visit_on", "next_visit_at", "visit_count", "can_text", "can_email")


def state(practice) -> dict[str, list]:
    """Everything an import writes, by the EHR's ids and without the database's own."""
    with practice_scope(practice):
        return {
            "patients": list(
                Patient.objects.order_by("external_id").values_list(
                    "external_id", "first_name", "preferred_name", "last_name", "birth_date", "sex", "status",
                    "inactive_reason", "cell", "home_phone", "work_phone", "email", "address_line", "city", "state",
                    "postal_code", "time_zone", "primary_provider__name", *ROLLUPS,
                )
            ),
            "appointments": list(
                Appointment.objects.order_by("external_id").values_list(
                    "external_id", "patient__external_id", "status", "starts_at", "ends_at", "starts_on",
                    "checked_in_at", "purpose__name", "provider__name", "location__name",
                )
            ),
            "choices": [
                list(model.objects.order_by("name").values_list("name", flat=True))
                for model in (Provider, Location, AppointmentPurpose)
            ],
            "contact points": sorted(ContactPoint.objects.values_list("channel", "address")),
        }  # fmt: skip


def written(run: ImportRun) -> int:
    return sum(counts.get("new", 0) + counts.get("changed", 0) for counts in run.counts.values())
