"""Everything that keeps a campaign from being switched on, in words for staff, each with the place to mend it."""

from collections.abc import Iterator
from dataclasses import dataclass

from audience.filters import BadDefinition, validate
from audience.models import Category, Channel
from campaigns.models import Campaign, Step
from campaigns.recipients import audience_of, practice_in_scope
from campaigns.schedule import is_skipped, to_utc
from campaigns.sending import identity_for
from campaigns.tagging import tags_only
from campaigns.triggers import BadTrigger, trigger_for
from messaging.compose import problems as problems_of_words
from messaging.models import SendingIdentity
from trackstat.clock import now
from trackstat.formats import clock, day, number
from trackstat.tenancy.models import Practice

# Steps of the wizard, and the two pages outside it where something may have to be mended.
AUDIENCE, MESSAGE, SETTINGS, IDENTITIES = "audience", "message", "settings", "identities"


@dataclass(frozen=True)
class Problem:
    text: str
    # Where it is mended: one of the names above.
    step: str
    # Which message it is about.
    position: int | None = None
    # Switching on mends it by loading the audience, and asks before anything is sent (A5).
    by_loading: bool = False


def problems(campaign: Campaign) -> list[Problem]:
    """What is in the way; empty when the campaign may be switched on."""
    practice = practice_in_scope()
    steps = list(campaign.steps.select_related("content"))
    found = [*_about_messages(campaign, steps, practice)]
    if campaign.kind == Campaign.Kind.BLAST:
        found += _about_audience(campaign, practice)
    else:
        found += _about_trigger(campaign)
    found += _about_practice(campaign, steps, practice)
    return found


def problems_of_practice(campaign: Campaign) -> list[Problem]:
    """What the practice itself lacks for this campaign. It can be taken away at any time, so it is asked for again
    before messages are written and before sending goes on."""
    return list(_about_practice(campaign, list(campaign.steps.all()), practice_in_scope()))


def _about_messages(campaign: Campaign, steps: list[Step], practice: Practice) -> Iterator[Problem]:
    if not steps and not campaign.tag_action:
        yield Problem("There is no message yet. Write one, or choose a tag to put on everyone instead.", MESSAGE)
    if campaign.tag_action and campaign.tag_id is None:
        yield Problem("The tag to put on or take off was deleted. Choose another one.", MESSAGE)
    before = now()
    for step in steps:
        for text in _wrong_words(step):
            yield Problem(_which(step, steps) + text, MESSAGE, step.position)
        if campaign.kind == Campaign.Kind.BLAST:
            for text in _wrong_time(step, before, practice):
                yield Problem(_which(step, steps) + text, MESSAGE, step.position)
            if step.wall_time is not None:
                before = max(before, to_utc(step.wall_time, practice.tz))


def _wrong_words(step: Step) -> list[str]:
    if step.content is None:
        return ["Nothing is written yet."]
    if step.content.channel != step.channel:
        return ["It was changed to another channel. Write it again."]
    words = problems_of_words(step.channel, step.content.subject, step.content.body)
    # Mended in Settings, so said there (_about_practice).
    return [problem for problem in words if "postal address" not in problem]


def _wrong_time(step: Step, before, practice: Practice) -> Iterator[str]:
    if step.when == Step.When.AT:
        if step.wall_time is None:
            yield "Choose its date and time."
        elif is_skipped(step.wall_time, practice.tz):
            yield (
                f"On {day(step.wall_time.date())} the clocks skip {clock(step.wall_time.time())}"
                " (daylight saving time begins). Choose another time."
            )
        elif to_utc(step.wall_time, practice.tz) <= before:
            yield (
                "Its time has passed. Choose a later one, or Now."
                if step.position == 1
                else "Its time has passed, or it comes before the message above it. Choose a later one."
            )
    elif step.when == Step.When.DELAY and step.position == 1:
        yield "The first message goes out now or at a date and time: there is none before it to wait for."
    elif step.when == Step.When.NOW and step.position > 1:
        yield "Say how long after the message above it goes out, or choose a date and time."


def _about_audience(campaign: Campaign, practice: Practice) -> Iterator[Problem]:
    try:
        validate(campaign.definition)
    except BadDefinition as wrong:
        yield Problem(str(wrong), AUDIENCE)
        return
    if campaign.loaded_at is None:
        yield Problem("The audience is not loaded yet. Load it to see who gets this.", AUDIENCE, by_loading=True)
    elif campaign.is_stale:
        yield Problem(
            "The filters were changed after the audience was loaded. Load it again.", AUDIENCE, by_loading=True
        )
    elif not campaign.loaded_count:
        yield Problem("Nobody is in the audience. Widen the filters and load again.", AUDIENCE)
    elif too_many := whole_database(campaign, practice, campaign.loaded_count):
        yield Problem(f"{too_many} Narrow the filters.", AUDIENCE)


def whole_database(campaign: Campaign, practice: Practice, count: int) -> str:
    """Why so many cannot get an announcement (A3); '' when they can."""
    if campaign.category != Category.ANNOUNCEMENT or tags_only(campaign):
        return ""
    allowed, contactable = practice.settings.whole_database_percent, audience_of(campaign).contactable()
    if count * 100 <= allowed * contactable:
        return ""
    return (
        f"An announcement cannot go to the whole practice: these are {number(count)} of the {number(contactable)}"
        f" patients who can be written to, more than {allowed} %."
    )


def _about_trigger(campaign: Campaign) -> Iterator[Problem]:
    try:
        trigger_for(campaign.trigger).clean(campaign.trigger_value)
        validate(campaign.definition, may_be_blank=True)
    except (BadTrigger, BadDefinition) as wrong:
        yield Problem(str(wrong), AUDIENCE)


def _about_practice(campaign: Campaign, steps: list[Step], practice: Practice) -> Iterator[Problem]:
    settings = practice.settings
    if steps and campaign.category == Category.ANNOUNCEMENT and settings.attested_at is None:
        yield Problem(
            "The practice has not confirmed that its intake form asks patients for marketing messages."
            " An Administrator confirms it in Settings.",
            SETTINGS,
        )
    for channel in sorted({step.channel for step in steps}):
        if identity_for(channel) is None:
            yield Problem(_no_identity(channel), IDENTITIES)
        if channel == Channel.EMAIL and not settings.postal_address:
            yield Problem("Every email names the practice's postal address: enter it in Settings.", SETTINGS)
        if channel == Channel.TEXT and not settings.phone:
            yield Problem(
                "Patients who text HELP are told the practice's phone number: enter it in Settings.", SETTINGS
            )


def _no_identity(channel: str) -> str:
    kind = "texting number" if channel == Channel.TEXT else "From address"
    ours = SendingIdentity.objects.filter(channel=channel)
    if not ours.exists():
        return f"The practice has no {kind} yet. An Administrator adds one in Settings."
    if not ours.filter(is_active=True).exists():
        return f"The practice's {kind} is switched off. An Administrator switches it on in Settings."
    return (
        f"The practice's {kind} is not approved by the carriers yet, so nothing can be sent from it."
        " Its registration is shown in Settings."
    )


def _which(step: Step, steps: list[Step]) -> str:
    return f"Message {step.position}: " if len(steps) > 1 else ""
