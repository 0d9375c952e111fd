"""Campaigns and saved audiences: start from one, keep the filters as one. And whether a scheduled blast stays fresh."""

from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from audience import saved
from audience.filters import BadDefinition
from audience.models import SavedAudience
from campaigns import drafts
from campaigns.models import Campaign
from campaigns.views.frame import find
from trackstat.htmx import redirect_to
from trackstat.tenancy.models import Practice
from trackstat.tenancy.permissions import needs

BUILD = "audience.view_audience"
# The page with a campaign's filters.
PAGES = {Campaign.Kind.BLAST: "campaigns:audience", Campaign.Kind.DRIP: "campaigns:drip_audience"}
USE = {Campaign.Kind.BLAST: "campaigns:use_audience", Campaign.Kind.DRIP: "campaigns:use_drip_audience"}
# Offered in the menu, which is searched.
OFFERED = 500


@require_POST
@needs("campaigns.change_campaign")
def use_audience(request: HttpRequest, pk: int, kind: str = Campaign.Kind.BLAST) -> HttpResponse:
    campaign = find(pk, kind)
    given = request.POST.get("saved", "")
    chosen = get_object_or_404(SavedAudience.objects, pk=int(given[:18]) if given.isdecimal() else 0)
    try:
        drafts.use_saved(campaign, chosen, campaign.version, request.user)
    except (BadDefinition, drafts.NotEditable, drafts.Conflict) as refused:
        messages.error(request, f"“{chosen.name}” was not taken. {refused}")
    else:
        messages.success(request, f"These are the filters of “{chosen.name}” now.")
    return redirect_to(request, request.practice.url(PAGES[campaign.kind], campaign.pk))


@require_POST
@needs(BUILD)
def keep_audience(request: HttpRequest, pk: int, kind: str = Campaign.Kind.BLAST) -> HttpResponse:
    """The campaign's filters, as they are saved in it, under a name."""
    campaign = find(pk, kind)
    name, description = request.POST.get("name", ""), request.POST.get("description", "")
    try:
        made = saved.create(name, description, campaign.definition, campaign.require, request.user)
    except (saved.BadName, BadDefinition) as bad:
        messages.error(request, f"Not saved. {bad}")
    else:
        drafts.begin_with(campaign, made)
        messages.success(request, f"Saved as “{made.name}”. Other campaigns can start from it, too.")
    return redirect_to(request, request.practice.url(PAGES[campaign.kind], campaign.pk))


@require_POST
@needs("campaigns.change_campaign")
def freshness(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk, Campaign.Kind.BLAST)
    try:
        drafts.save_freshness(campaign, request.POST.get("keep_fresh") == "1", campaign.version, request.user)
    except (drafts.NotEditable, drafts.Conflict) as refused:
        messages.error(request, str(refused))
    return redirect_to(request, request.practice.url("campaigns:review", campaign.pk))


def origin(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """For the page: which saved audience the filters began as, and whether either has changed since."""
    began = campaign.saved_audience
    if began is None:
        return {"began": None, "use_url": request.practice.url(USE[campaign.kind], campaign.pk)}
    return {
        "began": began,
        "use_url": request.practice.url(USE[campaign.kind], campaign.pk),
        "began_same": (campaign.definition, campaign.require) == (began.definition, began.require),
        "began_changed": began.version != campaign.saved_version,
        "may_build": request.membership.can(BUILD),
    }


def offered() -> list[tuple[int, str]]:
    return list(SavedAudience.objects.order_by(Lower("name"), "pk").values_list("pk", "name")[:OFFERED])


@saved.uses
def campaigns_that_began(practice: Practice, ids: Collection[int]) -> dict[int, list[saved.Use]]:
    """For the pages of saved audiences."""
    found: dict[int, list[saved.Use]] = {}
    for campaign in Campaign.objects.filter(saved_audience__in=ids, archived_at=None).order_by("-created_at", "-pk"):
        page = "campaigns:blast" if campaign.kind == Campaign.Kind.BLAST else "campaigns:drip"
        use = saved.Use(campaign.name, practice.url(page, campaign.pk))
        found.setdefault(campaign.saved_audience_id or 0, []).append(use)
    return found
