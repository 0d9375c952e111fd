from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Campaign
from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


class Enrollment(PracticeModel):
    """One patient's path through a campaign. The unique key makes a trigger's occurrence enrol a patient once (D9).

    Occurrence: `launch` for a blast; for a drip what happened, e.g. `birthday:2026`, `appointment:123`.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Under way"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"

    campaign = PracticeForeignKey(Campaign, models.PROTECT, related_name="enrollments")
    patient = PracticeForeignKey("audience.Patient", models.PROTECT, related_name="enrollments")
    case = PracticeForeignKey("audience.Case", models.PROTECT, null=True, related_name="+")
    occurrence = models.CharField(max_length=60)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    # Why it ended early: a Message.Reason value.
    reason = models.CharField(max_length=20, blank=True)
    # Position of the step to materialise next and when its message is due; after `not_after` it is no longer worth it.
    next_position = models.PositiveSmallIntegerField(default=1)
    due_at = models.DateTimeField()
    not_after = models.DateTimeField()
    enrolled_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["practice", "campaign", "patient", "case", "occurrence"],
                nulls_distinct=False,
                name="enrollment_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["practice", "campaign", "due_at", "id"], condition=Q(state="active"), name="enrollment_due"
            ),
            models.Index(fields=["practice", "patient"], name="enrollment_patient"),
        ]

    def __str__(self) -> str:
        return f"Enrollment {self.pk} ({self.occurrence})"
