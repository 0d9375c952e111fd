from django.db import models
from django.db.models.functions import Lower

from trackstat.clock import Now
from trackstat.tenancy.models import PracticeModel


class SavedAudience(PracticeModel):
    """Filters under a name, for everyone in the practice: blasts and others start from a copy of them (A12).

    `said`, `counted` and `counted_at` are what the filters came to when they were last looked at (audience.saved).
    """

    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True, help_text="What it is for; only staff see it.")
    # As audience.filters.definition stores it.
    definition = models.JSONField()
    # Fields each patient must have, of "address", "email", "cell"; null = what the messages need.
    require = models.JSONField(null=True)
    # Raised by every change of the filters; who copied an older one is told.
    version = models.PositiveIntegerField(default=1)
    said = models.TextField(blank=True)
    counted = models.PositiveIntegerField(null=True)
    counted_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint("practice", Lower("name"), name="saved_audience_name_once")]

    def __str__(self) -> str:
        return self.name
