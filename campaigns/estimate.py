"""What a blast would come to if it were switched on now: for the review step, from the loaded audience.

Segments are counted on the real merged words: of everybody up to SAMPLE patients, beyond that of SAMPLE spread evenly
plus those with the longest and the unusual names, so the least and the most are right and the total is close.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Case, CharField, Count, Exists, Min, OuterRef, QuerySet, Value, When
from django.db.models.functions import MD5, Cast, Left, Length

from audience.filters import LeftOut
from audience.filters.requirements import CHANNEL_FIELD, requirements
from audience.models import Channel, ContactPoint, Patient
from audience.numbers import is_toll_free
from campaigns.blast import first_due
from campaigns.engine import next_due
from campaigns.models import Campaign, Step
from campaigns.recipients import audience_of, practice_in_scope
from campaigns.schedule import WORTH_SENDING
from campaigns.sending import identity_for
from messaging.compose import merge_values
from messaging.merge import MergeError
from messaging.quiet_hours import Hours, opening, zones_for
from messaging.segments import count
from messaging.words import text
from trackstat.tenancy.models import Practice

SAMPLE = 2000
# Of each way in which a name can make a text longer.
EXTREMES = 25


@dataclass(frozen=True)
class Held:
    """Texts that quiet hours keep back until `until` (UTC)."""

    count: int
    until: dt.datetime


@dataclass(frozen=True)
class StepEstimate:
    step: Step
    # When it is due (UTC); from `held` one sees what quiet hours make of it.
    due_at: dt.datetime
    recipients: int
    # Nothing may be sent to them (no usable address, opted out, deceased …): a line in the report says why.
    unreachable: int
    least: int = 1
    usual: int = 1
    most: int = 1
    # Segments of a text, number of emails.
    total: int = 0
    held: list[Held] = field(default_factory=list)
    # Texts whose patients' hours do not open while the message is worth sending.
    lapsing: int = 0

    @property
    def held_count(self) -> int:
        return sum(held.count for held in self.held)

    @property
    def held_until(self) -> dt.datetime | None:
        return max((held.until for held in self.held), default=None)


@dataclass(frozen=True)
class Estimate:
    recipients: int
    left_out: Sequence[LeftOut]
    steps: list[StepEstimate]
    # How many patients' messages were merged to count segments, and whether that was everybody.
    counted: int
    is_sample: bool

    @property
    def segments(self) -> int:
        return sum(step.total for step in self.steps if step.step.channel == Channel.TEXT)

    @property
    def emails(self) -> int:
        return sum(step.total for step in self.steps if step.step.channel == Channel.EMAIL)


def estimate(campaign: Campaign) -> Estimate:
    """For a blast whose audience is loaded; steps without words, or with words that do not merge, count nobody.

    Raises BadDefinition for filters that cannot be meant.
    """
    practice = practice_in_scope()
    members = Patient.objects.filter(pk__in=campaign.members.values("patient_id"))
    recipients = members.count()
    sample = _sample(members, recipients)
    values = merge_values(sample, practice)
    steps, due_at, introduced, category = [], None, False, campaign.category
    for step in campaign.steps.select_related("content"):
        due_at = first_due(step) if due_at is None else next_due(step, due_at, practice)
        steps.append(_of_step(step, due_at, members, recipients, sample, values, practice, category, introduced))
        introduced = introduced or step.channel == Channel.TEXT
    left_out = audience_of(campaign).breakdown().left_out
    return Estimate(recipients, left_out, steps, len(sample), len(sample) < recipients)


def _of_step(
    step: Step,
    due_at: dt.datetime,
    members: QuerySet[Patient],
    recipients: int,
    sample: list[Patient],
    values: list[dict[str, str]],
    practice: Practice,
    category: str,
    introduced: bool,
) -> StepEstimate:
    """`introduced`: an earlier text of the campaign has carried the opt-out line already."""
    reachable = _reachable(members, step.channel, category)
    reached = reachable.count()
    unreachable = recipients - reached
    if step.channel == Channel.EMAIL:
        return StepEstimate(step, due_at, recipients, unreachable, total=reached)
    held, lapsing = _quiet(reachable, due_at, practice)
    getting = set(reachable.filter(pk__in=[patient.pk for patient in sample]).values_list("pk", flat=True))
    try:
        all_segments = _segments(step, sample, values, introduced)
    except MergeError:
        all_segments = []
    segments = [n for patient, n in zip(sample, all_segments, strict=False) if patient.pk in getting]
    if not segments:
        return StepEstimate(step, due_at, recipients, unreachable, held=held, lapsing=lapsing)
    # Those after SAMPLE are the extremes, which say nothing about the others.
    spread = [n for patient, n in zip(sample[:SAMPLE], all_segments, strict=False) if patient.pk in getting] or segments
    average = sum(spread) / len(spread)
    return StepEstimate(
        step,
        due_at,
        recipients,
        unreachable,
        least=min(segments),
        usual=Counter(segments).most_common(1)[0][0],
        most=max(segments),
        total=round(average * reached),
        held=held,
        lapsing=lapsing,
    )


def _reachable(members: QuerySet[Patient], channel: str, category: str) -> QuerySet[Patient]:
    """Whose messages will not be born aborted: the same that the audience asks where the channel's box is ticked."""
    needed = requirements([CHANNEL_FIELD[Channel(channel)]], category)
    return members.filter(*[requirement.q for requirement in needed])


