from django.db import models

from audience.models.choices import Attorney, CarePackage, CaseType, DiagnosisCode, FeeSchedule
from audience.models.of_patient import OfPatient
from trackstat.tenancy.fields import PracticeForeignKey


class Case(OfPatient):
    """One course of care of a patient. Never deleted: one that the EHR takes back is closed."""

    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="cases")
    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=200, help_text="Type and id in the EHR, e.g. EpisodeOfCare/7.")
    case_type = PracticeForeignKey(CaseType, models.SET_NULL, null=True, related_name="cases")
    # The case's own, where the EHR keeps them by case; what it keeps by patient stands on Patient.
    attorney = PracticeForeignKey(Attorney, models.SET_NULL, null=True, related_name="cases")
    care_package = PracticeForeignKey(CarePackage, models.SET_NULL, null=True, related_name="cases")
    fee_schedule = PracticeForeignKey(FeeSchedule, models.SET_NULL, null=True, related_name="cases")
    is_active = models.BooleanField(default=True)
    starts_on = models.DateField(null=True)
    ends_on = models.DateField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["practice", "source", "external_id"], name="case_external_once")]
        indexes = [
            models.Index(fields=["practice", "patient"], name="case_patient"),
            models.Index(
                fields=["practice", "patient"],
                include=["case_type", "ends_on"],
                condition=models.Q(is_active=True),
                name="case_open",
            ),
            models.Index(fields=["practice", "case_type"], include=["patient", "is_active"], name="case_by_type"),
            models.Index(
                fields=["practice", "attorney"],
                include=["patient"],
                condition=~models.Q(attorney=None),
                name="case_by_attorney",
            ),
            models.Index(
                fields=["practice", "care_package"],
                include=["patient"],
                condition=~models.Q(care_package=None),
                name="case_by_package",
            ),
        ]

    def __str__(self) -> str:
        return str(self.case_type) if self.case_type else "Case"


class Diagnosis(OfPatient):
    """A code that one of the EHR's records gives a patient; the same code may stand in several records."""

    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="diagnoses")
    source = models.CharField(max_length=40)
    external_id = models.CharField(max_length=200, help_text="Type and id in the EHR, e.g. Condition/7.")
    code = PracticeForeignKey(DiagnosisCode, models.PROTECT, related_name="diagnoses")
    case = PracticeForeignKey(Case, models.SET_NULL, null=True, related_name="diagnoses")
    is_active = models.BooleanField()
    since = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "source", "external_id", "code"], name="diagnosis_once")
        ]
        indexes = [
            models.Index(fields=["practice", "code"], include=["patient", "is_active"], name="diagnosis_by_code"),
            models.Index(fields=["practice", "patient"], name="diagnosis_patient"),
        ]

    def __str__(self) -> str:
        return f"Diagnosis {self.pk}"
