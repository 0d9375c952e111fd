"""What may be sent to a patient's cell phone and mailbox, in the words staff read."""

from collections.abc import Mapping
from typing import NamedTuple

from audience.models import Category, Channel, ContactPoint, Patient, Tag
from audience.numbers import may_be_texted


class Standing(NamedTuple):
    """`state` is a name of trackstat.states."""

    state: str
    words: str


MAY = {Channel.TEXT: "May be texted", Channel.EMAIL: "May be emailed"}


def standings(patient: Patient, points: Mapping[str, ContactPoint]) -> dict[str, Standing]:
    """By channel, with one statement; `points` are the patient's contact points by channel.

    It says what arming would decide (messaging.checks), so the first reason that stops everything comes first.
    """
    tags = list(Tag.objects.filter(patient_tags__patient=patient, always_excluded=True).order_by("name"))
    return {channel: _standing(patient, channel, points.get(channel), tags) for channel in Channel}


def _standing(patient: Patient, channel: Channel, point: ContactPoint | None, tags: list[Tag]) -> Standing:
    address = patient.address_for(channel)
    if not address:
        return Standing("missing", "None in the EHR")
    if point and point.all_opted_out_at:
        return Standing("opted_out", "Opted out of everything")
    if patient.inactive_reason == Patient.InactiveReason.DECEASED:
        return Standing("no", "Nothing is sent: deceased")
    if point and not point.is_usable:
        state = "landline" if point.validity == ContactPoint.Validity.LANDLINE else "invalid"
        return Standing(state, point.validity_reason or point.get_validity_display())
    if channel == Channel.TEXT and not may_be_texted(address):
        return Standing("invalid", "This number cannot be texted")
    left_out = [category for category in Category if point and point.opted_out_of(category)]
    if left_out:
        return Standing("opted_out", f"Opted out: {', '.join(category.label.lower() for category in left_out)}")
    if tags:
        names = ", ".join(f"“{tag}”" for tag in tags)
        return Standing("no", f"No {Category.ANNOUNCEMENT.label.lower()}: has the tag {names}")
    return Standing("ok", MAY[channel])
