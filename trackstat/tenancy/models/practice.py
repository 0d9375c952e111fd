from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils.functional import cached_property

from trackstat.clock import Now
from trackstat.tenancy.models.base import PracticeModel


class Practice(models.Model):
    """The directory of practices: name and slug, nothing else. What a practice keeps private is in PracticeSettings."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    created_at = models.DateTimeField(db_default=Now())

    settings: "PracticeSettings"

    def __str__(self) -> str:
        return self.name

    @property
    def tz(self) -> ZoneInfo:
        """The practice's time zone; needs its scope."""
        return ZoneInfo(self.settings.time_zone)

    def url(self, name: str, *args: Any, **kwargs: Any) -> str:
        """Path of a page of this practice, e.g. practice.url("audience:patient", 12)."""
        if kwargs:
            return reverse(name, kwargs={"practice_slug": self.slug} | kwargs)
        return reverse(name, args=[self.slug, *args])


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(
            "There is no time zone “%(name)s”. They are called like America/New_York.", params={"name": name}
        )


class PracticeSettings(PracticeModel):
    """What an Administrator sets. Times of day are the patient's local ones."""

    practice = models.OneToOneField(Practice, models.CASCADE, related_name="settings", editable=False)
    time_zone = models.CharField(max_length=60, default="America/New_York", validators=[validate_time_zone])
    phone = models.CharField(max_length=20, blank=True, help_text="Shown to patients who text HELP.")
    address_line = models.CharField(max_length=120, blank=True)
    city = models.CharField(max_length=60, blank=True)
    state = models.CharField(max_length=2, blank=True)
    postal_code = models.CharField(max_length=10, blank=True)
    quiet_until = models.TimeField(default="09:00")
    quiet_until_sunday = models.TimeField(default="12:00")
    quiet_from = models.TimeField(default="20:00")
    whole_database_percent = models.PositiveSmallIntegerField(default=80)
    # The practice's word that its intake form asks patients for marketing texts: without it no announcement goes out.
    attested_at = models.DateTimeField(null=True, blank=True)
    attested_by = models.CharField(max_length=120, blank=True)
    attested_wording = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "practice settings"

    def __str__(self) -> str:
        return f"Settings of {self.practice}"

    def clean(self):
        """Hours that cross would hold every text until it has expired."""
        for name in ("quiet_until", "quiet_until_sunday"):
            if getattr(self, name) and self.quiet_from and getattr(self, name) >= self.quiet_from:
                raise ValidationError({name: "Quiet hours have to end before they begin in the evening."})

    @property
    def postal_address(self) -> str:
        """One line for the foot of every email; empty when the practice has not given it."""
        if not (self.address_line and self.city and self.state and self.postal_code):
            return ""
        return f"{self.address_line}, {self.city}, {self.state} {self.postal_code}"

    @cached_property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
