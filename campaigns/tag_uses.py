"""Which campaigns use a tag: in their filters, or to put it on or take it off. Registered by importing this module."""

from audience.models import Tag
from audience.tag_uses import PLACES, Place, Use, tags_in, with_tag_replaced
from campaigns.models import Campaign
from trackstat.tenancy.models import Practice

# What was sent or stopped stays as it was, whatever becomes of the tag.
_OVER = (Campaign.State.SENT, Campaign.State.STOPPED)


def _find(practice: Practice) -> dict[int, list[Use]]:
    found: dict[int, list[Use]] = {}
    current = Campaign.objects.filter(archived_at=None).exclude(state__in=_OVER).order_by("name", "pk")
    for campaign in current.only("pk", "kind", "name", "state", "definition", "tag_id"):
        blast = campaign.kind == Campaign.Kind.BLAST
        url = practice.url("campaigns:blast" if blast else "campaigns:drip", campaign.pk)
        what = "Filter of the blast" if blast else "Filter of the drip"
        for tag_id in tags_in(campaign.definition):
            found.setdefault(tag_id, []).append(Use(what, campaign.name, url))
        if campaign.tag_id:
            found.setdefault(campaign.tag_id, []).append(Use("Tagging of the blast", campaign.name, url))
    return found


def _replace(old: Tag, new: Tag) -> None:
    """Of all campaigns, so that a copy of a sent one means the same people as before."""
    for campaign in Campaign.objects.select_for_update(no_key=True).order_by("pk"):
        changes: dict = {}
        if old.pk in tags_in(campaign.definition):
            changes["definition"] = with_tag_replaced(campaign.definition, old.pk, new.pk)
        loaded = campaign.loaded_definition
        if loaded and old.pk in tags_in(loaded.get("definition")):
            changed = with_tag_replaced(loaded["definition"], old.pk, new.pk)
            changes["loaded_definition"] = loaded | {"definition": changed}
        if campaign.tag_id == old.pk:
            changes["tag"] = new
        if changes:
            Campaign.objects.filter(pk=campaign.pk).update(**changes)


def _forget(tag: Tag) -> None:
    Campaign.objects.filter(tag=tag).update(tag=None)


PLACES.append(Place(_find, _replace, _forget))
