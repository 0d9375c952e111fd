from django.db import models

from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


class ImportRun(PracticeModel):
    """One reading of an EHR export: what came, what changed, what was rejected."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    source = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    # Whether this was everything the EHR has: who is missing in it is not a patient any more.
    is_snapshot = models.BooleanField(default=False)
    # {"Patient": {"read": 60, "new": 60, "changed": 0, "unchanged": 0, "rejected": 0}, …}; not_read: {"Slot": 4}
    counts = models.JSONField(default=dict)
    not_read = models.JSONField(default=dict)
    # Why records were left out: {"Claim": {"It is cancelled": 3}}
    left_out = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["practice", "-started_at"], name="import_run_started")]

    def __str__(self) -> str:
        return f"Import {self.pk} ({self.state})"


class ImportRejection(PracticeModel):
    """A record that was not taken, with the place and the reason to show the EHR's vendor. Holds no patient data."""

    run = PracticeForeignKey(ImportRun, models.CASCADE, related_name="rejections")
    file = models.CharField(max_length=200)
    line = models.PositiveIntegerField(null=True)
    resource_type = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=300)

    class Meta:
        indexes = [models.Index(fields=["practice", "run", "reason"], name="import_rejection_run")]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.reason}"
