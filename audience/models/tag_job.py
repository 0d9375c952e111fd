from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from audience.models.tag import Tag
from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


class TagJob(PracticeModel):
    """A tag put on, or taken off, a whole audience in the background, and perhaps undone (audience.tagging)."""

    class Action(models.TextChoices):
        PUT_ON = "put_on", "Put on"
        TAKE_OFF = "take_off", "Taken off"

    class State(models.TextChoices):
        WORKING = "working", "Under way"
        DONE = "done", "Done"
        UNDOING = "undoing", "Being undone"
        UNDONE = "undone", "Undone"

    # Null after the tag was deleted; `tag_name` is what it was called when this began.
    tag = PracticeForeignKey(Tag, models.PROTECT, null=True, related_name="+")
    tag_name = models.CharField(max_length=60)
    action = models.CharField(max_length=8, choices=Action)
    state = models.CharField(max_length=7, choices=State, default=State.WORKING)
    # Whom, in words for staff; the id of the campaign whose people they are.
    whom = models.CharField(max_length=200)
    campaign_id = models.BigIntegerField(null=True)
    total = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["practice", "campaign_id", "-id"], name="tag_job_campaign"),
            models.Index(fields=["practice"], condition=Q(state__in=["working", "undoing"]), name="tag_job_open"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.tag_name} ({self.get_state_display()})"


class TagJobPart(PracticeModel):
    """Some of a job's patients: done in one transaction, and undone in one."""

    job = PracticeForeignKey(TagJob, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    patient_ids = ArrayField(models.BigIntegerField())
    size = models.PositiveIntegerField()
    # Whose tag the job has put on or taken off.
    changed_ids = ArrayField(models.BigIntegerField(), default=list)
    changed = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["practice", "job", "number"], name="tag_job_part_once")]

    def __str__(self) -> str:
        return f"{self.job_id}.{self.number}"
