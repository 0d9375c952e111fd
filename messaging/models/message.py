import secrets
from typing import ClassVar

from django.db import models
from django.db.models import Q

from audience.models import Category, Channel
from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


def new_token() -> str:
    """An unguessable name for a message in links that patients get."""
    return secrets.token_urlsafe(12)


class Message(PracticeModel):
    """One text or email to one patient. It is a row before it is a task; the unique key forbids a second one.

    `docs/life-of-a-message.md` follows a row through its states. Only `messaging.dispatch` moves a row up to `sending`,
    only `messaging.outcomes.record` writes what a hand-over led to, only `messaging.receipts` what came back later.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        CLAIMED = "claimed", "Waiting (taken)"
        SENDING = "sending", "Being handed over"
        SENT = "sent", "Sent"
        DELIVERED = "delivered", "Delivered"
        UNDELIVERED = "undelivered", "Not delivered"
        FAILED = "failed", "Failed"
        ABORTED = "aborted", "Not sent"
        CANCELLED = "cancelled", "Cancelled"
        UNKNOWN = "unknown", "Unknown"

    # Every move there is; each is one guarded UPDATE (… WHERE state = <from>).
    MOVES: ClassVar[dict[str, set[str]]] = {
        # A late report on an earlier hand-over proves it was accepted after all: nothing is sent again.
        "pending": {"claimed", "aborted", "cancelled", "sent", "delivered", "undelivered", "failed"},
        "claimed": {"pending", "sending", "aborted", "cancelled", "sent", "delivered", "undelivered", "failed"},
        "sending": {"pending", "sent", "delivered", "undelivered", "failed", "unknown"},
        "unknown": {"pending", "sent", "delivered", "undelivered", "failed"},
        "sent": {"delivered", "undelivered", "failed"},
        # Reports come in any order: of two that differ, the one nearer to the patient stands.
        "failed": {"undelivered", "delivered"},
        "undelivered": {"delivered"},
        "delivered": set(),
        "aborted": set(),
        "cancelled": set(),
    }

    class Reason(models.TextChoices):
        """Why a message was not handed over, in the words staff read."""

        NONE = "", ""
        OPTED_OUT = "opted_out", "The patient has opted out"
        NO_ADDRESS = "no_address", "No cell phone or email in the EHR"
        LANDLINE = "landline", "The number is a landline"
        UNUSABLE = "unusable", "The number or address did not work before"
        ADDRESS_CHANGED = "address_changed", "The number or address was changed in the EHR meanwhile"
        INACTIVE = "inactive", "The patient is no longer active"
        NOT_QUALIFIED = "not_qualified", "A tag keeps the patient out of announcements"
        SAME_HOUSEHOLD = "same_household", "Somebody else with this number or address got it"
        GOAL_MET = "goal_met", "The campaign's goal was reached"
        NO_LONGER_MATCHES = "no_longer_matches", "What started the message is no longer true"
        EXPIRED = "expired", "Its time had passed"
        STOPPED = "stopped", "The campaign was stopped"
        SENDER = "sender", "The sending line or address may not send"
        NO_POSTAL_ADDRESS = "no_postal_address", "The practice's postal address is missing"
        NOT_ATTESTED = "not_attested", "The practice has not confirmed that patients agree to announcements"

    channel = models.CharField(max_length=5, choices=Channel)
    category = models.CharField(max_length=12, choices=Category)
    patient = PracticeForeignKey("audience.Patient", models.PROTECT, related_name="messages")
    # Null only when there was no address to send to (such a row is born aborted).
    contact_point = PracticeForeignKey("audience.ContactPoint", models.PROTECT, null=True, related_name="messages")
    identity = PracticeForeignKey("messaging.SendingIdentity", models.PROTECT, related_name="messages")
    content = PracticeForeignKey("messaging.Content", models.PROTECT, related_name="messages")
    # Ids of campaigns' rows; campaigns' migration adds the foreign keys, because imports point one way.
    campaign_id = models.BigIntegerField(null=True)
    step_id = models.BigIntegerField(null=True)
    enrollment_id = models.BigIntegerField(null=True)
    repeat = models.PositiveSmallIntegerField(default=1)

    to_address = models.CharField(max_length=254, blank=True)
    # A text's final words. An email's are rebuilt byte for byte from content, merge_values and token.
    body = models.TextField(blank=True)
    merge_values = models.JSONField(default=dict)
    token = models.CharField(max_length=24, default=new_token)
    # What the carrier bills: segments of a text, 1 for an email.
    segments = models.PositiveSmallIntegerField(default=1)
    has_opt_out_line = models.BooleanField(default=False)

    state = models.CharField(max_length=11, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=20, choices=Reason, blank=True, default="")
    # The provider's error number or word, explained by messaging.errors.
    error_code = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    # After this it is no longer worth sending.
    not_after = models.DateTimeField()
    # When dispatch may next look at it: due_at, then later for quiet hours, caps and asked-for delays.
    next_at = models.DateTimeField()
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    armed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    # When the last word came: delivered, undelivered, failed, aborted, cancelled.
    done_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)
    complained_at = models.DateTimeField(null=True)
    unsubscribed_at = models.DateTimeField(null=True)
    replied_at = models.DateTimeField(null=True)
    # What staff decided about a message that may not have been sent, see messaging.uncertain: the last time it was sent
    # again by hand, or that it was left as it is.
    resent_at = models.DateTimeField(null=True)
    resent_by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    left_at = models.DateTimeField(null=True)
    left_by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        permissions = [
            ("view_conversation", "Can read conversations"),
            ("reply_conversation", "Can reply to patients"),
            ("opt_out_patient", "Can opt a patient out"),
            ("change_template", "Can change the message library"),
            ("resolve_uncertain", "Can send again what may not have been sent, or leave it"),
        ]
        constraints = [
            # Not unique=True: that brings a second index for LIKE, which every write would pay for.
            models.UniqueConstraint(fields=["token"], name="message_token_once"),
            # The anti-duplicate: one message for a step of an enrollment, whatever crashes.
            models.UniqueConstraint(
                fields=["practice", "enrollment_id", "step_id", "repeat"],
                condition=Q(enrollment_id__isnull=False),
                nulls_distinct=False,
                name="message_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["claimed", "sending"], lease_until__isnull=False, lease_token__isnull=False)
                | (~Q(state__in=["claimed", "sending"]) & Q(lease_until__isnull=True, lease_token__isnull=True)),
                name="message_lease",
            ),
            models.CheckConstraint(
                condition=Q(contact_point__isnull=False) | Q(state="aborted"), name="message_has_address"
            ),
            models.CheckConstraint(condition=~Q(state="aborted") | ~Q(reason=""), name="message_aborted_has_reason"),
            models.CheckConstraint(
                condition=Q(resent_at__isnull=True, resent_by__isnull=True)
                | Q(resent_at__isnull=False, resent_by__isnull=False),
                name="message_resent_by_somebody",
            ),
            # Only what was handed over can be left; a late report may still settle it.
            models.CheckConstraint(
                condition=Q(left_at__isnull=True, left_by__isnull=True)
                | (
                    Q(left_at__isnull=False, left_by__isnull=False)
                    & Q(state__in=["unknown", "sent", "delivered", "undelivered", "failed"])
                ),
                name="message_left_by_somebody",
            ),
        ]
        indexes = [
            models.Index(
                fields=["practice", "identity", "next_at", "id"], condition=Q(state="pending"), name="message_due"
            ),
            models.Index(fields=["lease_until"], condition=Q(state__in=["claimed", "sending"]), name="message_leased"),
            models.Index(fields=["practice", "campaign_id", "state"], name="message_campaign_state"),
            models.Index(fields=["practice", "patient", "-created_at"], name="message_patient"),
            models.Index(fields=["practice", "contact_point"], name="message_contact_point"),
            models.Index(fields=["practice", "armed_at"], condition=Q(state="unknown"), name="message_unknown"),
            models.Index(
                fields=["practice", "identity", "armed_at"],
                include=["segments"],
                condition=Q(armed_at__isnull=False),
                name="message_armed",
            ),
            # The few whose patient wanted nothing more after it: the brake counts them often.
            models.Index(
                fields=["practice", "campaign_id"],
                condition=Q(unsubscribed_at__isnull=False) | Q(complained_at__isnull=False),
                name="message_opted_out",
            ),
        ]

    def __str__(self) -> str:
        return f"Message {self.pk} ({self.state})"


class Attempt(PracticeModel):
    """One hand-over to a provider. Written before bytes leave; `key` travels with them and comes back in callbacks."""

    class Outcome(models.TextChoices):
        OPEN = "", "Under way"
        ACCEPTED = "accepted", "Accepted"
        REFUSED = "refused", "Refused for good"
        LATER = "later", "Surely not sent, try later"
        UNKNOWN = "unknown", "No clear answer"
        ABSENT = "absent", "Proved absent at the provider"

    key = models.UUIDField(unique=True)
    message = PracticeForeignKey(Message, models.CASCADE, related_name="attempts")
    provider = models.CharField(max_length=10)
    # Twilio SID or Message-ID.
    provider_id = models.CharField(max_length=200, null=True)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True, default="")
    http_status = models.PositiveSmallIntegerField(null=True)
    error_code = models.CharField(max_length=40, blank=True)
    # Times the provider's list was read without finding it, and when it was last read.
    looked_up = models.PositiveSmallIntegerField(default=0)
    looked_up_at = models.DateTimeField(null=True)
    # When the sender was let rest because of this uncertain hand-over (messaging.breaker): it counts only once.
    tripped_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "provider", "provider_id"], name="attempt_provider_id_once"),
            models.UniqueConstraint(fields=["practice", "message"], condition=Q(outcome=""), name="attempt_one_open"),
        ]
        indexes = [models.Index(fields=["practice", "message"], name="attempt_message")]

    def __str__(self) -> str:
        return f"Attempt {self.key} ({self.outcome or 'open'})"


class Hold(PracticeModel):
    """A paused campaign: dispatch does not claim its messages. One row holds any number of messages at once."""

    campaign_id = models.BigIntegerField()
    since = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["practice", "campaign_id"], name="hold_once")]

    def __str__(self) -> str:
        return f"Hold on campaign {self.campaign_id}"
