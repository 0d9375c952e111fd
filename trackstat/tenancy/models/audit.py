from django.db import models

from trackstat.clock import Now
from trackstat.tenancy.models.base import PracticeModel


class AuditEvent(PracticeModel):
    """Who saw, changed, exported or sent what. Insert and read only; holds ids, never names, phones or messages."""

    at = models.DateTimeField(db_default=Now())
    user = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60, blank=True)
    object_id = models.BigIntegerField(null=True)
    detail = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["practice", "-at"], name="audit_practice_at"),
            models.Index(fields=["practice", "object_type", "object_id"], name="audit_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"
