from django.db import models
from django.db.models import Q

from audience.models import Channel
from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


class ProviderEvent(PracticeModel):
    """What a provider told us by webhook, verified and stored before it is applied. The key makes a repeat a no-op."""

    class Kind(models.TextChoices):
        STATUS = "status", "Status of a message"
        INBOUND = "inbound", "Message from a patient"
        TRACKING = "tracking", "Email event"

    identity = PracticeForeignKey("messaging.SendingIdentity", models.PROTECT, related_name="events")
    kind = models.CharField(max_length=10, choices=Kind)
    # Twilio: sid|status|error; Mailgun: its event id.
    event_key = models.CharField(max_length=200)
    attempt_key = models.UUIDField(null=True)
    payload = models.JSONField()
    received_at = models.DateTimeField(db_default=Now())
    applied_at = models.DateTimeField(null=True)
    # Why it could not be applied, when it could not; the tick tries again, not before `retry_at` (null: at once).
    problem = models.CharField(max_length=200, blank=True)
    retry_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "identity", "event_key"], name="provider_event_once"),
        ]
        indexes = [
            models.Index(fields=["practice", "received_at"], condition=Q(applied_at=None), name="provider_event_open"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_key}"


class InboundMessage(PracticeModel):
    """What a patient wrote to the practice."""

    class Keyword(models.TextChoices):
        NONE = "", "–"
        STOP = "stop", "STOP"
        START = "start", "START"
        HELP = "help", "HELP"

    channel = models.CharField(max_length=5, choices=Channel)
    identity = PracticeForeignKey("messaging.SendingIdentity", models.PROTECT, related_name="inbound")
    contact_point = PracticeForeignKey("audience.ContactPoint", models.PROTECT, related_name="inbound")
    # Who it is taken to be from: the patient last written to at that address, else the eldest who has it;
    # null = a stranger.
    patient = PracticeForeignKey("audience.Patient", models.PROTECT, null=True, related_name="inbound")
    provider_id = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    keyword = models.CharField(max_length=5, choices=Keyword, blank=True, default="")
    # The answer we gave ourselves to STOP, START or HELP; '' when the carrier gave it.
    auto_reply = models.TextField(blank=True)
    received_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "identity", "provider_id"], name="inbound_once"),
        ]
        indexes = [
            models.Index(fields=["practice", "patient", "-received_at"], name="inbound_patient"),
            models.Index(fields=["practice", "contact_point", "-received_at"], name="inbound_point"),
        ]

    def __str__(self) -> str:
        return f"Inbound {self.pk}"
