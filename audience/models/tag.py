from django.db import models
from django.db.models.functions import Lower

from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


class Tag(PracticeModel):
    """A word staff put on patients. `always_excluded` ones (default: `not qualified`) keep announcements away."""

    name = models.CharField(max_length=60)
    always_excluded = models.BooleanField(default=False)
    # Set by the system only, never in bulk (`np start`).
    reserved = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint("practice", Lower("name"), name="tag_name_once")]

    def __str__(self) -> str:
        return self.name


class PatientTag(PracticeModel):
    """A tag on a patient.

    Whoever puts an always-excluded one on locks the Patient row first: arming a message reads it under a share lock.
    """

    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="patient_tags")
    tag = PracticeForeignKey(Tag, models.CASCADE, related_name="patient_tags")
    tagged_at = models.DateTimeField(db_default=Now())
    tagged_by = models.ForeignKey("tenancy.User", models.SET_NULL, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["practice", "patient", "tag"], name="patient_tag_once")]
        indexes = [models.Index(fields=["practice", "tag"], include=["patient"], name="patient_tag_by_tag")]

    def __str__(self) -> str:
        return f"{self.patient_id}: {self.tag_id}"
