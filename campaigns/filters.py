"""Audience filters that ask what campaigns have sent, and what came of it; registered by importing this module."""

import datetime as dt
from typing import Any, ClassVar

from django import forms
from django.db.models import F, Q, QuerySet

from audience.filters import Filter, On, register
from audience.filters.choices import Rows
from audience.filters.dates import EverPast, during, resolve
from audience.filters.fields import Whole
from audience.models import Patient
from campaigns.models import Campaign
from messaging.models import Message
from trackstat.formats import day

MESSAGES = "Messages"
# Handed over, and nothing says that it did not arrive. Unknown may have: whoever is asked "not received?" before a
# second message must not get one.
RECEIVED = [Message.State.SENT, Message.State.DELIVERED, Message.State.UNKNOWN]


class CampaignForm(EverPast):
    """Without a campaign: any."""

    campaigns = Rows(Campaign, "campaign", label="Campaigns", required=False)

    def shown(self) -> list[forms.BoundField]:
        return [*self.offering("campaigns"), *super().shown()]


class ByCampaign(Filter):
    """Patients by messages of campaigns that were made for them. What was sent to a record that the EHR has merged was
    sent to the patient it is now."""

    group = MESSAGES
    moment = ""

    def q(self, value: dict[str, Any], on: On) -> Q:
        messages = self.messages(value, on)
        merged = Patient.everyone.filter(merged_into__isnull=False, pk__in=messages.values("patient"))
        return Q(pk__in=messages.values("patient").union(merged.values("merged_into")))

    def messages(self, value: dict[str, Any], on: On) -> QuerySet[Message]:
        """Messages of the chosen campaigns, at a moment on the chosen days of the practice."""
        days, q = resolve(value, on.date), Q(campaign_id__isnull=False)
        if value["campaigns"]:
            q = Q(campaign_id__in=value["campaigns"])
        if days.first is not None:
            q &= Q(**{f"{self.moment}__gte": on.midnight(days.first)})
        if days.last is not None:
            q &= Q(**{f"{self.moment}__lt": on.midnight(days.last + dt.timedelta(days=1))})
        return Message.objects.filter(q).order_by()

    def chosen(self, value: dict[str, Any]) -> str:
        return f"the campaign{'s' if len(value['campaigns']) > 1 else ''} {self.quoted(value)}"

    def quoted(self, value: dict[str, Any]) -> str:
        return self.names("campaigns", value)

    def newest(self, value: dict[str, Any], patient: Patient, on: On) -> tuple[str, str] | None:
        """Campaign's name and the day, of the newest message."""
        records = Patient.everyone.filter(Q(pk=patient.pk) | Q(merged_into=patient)).values("pk")
        found = self.messages(value, on).filter(patient__in=records).order_by(f"-{self.moment}").first()
        if found is None:
            return None
        at = on.local(getattr(found, self.moment)).date()
        return str(Campaign.objects.get(pk=found.campaign_id)), day(at)


@register
class Received(ByCampaign):
    key = "received"
    label = "Received campaign"
    icon = "megaphone"
    form = CampaignForm
    initial: ClassVar[dict[str, Any]] = {"range": "last", "most": 30, "unit": "days"}
    moment = "armed_at"

    def messages(self, value: dict[str, Any], on: On) -> QuerySet[Message]:
        return super().messages(value, on).filter(state__in=RECEIVED)

    def describe(self, value: dict[str, Any]) -> str:
        what = self.chosen(value) if value["campaigns"] else "any campaign"
        return f"a message of {what}{during(value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        newest = self.newest(value, patient, on)
        return f"Got “{newest[0]}” on {newest[1]}" if newest else f"Got none{during(value)}"


class RepliedForm(CampaignForm):
    days = Whole(1, 365, required=False, label="Within days of the message")
    joints: ClassVar[dict[str, str]] = {**CampaignForm.joints, "campaigns": "to", "days": "within days:"}

    def shown(self) -> list[forms.BoundField]:
        return [*super().shown(), self["days"]]


@register
class Replied(ByCampaign):
    """By text or email, whatever was said, but for STOP, START and HELP. A reply counts for the newest campaign message
    before it, as in reports."""

    key = "replied"
    label = "Replied"
    icon = "reply"
    form = RepliedForm
    initial: ClassVar[dict[str, Any]] = {"range": "ever"}
    moment = "replied_at"

    def messages(self, value: dict[str, Any], on: On) -> QuerySet[Message]:
        replied = super().messages(value, on).filter(replied_at__isnull=False)
        if value["days"]:
            replied = replied.filter(replied_at__lte=F("armed_at") + dt.timedelta(days=value["days"]))
        return replied

    def describe(self, value: dict[str, Any]) -> str:
        what = self.chosen(value) if value["campaigns"] else "any campaign"
        n = value["days"]
        within = f" within {n} day{'' if n == 1 else 's'} of the message" if n else ""
        return f"a reply to {what}{during(value)}{within}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        newest = self.newest(value, patient, on)
        return f"Replied to “{newest[0]}” on {newest[1]}" if newest else f"No such reply{during(value)}"
