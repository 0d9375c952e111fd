from django.db import models

from audience.models.case import Case
from audience.models.choices import AppointmentPurpose, Location, Provider
from audience.models.of_patient import OfPatient
from trackstat.tenancy.fields import PracticeForeignKey


class Appointment(OfPatient):
    """A booking; a visit is one with status checked_in."""

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", "Scheduled"
        CHECKED_IN = "checked_in", "Checked in"
        MISSED = "missed", "Missed"
        CANCELLED = "cancelled", "Cancelled"

    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="appointments")
    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=200, help_text="Type and id in the EHR, e.g. Appointment/123.")
    provider = PracticeForeignKey(Provider, models.SET_NULL, null=True, related_name="appointments")
    location = PracticeForeignKey(Location, models.SET_NULL, null=True, related_name="appointments")
    purpose = PracticeForeignKey(AppointmentPurpose, models.SET_NULL, null=True, related_name="appointments")
    case = PracticeForeignKey(Case, models.SET_NULL, null=True, related_name="appointments")
    status = models.CharField(max_length=10, choices=Status)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    # The practice's local date of starts_at.
    starts_on = models.DateField()
    checked_in_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "source", "external_id"], name="appointment_external_once"),
        ]
        indexes = [
            models.Index(
                fields=["practice", "patient", "starts_at"], include=["status", "starts_on"], name="appointment_patient"
            ),
            models.Index(
                fields=["practice", "starts_on"],
                include=["patient"],
                condition=models.Q(status="checked_in"),
                name="appointment_visit",
            ),
            # Which patients come for something, or to somebody: missed and cancelled appointments do not say it.
            models.Index(
                fields=["practice", "purpose", "starts_on"],
                include=["patient", "status"],
                condition=models.Q(status__in=["checked_in", "scheduled"]),
                name="appointment_purpose",
            ),
            models.Index(
                fields=["practice", "provider", "starts_on"],
                include=["patient", "status"],
                condition=models.Q(status__in=["checked_in", "scheduled"]),
                name="appointment_provider",
            ),
            models.Index(
                fields=["practice", "starts_at"],
                include=["patient"],
                condition=models.Q(status="scheduled"),
                name="appointment_scheduled",
            ),
            models.Index(
                fields=["practice", "starts_at"],
                include=["patient"],
                condition=models.Q(status="missed"),
                name="appointment_missed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_status_display()} {self.starts_at:%Y-%m-%d %H:%M}"
