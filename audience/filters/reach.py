"""How patients can be written to, and with whom they share phone or mailbox."""

from typing import Any, ClassVar

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from audience.filters.fields import OneOf, ValuesForm
from audience.filters.registry import Filter, On, register
from audience.models import Category, Channel, ContactPoint, Patient

MESSAGES = "Messages"
_COLUMN = {Channel.TEXT: "cell", Channel.EMAIL: "email"}
_CHANNELS = {"text": [Channel.TEXT], "email": [Channel.EMAIL], "either": list(Channel), "both": list(Channel)}


class ReachableForm(ValuesForm):
    by = OneOf(
        label="By",
        choices=[
            ("text", "text"),
            ("email", "email"),
            ("either", "text or email"),
            ("both", "text and email"),
        ],
        error_messages={"required": "choose by what."},
    )
    category = OneOf(label="With", choices=Category.choices, error_messages={"required": "choose with what."})
    joints: ClassVar[dict[str, str]] = {"by": "by", "category": "with"}


@register
class Reachable(Filter):
    """The address is there, usable, and has not opted out of such messages; nobody writes to who has died."""

    key = "reachable"
    label = "Reachable"
    group = MESSAGES
    icon = "smartphone"
    form = ReachableForm
    initial: ClassVar[dict[str, Any]] = {"by": "text", "category": "announcement"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        q = Q()
        for channel in _CHANNELS[value["by"]]:
            out = _opted_out_of(channel, value["category"]).filter(address=OuterRef(_COLUMN[channel]))
            reached = Q(**{f"can_{channel}": True}) & ~Q(Exists(out))
            q = q | reached if value["by"] == "either" else q & reached
        return q & ~Q(inactive_reason=Patient.InactiveReason.DECEASED)

    def describe(self, value: dict[str, Any]) -> str:
        by = dict(self.form.base_fields["by"].choices)[value["by"]]  # type: ignore[attr-defined]
        return f"{Category(value['category']).label.lower()} reaching them by {by}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        if patient.inactive_reason == Patient.InactiveReason.DECEASED:
            return "Deceased"
        return ", ".join(
            _standing(patient, channel, value["category"], begins=n == 0)
            for n, channel in enumerate(_CHANNELS[value["by"]])
        )


def _opted_out_of(channel: str, category: str) -> QuerySet[ContactPoint]:
    """Of this category; whoever opted out of everything is in `can_text` and `can_email`."""
    return ContactPoint.objects.filter(channel=channel, **{f"{category}_opted_out_at__isnull": False})


def _standing(patient: Patient, channel: Channel, category: str, *, begins: bool) -> str:
    words = _reason(patient, channel, category)
    return words if begins else f"{words[0].lower()}{words[1:]}"


def _reason(patient: Patient, channel: Channel, category: str) -> str:
    address = patient.address_for(channel)
    if not address:
        return "No cell phone" if channel == Channel.TEXT else "No email address"
    point = ContactPoint.objects.filter(channel=channel, address=address).first()
    if point and point.opted_out_of(category):
        return f"Opted out of {channel}s" if point.all_opted_out_at else f"Opted out of these {channel}s"
    if point and not point.is_usable:
        return f"{'Cell phone' if channel == Channel.TEXT else 'Email address'}: {point.get_validity_display().lower()}"
    if not getattr(patient, f"can_{channel}"):
        return "The number cannot be texted" if channel == Channel.TEXT else "The address cannot be emailed"
    return f"Reachable by {channel}"


class SharesForm(ValuesForm):
    what = OneOf(
        label="Shares",
        choices=[("either", "cell phone or email"), ("text", "cell phone"), ("email", "email")],
        error_messages={"required": "choose what is shared."},
    )
    joints: ClassVar[dict[str, str]] = {"what": "shares"}


@register
class SharesAddress(Filter):
    """Another active patient has the same cell phone or email: they are one household on that channel."""

    key = "household"
    label = "Household"
    group = MESSAGES
    icon = "house"
    form = SharesForm
    initial: ClassVar[dict[str, Any]] = {"what": "either"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        """By lists of addresses that the patients are looked up in: to ask for the others of each costs far more."""
        q, active = Q(), Q(status=Patient.Status.ACTIVE)
        for channel in _CHANNELS[value["what"]]:
            column = _COLUMN[channel]
            held = Patient.objects.filter(active, ~Q(**{column: ""})).order_by().values(column)
            by_two = held.annotate(n=Count("pk")).filter(n__gt=1).values(column)
            q |= active & Q(**{f"{column}__in": by_two}) | ~active & Q(**{f"{column}__in": held})
        return q

    def describe(self, value: dict[str, Any]) -> str:
        return f"a {self._places(value)} that another active patient has, too"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        shared = {}
        for channel in _CHANNELS[value["what"]]:
            column = _COLUMN[channel]
            if getattr(patient, column):
                others = list(_others(patient, column)[:4])
                shared |= {"cell phone" if channel == Channel.TEXT else "email": others} if others else {}
        if not shared:
            return f"Shares no {self._places(value)}"
        return "; ".join(f"Shares the {place} with {_named(others)}" for place, others in shared.items())

    def _places(self, value: dict[str, Any]) -> str:
        return dict(self.form.base_fields["what"].choices)[value["what"]]  # type: ignore[attr-defined]


def _others(patient: Patient, column: str) -> QuerySet[Patient]:
    same = Patient.objects.filter(status=Patient.Status.ACTIVE, **{column: getattr(patient, column)})
    return same.exclude(pk=patient.pk).order_by("last_name", "first_name", "pk")


def _named(others: list[Patient]) -> str:
    names = [other.name for other in others[:3]]
    return ", ".join(names) + (" and others" if len(others) > 3 else "")
