"""What a blast does to a tag of everyone it goes to, with or without a message (A11)."""

from contextlib import suppress

from audience import tagging
from audience.models import Patient
from audience.tags import BadTag
from campaigns.models import Campaign, Enrollment


def tags_only(campaign: Campaign, channels: list[str] | None = None) -> bool:
    """Nobody is written to."""
    return bool(campaign.tag_action) and not (campaign.channels() if channels is None else channels)


def tag_everyone(campaign: Campaign) -> None:
    """Once, in the transaction in which a blast begins: in the background, and to be undone like any other tagging."""
    if not campaign.tag_action or campaign.tag is None:
        return
    enrolled = Enrollment.objects.filter(campaign=campaign).values("patient")
    people = Patient.everyone.filter(pk__in=enrolled)
    # A tag that has become TrackStat's own since: the messages go all the same.
    with suppress(BadTag):
        tagging.start(campaign.tag, campaign.tag_action, people, f"Everyone of “{campaign.name}”", None, campaign.pk)
