import datetime as dt
from typing import ClassVar

from django.db import models
from django.db.models import Q

from audience.filters import fields_for
from audience.filters.households import channel_of
from audience.models import Category, Channel
from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel


class Campaign(PracticeModel):
    """A blast (one audience, once) or a drip (runs until switched off)."""

    class Kind(models.TextChoices):
        BLAST = "blast", "Blast campaign"
        DRIP = "drip", "Drip campaign"

    class State(models.TextChoices):
        DRAFT = "draft", "Disabled"
        ENABLED = "enabled", "Enabled"
        SENDING = "sending", "Sending"
        PAUSED = "paused", "Paused"
        STOPPED = "stopped", "Stopped"
        SENT = "sent", "Sent"

    class TagAction(models.TextChoices):
        NONE = "", "Leave tags alone"
        PUT_ON = "put_on", "Put a tag on"
        TAKE_OFF = "take_off", "Take a tag off"

    # Every move there is; campaigns.moves makes each one guarded UPDATE with its audit row.
    MOVES: ClassVar[dict[str, set[str]]] = {
        "draft": {"enabled"},
        "enabled": {"draft", "sending", "paused", "stopped"},
        "sending": {"paused", "stopped", "sent"},
        "paused": {"enabled", "sending", "stopped"},
        "stopped": set(),
        "sent": set(),
    }

    # States in which the engine works for a campaign.
    LIVE: ClassVar[set[str]] = {"enabled", "sending"}

    kind = models.CharField(max_length=5, choices=Kind)
    name = models.CharField(max_length=120)
    category = models.CharField(max_length=12, choices=Category, default=Category.ANNOUNCEMENT)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    # State before a pause, to go back to.
    paused_from = models.CharField(max_length=10, blank=True)
    # Sentences for staff when the product paused it by itself; '' while it is not paused, or when somebody did.
    paused_reason = models.TextField(blank=True, db_default="")

    # The audience definition, see audience.filters: {"primary": {…} | null, "filters": [{"key", "mode", "value"}]}.
    definition = models.JSONField(default=dict)
    # Fields each patient must have, of "address", "email", "cell"; null = what the messages' channels need (A8).
    require = models.JSONField(null=True)
    # One message an address, the eldest stands for the household (A13); else one a patient. See household_channel.
    one_per_household = models.BooleanField(default=True, db_default=True)
    # Blasts: what happens to a tag of everyone it is switched on for. The tag is null after it was deleted.
    tag_action = models.CharField(max_length=8, choices=TagAction, blank=True, default="", db_default="")
    tag = PracticeForeignKey("audience.Tag", models.PROTECT, null=True, related_name="+")
    # Whose filters these began as, and that one's version then; null where they began by themselves, or it is deleted.
    saved_audience = PracticeForeignKey("audience.SavedAudience", models.SET_NULL, null=True, related_name="+")
    saved_version = models.PositiveIntegerField(null=True)
    # Scheduled blasts: who comes to match until its time is added then (A14); what came of it, in a sentence.
    keep_fresh = models.BooleanField(default=False, db_default=False)
    freshened = models.TextField(blank=True, db_default="")
    # Set by Load; `loaded_definition` is what was loaded, so a later change of filters shows as stale.
    loaded_at = models.DateTimeField(null=True)
    loaded_count = models.PositiveIntegerField(null=True)
    loaded_definition = models.JSONField(null=True)

    # Drips: the trigger's key in campaigns.triggers and its values; evaluated up to `watermark_at`.
    trigger = models.CharField(max_length=40, blank=True)
    trigger_value = models.JSONField(default=dict)
    watermark_at = models.DateTimeField(null=True)
    # When the trigger is worth asking again: the tick wakes a practice only for what is near.
    next_check_at = models.DateTimeField(null=True)

    # Raised by every saved edit; a form with an older number is a conflict, a due row with an older one is stale.
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    enabled_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [("launch_campaign", "Can switch campaigns on, pause and stop them")]
        indexes = [
            models.Index(fields=["practice", "kind", "-created_at"], name="campaign_list"),
            models.Index(fields=["state"], condition=Q(state__in=["enabled", "sending"]), name="campaign_live"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_stale(self) -> bool:
        """True when the filters were changed after Load."""
        return self.loaded_at is not None and self.loaded_definition != self.audience_as_saved()

    def audience_as_saved(self) -> dict:
        channels = self.channels()
        return {
            "definition": self.definition,
            "require": self.effective_require(channels),
            "household": self.household_channel(channels),
        }

    def channels(self) -> list[str]:
        """Of the messages, in their order."""
        return [step.channel for step in self.steps.all()]

    def effective_require(self, channels: list[str] | None = None) -> list[str]:
        """Fields each patient must have: as ticked by staff, else what the messages' channels need (A8).

        `channels`: of the messages, where they are known already.
        """
        if self.require is not None:
            return sorted(self.require)
        channels = self.channels() if channels is None else channels
        return [] if self.tag_action and not channels else sorted(fields_for(channels))

    def household_channel(self, channels: list[str] | None = None) -> str | None:
        """On which channel one of each household is in the audience; None: every patient is.

        The first message decides. Where nobody is written to, everyone is tagged. A drip asks its trigger first and
        keeps to one message an address when it writes them (campaigns.households).
        """
        if not self.one_per_household or self.kind == self.Kind.DRIP:
            return None
        channels = self.channels() if channels is None else channels
        if self.tag_action and not channels:
            return None
        return channel_of(channels[0] if channels else None, self.effective_require(channels))

    @property
    def may_be_edited(self) -> bool:
        return self.state == self.State.DRAFT and self.archived_at is None

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE


class Step(PracticeModel):
    """One message of a campaign, and when it goes out."""

    class When(models.TextChoices):
        NOW = "now", "Now"
        AT = "at", "At a date and time"
        DELAY = "delay", "After the previous message"

    campaign = PracticeForeignKey(Campaign, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(default=1)
    channel = models.CharField(max_length=5, choices=Channel)
    # Null while nothing is written yet.
    content = PracticeForeignKey("messaging.Content", models.PROTECT, null=True, related_name="+")
    when = models.CharField(max_length=5, choices=When, default=When.NOW)
    # The practice's local wall time, as staff chose it, stored as if it were UTC; turned into UTC when enabling.
    at_local = models.DateTimeField(null=True)
    delay_minutes = models.PositiveIntegerField(default=0)
    # Drips: local time of day of the patient's practice.
    time_of_day = models.TimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["practice", "campaign", "position"], name="step_position_once")]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.position}"

    @property
    def wall_time(self) -> dt.datetime | None:
        """The chosen date and time on the practice's clock (naive)."""
        return self.at_local.replace(tzinfo=None) if self.at_local else None


class AudienceMember(PracticeModel):
    """A patient of the loaded audience of a blast. Load replaces the rows; what staff removed is AudienceRemoval."""

    campaign = PracticeForeignKey(Campaign, models.CASCADE, related_name="members")
    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "campaign", "patient"], name="audience_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.patient_id}"


class AudienceRemoval(PracticeModel):
    """A patient staff took out by hand: survives every reload until undone."""

    campaign = PracticeForeignKey(Campaign, models.CASCADE, related_name="removals")
    patient = PracticeForeignKey("audience.Patient", models.CASCADE, related_name="+")
    removed_by = models.ForeignKey("tenancy.User", models.PROTECT, null=True, related_name="+", db_index=False)
    removed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "campaign", "patient"], name="audience_removal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.patient_id}"
