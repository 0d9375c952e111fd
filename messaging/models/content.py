from django.db import models

from audience.models import Channel
from trackstat.clock import Now
from trackstat.tenancy.models import PracticeModel


class Content(PracticeModel):
    """One immutable version of what a step says, with its merge fields still in it. Changed words are a new row."""

    channel = models.CharField(max_length=5, choices=Channel)
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField()
    created_by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.subject or self.body[:40]
