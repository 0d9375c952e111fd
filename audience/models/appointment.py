from django.db import models

from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


class Choice(PracticeModel):
    """Something the EHR has used at least once: choice lists contain nothing else."""

    name = models.CharField(max_length=200)

    class Meta:
        abstract = True
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Provider(Choice):
    external_id = models.CharField(max_length=200)

    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "external_id"], name="provider_once")]


class Location(Choice):
    external_id = models.CharField(max_length=200)

    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "external_id"], name="location_once")]


class AppointmentPurpose(Choice):
    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="purpose_once")]


class Case(PracticeModel):
    """One course of care of a patient."""

    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="cases")
    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=200)
    case_type = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["practice", "source", "external_id"], name="case_external_once")]
        indexes = [models.Index(fields=["practice", "patient"], name="case_patient")]

    def __str__(self) -> str:
        return self.case_type or "Case"


class Appointment(PracticeModel):
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
            models.Index(fields=["practice", "patient", "starts_at"], include=["status"], name="appointment_patient"),
            models.Index(
                fields=["practice", "starts_on"],
                include=["patient"],
                condition=models.Q(status="checked_in"),
                name="appointment_visit",
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
