import uuid

from django.db import models

from audience.models import Channel
from trackstat.crypto import decrypt, encrypt
from trackstat.tenancy.models import PracticeModel


class SendingIdentity(PracticeModel):
    """Who messages come from: a text number or messaging service, or a From address, with the account that sends them.

    One identity is one sender lane: one dispatch task at a time, its own rate.
    """

    class Provider(models.TextChoices):
        TWILIO = "twilio", "Twilio"
        MAILGUN = "mailgun", "Mailgun"
        SMTP = "smtp", "SMTP"

    class Registration(models.TextChoices):
        NONE = "none", "Not registered"
        PENDING = "pending", "Waiting for the carriers"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"

    # Names the identity in webhook URLs.
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.CharField(max_length=5, choices=Channel)
    provider = models.CharField(max_length=10, choices=Provider)
    label = models.CharField(max_length=80)
    # E.164 number, or From email address.
    address = models.CharField(max_length=254)
    messaging_service = models.CharField(max_length=40, blank=True, help_text="Twilio Messaging Service SID.")
    from_name = models.CharField(max_length=80, blank=True)
    reply_to = models.EmailField(blank=True)
    # Twilio account SID, Mailgun domain, or SMTP host:port.
    account = models.CharField(max_length=200)
    # Twilio auth token, Mailgun API key, SMTP user:password; the second one verifies webhooks (Mailgun signing key).
    encrypted_secret = models.TextField(blank=True)
    encrypted_webhook_secret = models.TextField(blank=True)
    registration = models.CharField(max_length=10, choices=Registration, default=Registration.NONE)
    is_sandbox = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    # Text segments or emails a second, and a local day; null = no cap.
    rate_per_second = models.FloatField(default=1)
    daily_cap = models.PositiveIntegerField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    paused_reason = models.CharField(max_length=200, blank=True)
    # Which dispatch run has the lane and until when, see messaging.lanes.
    lane_token = models.UUIDField(null=True, editable=False)
    lane_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "sending identities"
        permissions = [("manage_identity", "Can manage sending identities")]
        constraints = [
            models.UniqueConstraint(fields=["practice", "channel", "address"], name="identity_address_once"),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.address})"

    @property
    def secret(self) -> str:
        return decrypt(self.encrypted_secret)

    @secret.setter
    def secret(self, value: str) -> None:
        self.encrypted_secret = encrypt(value)

    @property
    def webhook_secret(self) -> str:
        return decrypt(self.encrypted_webhook_secret)

    @webhook_secret.setter
    def webhook_secret(self, value: str) -> None:
        self.encrypted_webhook_secret = encrypt(value)

    @property
    def may_send(self) -> bool:
        return self.is_active and self.registration == self.Registration.APPROVED
