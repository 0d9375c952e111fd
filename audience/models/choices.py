from django.db import models

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


class Insurer(Choice):
    external_id = models.CharField(max_length=200)

    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "external_id"], name="insurer_once")]


class AppointmentPurpose(Choice):
    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="purpose_once")]


class CaseType(Choice):
    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="case_type_once")]


class Attorney(Choice):
    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="attorney_once")]


class CarePackage(Choice):
    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="care_package_once")]


class FeeSchedule(Choice):
    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="fee_schedule_once")]


class ReferralSource(Choice):
    class Meta(Choice.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="referral_source_once")]


class Code(PracticeModel):
    """A code of one code system, with the EHR's own words for it: the same code in another system is another row.

    The unique key finds codes by their beginning, too ("M54").
    """

    system = models.CharField(max_length=120, help_text="Short name (cpt, icd10 …), else the system's address.")
    code = models.CharField(max_length=60)
    name = models.CharField(max_length=200, blank=True)

    class Meta:
        abstract = True
        ordering = ["system", "code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}".strip()


class ServiceCode(Code):
    """What was done: CPT, HCPCS, SNOMED CT …"""

    class Meta(Code.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "system", "code"], name="service_code_once")]


class DiagnosisCode(Code):
    """What a patient has: ICD-10-CM, SNOMED CT …"""

    class Meta(Code.Meta):
        constraints = [models.UniqueConstraint(fields=["practice", "system", "code"], name="diagnosis_code_once")]
