from django.db import models

from audience.models.choices import Insurer, ServiceCode
from audience.models.of_patient import OfPatient
from trackstat.tenancy.fields import PracticeForeignKey


class Service(OfPatient):
    """A code that one of the EHR's records says was done on a day; several records may say the same."""

    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="services")
    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=200, help_text="Type and id in the EHR, e.g. Claim/7.")
    code = PracticeForeignKey(ServiceCode, models.PROTECT, related_name="services")
    visit_on = models.DateField(help_text="The practice's local date.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["practice", "source", "external_id", "code", "visit_on"], name="service_once"
            )
        ]
        indexes = [
            models.Index(fields=["practice", "code", "visit_on"], include=["patient"], name="service_by_code"),
            models.Index(fields=["practice", "patient", "visit_on"], name="service_patient"),
        ]

    def __str__(self) -> str:
        return f"Service {self.pk} on {self.visit_on}"


class Payment(OfPatient):
    """Money received for a patient, as one of the EHR's records says. Patient.total_paid_cents is their sum."""

    class Payer(models.TextChoices):
        INSURER = "insurer", "Insurance"
        PATIENT = "patient", "Patient"

    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="payments")
    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=200, help_text="Type and id in the EHR, e.g. ExplanationOfBenefit/7.")
    about = models.CharField(
        max_length=200, blank=True, db_default="", help_text="Type and id of the bill that it pays."
    )
    payer = models.CharField(max_length=7, choices=Payer)
    amount_cents = models.BigIntegerField(help_text="US cents; less than 0 where it was paid back.")
    paid_on = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "source", "external_id", "payer"], name="payment_once")
        ]
        indexes = [models.Index(fields=["practice", "patient"], include=["amount_cents"], name="payment_patient")]

    def __str__(self) -> str:
        return f"Payment {self.pk}"


class Coverage(OfPatient):
    """That an insurance company covers a patient, or was billed for them.

    `is_active`: the EHR says so; with `billed_on`, only bills name the company, and it is true of the newest bill's
    while no record of a coverage says otherwise (kept by `audience.rollups`). Past `ends_on` it is over all the same.
    """

    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="coverages")
    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=200, help_text="Type and id in the EHR; Bills/<patient> for bills.")
    insurer = PracticeForeignKey(Insurer, models.PROTECT, related_name="coverages")
    plan = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField()
    starts_on = models.DateField(null=True)
    ends_on = models.DateField(null=True)
    billed_on = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "source", "external_id", "insurer"], name="coverage_once")
        ]
        indexes = [
            models.Index(
                fields=["practice", "insurer"],
                include=["patient", "ends_on"],
                condition=models.Q(is_active=True),
                name="coverage_by_insurer",
            ),
            models.Index(fields=["practice", "patient"], name="coverage_patient"),
        ]

    def __str__(self) -> str:
        return f"Coverage {self.pk}"
