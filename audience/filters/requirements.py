"""What holds outside the user's filters: consent, usable addresses, required fields, tags that always keep away.

They are AND-ed to every definition and cannot be switched off by one. A patient who fails several is counted under
the first, in this order.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.lookups import Exact

from audience.filters.registry import BadDefinition
from audience.filters.there import HasOne, IsAddress, IsAddressOfFew
from audience.models import Category, Channel, ContactPoint, Patient, PatientTag, Tag

# Header boxes of the preview (A8), and the channel each makes ready for.
FIELDS = {"address": "Address", "email": "Email", "cell": "CellPhone"}
CHANNEL_FIELD = {Channel.TEXT: "cell", Channel.EMAIL: "email"}


@dataclass(frozen=True)
class Reason:
    """Why someone who matches the filters is left out. `q` picks those it holds for; None: all who are still left."""

    key: str
    words: str
    q: Q | None = None


@dataclass(frozen=True)
class Requirement:
    key: str
    words: str
    q: Q
    # Asked for only where those left out are counted: the queries behind them take longer to write than most to run.
    reasons: Callable[[], tuple[Reason, ...]]
    why: Callable[[Patient], str]
    # The same in the form that is faster for a page or one patient, where there is one.
    q_of_few: Q | None = None

    @property
    def of_few(self) -> Q:
        return self.q_of_few or self.q


def fields_for(channels: Collection[str]) -> list[str]:
    """The boxes that are ticked while nobody has touched them: what the messages need, all three without any (A8)."""
    needed = [CHANNEL_FIELD[Channel(channel)] for channel in channels]
    return [field for field in FIELDS if field in needed] or list(FIELDS)


def requirements(require: Collection[str], category: str, removed: QuerySet | None = None) -> list[Requirement]:
    """For the ticked boxes and the messages' category; `removed` are rows (with a `patient`) staff took out by hand."""
    if unknown := set(require) - set(FIELDS):
        raise BadDefinition(f"“{sorted(map(str, unknown))[0]}” is no field that can be required.")
    found = [] if removed is None else [_not_removed(removed)]
    if category == Category.ANNOUNCEMENT:
        found.append(_no_excluded_tag())
    if {"cell", "email"} & set(require):
        found.append(alive())
    if "address" in require:
        found.append(_address())
    if "cell" in require:
        found += [_filled("cell", "cell phone"), _reachable(Channel.TEXT, category)]
    if "email" in require:
        found += [_filled("email", "email address"), _reachable(Channel.EMAIL, category)]
    return found


def _not_removed(removed: QuerySet) -> Requirement:
    def why(patient: Patient) -> str:
        return "Removed by hand" if removed.filter(patient=patient).exists() else "Not removed"

    return Requirement(
        "removed",
        "Not removed by hand",
        ~Q(HasOne(removed)),
        lambda: (Reason("removed", "removed by hand"),),
        why,
    )


def _no_excluded_tag() -> Requirement:
    def why(patient: Patient) -> str:
        tags = Tag.objects.filter(
            Exists(PatientTag.objects.filter(patient=patient, tag=OuterRef("pk"))), always_excluded=True
        )
        names = ", ".join(f"“{tag}”" for tag in tags)
        return f"Has the tag {names}" if names else "Has no tag that keeps announcements away"

    return Requirement(
        "excluded_tag",
        "No tag that keeps announcements away",
        Q(kept_away=False),
        lambda: (Reason("excluded_tag", "not qualified (tag)"),),
        why,
    )


def alive() -> Requirement:
    return Requirement(
        "alive",
        "Not deceased",
        ~Q(inactive_reason=Patient.InactiveReason.DECEASED),
        lambda: (Reason("deceased", "deceased"),),
        lambda patient: "Deceased" if patient.inactive_reason == Patient.InactiveReason.DECEASED else "Not deceased",
    )


def _address() -> Requirement:
    return Requirement(
        "address",
        "Has an address",
        Q(has_address=True),
        lambda: (Reason("no_address", "no address"),),
        lambda patient: "Has an address" if patient.has_address else "No address",
    )


def _filled(column: str, what: str) -> Requirement:
    return Requirement(
        column,
        f"Has a{'n' if what[0] in 'aeiou' else ''} {what}",
        ~Q(**{column: ""}),
        lambda: (Reason(f"no_{column}", f"no {what}"),),
        lambda patient: (
            f"Has a{'n' if what[0] in 'aeiou' else ''} {what}" if getattr(patient, column) else f"No {what}"
        ),
    )


_WORDS = {
    Channel.TEXT: ("May be texted", "landline", "number not in service", "number cannot be texted"),
    Channel.EMAIL: ("May be emailed", "not an email address", "email address bounced", "address cannot be emailed"),
}


def _reachable(channel: Channel, category: str) -> Requirement:
    """The address is usable and has opted out neither of everything nor of messages of this category."""
    words, landline, invalid, other = _WORDS[channel]
    column = CHANNEL_FIELD[channel]
    opted_out_at = {f"{Category(category)}_opted_out_at__isnull": False}
    usable, those_out = Q(**{f"can_{channel}": True}), {"channel": channel} | opted_out_at
    validity = ContactPoint.Validity

    def reasons() -> tuple[Reason, ...]:
        # One look-up by address for each patient who fails; an Exists a reason would read all the practice's addresses.
        points = ContactPoint.objects.filter(channel=channel, address=OuterRef(column))
        opted_out = Q(all_opted_out_at__isnull=False) | Q(**opted_out_at)
        state = points.values_list(
            Case(
                When(opted_out, then=Value("opted_out")),
                When(validity=validity.LANDLINE, then=Value("landline")),
                When(validity__in=[validity.INVALID, validity.SUPPRESSED], then=Value("invalid")),
                default=Value("other"),
            )
        )[:1]
        return (
            Reason(f"{channel}_opted_out", f"opted out of {channel}s", Q(Exact(Subquery(state), "opted_out"))),
            Reason(f"{channel}_landline", landline, Q(Exact(Subquery(state), "landline"))),
            Reason(f"{channel}_invalid", invalid, Q(Exact(Subquery(state), "invalid"))),
            Reason(f"{channel}_other", other),
        )

    def why(patient: Patient) -> str:
        point = ContactPoint.objects.filter(channel=channel, address=patient.address_for(channel)).first()
        if point is None:
            return "No number" if channel == Channel.TEXT else "No email address"
        if point.opted_out_of(category):
            return "Opted out of everything" if point.all_opted_out_at else f"Opted out: {Category(category).label}"
        reason = f" ({point.validity_reason})" if point.validity_reason else ""
        return words if point.is_usable else f"{point.get_validity_display()}{reason}"

    return Requirement(
        f"can_{channel}",
        words,
        # NOT IN builds one hash of those who opted out; the planner would sort both sides to join them.
        usable & ~Q(IsAddress(column, ContactPoint, **those_out)),
        reasons,
        why,
        usable & ~Q(IsAddressOfFew(column, ContactPoint, **those_out)),
    )
