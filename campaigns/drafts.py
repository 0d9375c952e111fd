"""Editing a campaign while it is switched off. Every save names the version it was made from (docs/decisions.md).

Each function is one guarded UPDATE of the campaign first, which also takes its row lock, so that an edit and
switching on never overlap.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import F

from audience.filters import validate
from audience.filters.requirements import requirements
from audience.models import Category, Channel, SavedAudience, Tag
from audience.rows import without_waiting
from audience.tags import BadTag, refuse_reserved
from campaigns.models import Campaign, Step
from campaigns.triggers import trigger_for
from messaging import merge
from messaging.email_body import check_body
from messaging.merge import MergeError
from messaging.models import Content, Message
from trackstat.clock import Now
from trackstat.tenancy import audit
from trackstat.tenancy.models import User


class NotEditable(Exception):
    """The campaign is switched on, sent, stopped or archived; the text says so in words for staff."""


class Conflict(Exception):
    """Somebody else saved meanwhile. `yours` and `theirs` hold the same keys; nothing was overwritten."""

    def __init__(self, campaign: Campaign, yours: dict[str, Any], theirs: dict[str, Any]):
        super().__init__("Somebody else has changed this campaign meanwhile. Compare both versions and save again.")
        self.campaign, self.yours, self.theirs = campaign, yours, theirs


class BadWords(Exception):
    """The message cannot be saved like this; `problems` are sentences for staff."""

    def __init__(self, problems: list[str]):
        super().__init__(" ".join(problems))
        self.problems = problems


def create(kind: str, name: str, by: User | None, category: str = Category.ANNOUNCEMENT, trigger: str = "") -> Campaign:
    """A new draft; a drip names its trigger."""
    if kind == Campaign.Kind.DRIP:
        trigger_for(trigger)
    with transaction.atomic():
        campaign = Campaign.objects.create(
            kind=kind, name=_clean_name(name), created_by=by, category=Category(category), trigger=trigger
        )
        campaign.refresh_from_db()
        audit.record("campaign.created", campaign, user_id=_id(by))
    return campaign


def rename(campaign: Campaign, name: str, version: int, by: User | None) -> Campaign:
    return _save(campaign, version, by, name=_clean_name(name))


def save_category(campaign: Campaign, category: str, version: int, by: User | None) -> Campaign:
    return _save(campaign, version, by, category=Category(category).value)


def save_definition(
    campaign: Campaign, definition: dict, require: list[str] | None, version: int, by: User | None
) -> Campaign:
    """Keep the filters and the ticked boxes (None: as the messages' channels need). Raises BadDefinition.

    No filter at all, or one without its value yet, may be saved, but not loaded and not switched on."""
    validate(without_waiting(definition), may_be_blank=True)
    if require is not None:
        requirements(require, campaign.category)
        require = sorted(set(require))
    return _save(campaign, version, by, definition=definition, require=require)


def save_household(campaign: Campaign, one_per_household: bool, version: int, by: User | None) -> Campaign:
    """One message an address (A13), or one a patient."""
    return _save(campaign, version, by, one_per_household=one_per_household)


def use_saved(campaign: Campaign, saved: SavedAudience, version: int, by: User | None) -> Campaign:
    """Copy a saved audience's filters and boxes, and remember which one it was. Raises BadDefinition."""
    validate(saved.definition)
    copied = {"definition": saved.definition, "require": saved.require}
    return _save(campaign, version, by, **copied, saved_audience_id=saved.pk, saved_version=saved.version)


def begin_with(campaign: Campaign, saved: SavedAudience) -> None:
    """Remember that the filters are those of a saved audience, which was made of them; no edit of the campaign."""
    campaign.saved_audience, campaign.saved_version = saved, saved.version
    campaign.save(update_fields=["saved_audience", "saved_version"])


def save_freshness(campaign: Campaign, keep_fresh: bool, version: int, by: User | None) -> Campaign:
    """Whether a scheduled blast also goes to who comes to match until its time."""
    return _save(campaign, version, by, keep_fresh=keep_fresh)


def save_tag_action(campaign: Campaign, action: str, tag: Tag | None, version: int, by: User | None) -> Campaign:
    """What happens to a tag of everyone a blast is for. Raises BadTag for one that only the system puts on."""
    action = Campaign.TagAction(action).value
    if action and tag is None:
        raise BadTag("Choose the tag, or give a new one a name.")
    if tag is not None:
        refuse_reserved(tag)
    return _save(campaign, version, by, tag_action=action, tag_id=tag.pk if tag and action else None)


def save_trigger(campaign: Campaign, trigger: str, value: dict, version: int, by: User | None) -> Campaign:
    """What a drip waits for. Raises BadTrigger with a sentence."""
    return _save(campaign, version, by, trigger=trigger, trigger_value=trigger_for(trigger).clean(value))


@transaction.atomic
def save_step(
    campaign: Campaign,
    channel: str,
    subject: str,
    body: str,
    when: str,
    at_local: dt.datetime | None,
    delay_minutes: int,
    version: int,
    by: User | None,
    *,
    position: int | None = None,
    time_of_day: dt.time | None = None,
) -> Step:
    """Write one message and when it goes out; `position` None adds one at the end.

    `at_local` is naive: the practice's wall clock. Nothing written yet is kept as a step without words; words that
    would not merge raise BadWords. Changed words are a new Content row.
    """
    subject, body = ("" if channel == Channel.TEXT else subject.strip()), body.strip()
    if wrong := _unmergeable(channel, subject, body):
        raise BadWords(wrong)
    timing = {
        "channel": Channel(channel).value,
        "when": Step.When(when).value,
        "at_local": at_local.replace(tzinfo=dt.UTC) if at_local and when == Step.When.AT else None,
        "delay_minutes": delay_minutes if when == Step.When.DELAY else 0,
        "time_of_day": time_of_day,
    }
    yours = timing | {"subject": subject, "body": body}
    _guard(campaign, version, yours, lambda: _words_and_timing(campaign, position))
    if position is None:
        step = Step(campaign=campaign, position=campaign.steps.count() + 1)
    else:
        step = campaign.steps.select_related("content").get(position=position)
    for field, value in timing.items():
        setattr(step, field, value)
    step.content = _content(step.content, channel, subject, body, by)
    step.save()
    audit.record("campaign.edited", campaign, user_id=_id(by), changed=["message"], position=step.position)
    return step


@transaction.atomic
def remove_step(campaign: Campaign, position: int, version: int, by: User | None) -> Campaign:
    """Take a message out. One that was sent stays: its report hangs on it."""
    _guard(campaign, version, {"position": position}, dict)
    step = campaign.steps.get(position=position)
    if Message.objects.filter(campaign_id=campaign.pk, step_id=step.pk).exists():
        raise NotEditable("This message has been sent before and stays in the report. Change its words instead.")
    step.delete()
    _number(campaign, _step_ids(campaign))
    audit.record("campaign.edited", campaign, user_id=_id(by), changed=["message removed"], position=position)
    return campaign


@transaction.atomic
def reorder_steps(campaign: Campaign, step_ids: list[int], version: int, by: User | None) -> Campaign:
    """Put the messages in the order of `step_ids`, which names each one once."""
    _guard(campaign, version, {"order": step_ids}, lambda: {"order": _step_ids(campaign)})
    if sorted(step_ids) != sorted(_step_ids(campaign)):
        raise ValueError("Name every message of the campaign once.")
    _number(campaign, step_ids)
    audit.record("campaign.edited", campaign, user_id=_id(by), changed=["order"])
    return campaign


def _save(campaign: Campaign, version: int, by: User | None, **changes: Any) -> Campaign:
    with transaction.atomic():
        saved = Campaign.objects.filter(pk=campaign.pk).values(*changes).get
        if _guard(campaign, version, changes, saved, **changes):
            audit.record("campaign.edited", campaign, user_id=_id(by), changed=sorted(changes))
    return campaign


def _guard(
    campaign: Campaign, version: int, yours: dict[str, Any], theirs: Callable[[], dict[str, Any]], **changes: Any
) -> bool:
    """Raise the version if it is still `version` and the campaign is off; False when the same was saved already."""
    fits = Campaign.objects.filter(pk=campaign.pk, state=Campaign.State.DRAFT, archived_at=None)
    raised = fits.filter(version=version).update(version=F("version") + 1, updated_at=Now(), **changes)
    campaign.refresh_from_db()
    if raised:
        return True
    if not campaign.may_be_edited:
        raise NotEditable(why_not_editable(campaign))
    # Read only now: the guard has waited for whoever was saving.
    saved = theirs()
    if yours == saved:
        return False
    raise Conflict(campaign, yours, saved)


def why_not_editable(campaign: Campaign) -> str:
    """A sentence for staff; '' when the campaign may be edited."""
    if campaign.may_be_edited:
        return ""
    if campaign.archived_at is not None:
        return "This campaign was deleted."
    if campaign.state in {Campaign.State.SENT, Campaign.State.STOPPED}:
        return f"This campaign was {campaign.get_state_display().lower()} and stays as it was. Make a new one instead."
    if campaign.state == Campaign.State.SENDING:
        return "This campaign is being sent. Stop it to end it; what was sent stays as it was."
    if campaign.state == Campaign.State.PAUSED:
        return "This campaign is paused in the middle of sending. Resume or stop it."
    return "This campaign is switched on. Switch it off to change it."


def _step_ids(campaign: Campaign) -> list[int]:
    return list(campaign.steps.values_list("pk", flat=True))


def _words_and_timing(campaign: Campaign, position: int | None) -> dict[str, Any]:
    """What is saved for a message now; nothing for one that is only being added, or was removed meanwhile."""
    step = campaign.steps.select_related("content").filter(position=position).first()
    if step is None:
        return {}
    return {
        "channel": step.channel,
        "when": step.when,
        "at_local": step.at_local,
        "delay_minutes": step.delay_minutes,
        "time_of_day": step.time_of_day,
        "subject": step.content.subject if step.content else "",
        "body": step.content.body if step.content else "",
    }


def _unmergeable(channel: str, subject: str, body: str) -> list[str]:
    """Merge fields nobody can fill. What is merely unfinished may be saved; it blocks switching on."""
    wrong = []
    for words, parse in ((subject, merge.parse), (body, check_body if channel == Channel.EMAIL else merge.parse)):
        try:
            parse(words)
        except MergeError as error:
            wrong.append(str(error))
    return wrong


def _content(current: Content | None, channel: str, subject: str, body: str, by: User | None) -> Content | None:
    if not subject and not body:
        return None
    if current and (current.channel, current.subject, current.body) == (channel, subject, body):
        return current
    return Content.objects.create(channel=channel, subject=subject, body=body, created_by=by)


def _number(campaign: Campaign, step_ids: list[int]) -> None:
    # Two rounds: a position may not be taken twice, not even for a moment.
    campaign.steps.update(position=F("position") + len(step_ids) + 1)
    for position, pk in enumerate(step_ids, start=1):
        campaign.steps.filter(pk=pk).update(position=position)


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise ValueError("Give the campaign a name.")
    return name[:120]


def _id(by: User | None) -> int | None:
    return by.pk if by is not None else None
