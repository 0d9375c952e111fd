from django.db import models

from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


class Channel(models.TextChoices):
    TEXT = "text", "Text"
    EMAIL = "email", "Email"


class Category(models.TextChoices):
    """What a message is for; decides which opt-outs, tags and caps hold it."""

    ANNOUNCEMENT = "announcement", "Office updates and announcements"
    APPOINTMENT = "appointment", "Appointment messages"


class ContactPoint(PracticeModel):
    """One phone number or email address in one practice, however many patients share it: what may be sent to it.

    The row is the lock between opting out and sending: opting out takes it FOR UPDATE, arming a message FOR SHARE.
    Lock contact points before patients, and by id. The history of the flags is ConsentEvent.
    """

    class Validity(models.TextChoices):
        UNKNOWN = "unknown", "Not checked"
        OK = "ok", "Reached before"
        LANDLINE = "landline", "Landline"
        INVALID = "invalid", "Not in service or mistyped"
        SUPPRESSED = "suppressed", "Bounced or complained"

    channel = models.CharField(max_length=5, choices=Channel)
    address = models.CharField(max_length=254, help_text="E.164 number or lower-case email.")
    validity = models.CharField(max_length=10, choices=Validity, default=Validity.UNKNOWN)
    validity_reason = models.CharField(max_length=200, blank=True)
    # What the carrier's look-up said a number is (mobile, landline, voip, other); '' = never asked. Where the EHR marks
    # no number as mobile, one that the look-up calls mobile is texted.
    line_type = models.CharField(max_length=10, blank=True, db_default="")
    # When the patient opted out; null = not opted out.
    all_opted_out_at = models.DateTimeField(null=True)
    announcement_opted_out_at = models.DateTimeField(null=True)
    appointment_opted_out_at = models.DateTimeField(null=True)
    # True when the opt-out came from the patient (STOP, unsubscribe, complaint): staff can never take it back.
    opted_out_by_patient = models.BooleanField(default=False)
    # When the first text with the opt-out line was accepted by the carrier; null = the next text carries the line.
    introduced_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["practice", "channel", "address"], name="contact_point_once")]
        # The few who opted out of one category only; whoever opted out of everything is in Patient.can_text, can_email.
        indexes = [
            models.Index(
                fields=["practice", "channel", "address"],
                condition=models.Q(announcement_opted_out_at__isnull=False),
                name="contact_point_no_announcements",
            ),
            models.Index(
                fields=["practice", "channel", "address"],
                condition=models.Q(appointment_opted_out_at__isnull=False),
                name="contact_point_no_reminders",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.pk}"

    @property
    def is_usable(self) -> bool:
        return self.validity in {self.Validity.UNKNOWN, self.Validity.OK}

    def opted_out_of(self, category: str) -> bool:
        return bool(self.all_opted_out_at or getattr(self, f"{category}_opted_out_at", None))


class ConsentEvent(PracticeModel):
    """The consent ledger, append-only: who gave or withdrew what, when, how, in which words."""

    class Purpose(models.TextChoices):
        EVERYTHING = "all", "Everything"
        ANNOUNCEMENT = "announcement", "Office updates and announcements"
        APPOINTMENT = "appointment", "Appointment messages"

    class Source(models.TextChoices):
        REPLY = "reply", "Patient's text"
        UNSUBSCRIBE = "unsubscribe", "Unsubscribe link"
        COMPLAINT = "complaint", "Marked as spam"
        CARRIER = "carrier", "Carrier's block list"
        STAFF = "staff", "Staff"
        EHR = "ehr", "EHR"
        FILE = "file", "List of opt-outs"

    contact_point = PracticeForeignKey(ContactPoint, models.CASCADE, related_name="consent_events")
    purpose = models.CharField(max_length=12, choices=Purpose)
    given = models.BooleanField(help_text="True: given or given again; False: withdrawn.")
    source = models.CharField(max_length=12, choices=Source)
    wording = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["practice", "contact_point", "-at"], name="consent_event_point")]

    def __str__(self) -> str:
        return f"{self.purpose} {'given' if self.given else 'withdrawn'}"