def _segments(step: Step, sample: list[Patient], values: list[dict[str, str]], introduced: bool) -> list[int]:
    if step.content is None:
        return []
    identity = identity_for(step.channel)
    toll_free = bool(identity and is_toll_free(identity.address))
    return [
        count(
            text(step.content.body, theirs, with_opt_out_line=not (introduced or _is_introduced(patient))), toll_free
        ).segments
        for patient, theirs in zip(sample, values, strict=True)
    ]


def _is_introduced(patient: Patient) -> bool:
    """As annotated by `_sample`."""
    return patient.is_introduced  # type: ignore[attr-defined]


def _sample(members: QuerySet[Patient], recipients: int) -> list[Patient]:
    """Evenly spread ones first, then the extremes."""
    introduced = ContactPoint.objects.filter(
        channel=Channel.TEXT, address=OuterRef("cell"), introduced_at__isnull=False
    )
    patients = members.annotate(is_introduced=Exists(introduced))
    if recipients <= SAMPLE:
        return list(patients.order_by("pk"))
    spread = list(patients.annotate(place=MD5(Cast("pk", CharField()))).order_by("place")[:SAMPLE])
    extremes: dict[int, Patient] = {}
    for column in ("first_name", "last_name", "preferred_name"):
        longest = patients.annotate(length=Length(column)).order_by("-length", "pk")[:EXTREMES]
        unusual = patients.filter(**{f"{column}__regex": "[^ -~]"}).order_by("pk")[:EXTREMES]
        extremes |= {patient.pk: patient for patient in (*longest, *unusual)}
    seen = {patient.pk for patient in spread}
    return spread + [patient for pk, patient in extremes.items() if pk not in seen]


def _quiet(reachable: QuerySet[Patient], due_at: dt.datetime, practice: Practice) -> tuple[list[Held], int]:
    """Patients of one zone, or without one of one area code, are held alike: asked once for each, not each patient."""
    area = Case(When(time_zone="", then=Left("cell", 5)), default=Value(""))
    groups = (
        reachable.annotate(area=area)
        .values("time_zone", "area")
        .annotate(number=Min("cell"), patients=Count("pk"))
        .order_by()
    )
    hours, held, lapsing = Hours.of(practice.settings), Counter[dt.datetime](), 0
    for group in groups:
        zones = zones_for(group["time_zone"], group["number"], practice.settings.time_zone)
        opens = opening(due_at, zones, hours)
        if opens is None or opens >= due_at + WORTH_SENDING:
            lapsing += group["patients"]
        elif opens > due_at:
            held[opens] += group["patients"]
    return [Held(patients, until) for until, patients in sorted(held.items())], lapsing
