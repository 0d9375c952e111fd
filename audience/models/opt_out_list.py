from django.db import models

from audience.models.ehr import ImportRun
from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


class OptOutList(PracticeModel):
    """A list of opt-outs that somebody brought over. The file itself is kept, encrypted, only until it is read."""

    class State(models.TextChoices):
        WAITING = "waiting", "Being read"
        DONE = "done", "Read"
        FAILED = "failed", "Not read"

    name = models.CharField(max_length=200, help_text="The file's name; it stands in the consent ledger.")
    scope = models.CharField(max_length=12, help_text="What the opt-outs are of where the list does not say.")
    source = models.CharField(max_length=40, blank=True, help_text="Which EHR the list's patient ids are of.")
    encrypted_content = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    uploaded_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True)
    import_run = PracticeForeignKey(ImportRun, models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["practice", "-uploaded_at"], name="opt_out_list_latest")]

    def __str__(self) -> str:
        return self.name

    @property
    def counts(self) -> dict[str, int]:
        """{"new": opted out, "unchanged": were already, "left_out": …, "rejected": not understood}."""
        return self.import_run.counts.get("OptOut", {}) if self.import_run else {}
