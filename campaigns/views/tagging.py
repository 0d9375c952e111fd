"""Tagging everyone of a blast's audience: those loaded, else those who match now."""

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from audience import tags
from audience.builder import INSIST
from audience.filters import BadDefinition
from audience.listing import search
from audience.models import Patient
from audience.views.tagging import MAY_TAG, ask_or_start, asked_for
from campaigns import drafts
from campaigns.models import Campaign
from campaigns.recipients import audience_of
from campaigns.views.audience import version_of
from campaigns.views.frame import find
from trackstat.htmx import redirect_to
from trackstat.tenancy.permissions import needs


@require_http_methods(["GET", "POST"])
@needs("campaigns.change_campaign")
@needs(MAY_TAG)
def tag_audience(request: HttpRequest, pk: int) -> HttpResponse:
    campaign, q = find(pk, Campaign.Kind.BLAST), asked_for(request)
    back = request.practice.url("campaigns:audience", campaign.pk)
    try:
        patients, words = _people(campaign)
    except BadDefinition as lacking:
        messages.error(request, f"Nobody was tagged. {lacking}")
        return redirect_to(request, f"{back}?{INSIST}=1")
    whom = f"{words} “{campaign.name}”" + (f", found by “{q}”" if q else "")
    return ask_or_start(request, search(patients, q), whom, back, q, campaign.pk)


@require_POST
@needs("campaigns.change_campaign")
@needs(MAY_TAG)
def tag_action(request: HttpRequest, pk: int) -> HttpResponse:
    """What the blast does to a tag, with or without a message."""
    campaign, action = find(pk, Campaign.Kind.BLAST), request.POST.get("action", "")
    action = action if action in Campaign.TagAction.values else ""
    try:
        with transaction.atomic():
            tag = tags.create(request.POST.get("name", ""), request.user) if action else None
            drafts.save_tag_action(campaign, action, tag, version_of(request, campaign), request.user)
    except drafts.Conflict:
        messages.warning(request, "Somebody else has changed this campaign meanwhile. Look at it and choose again.")
    except (tags.BadTag, drafts.NotEditable) as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "Saved.")
    return redirect_to(request, request.practice.url("campaigns:message", campaign.pk))


def _people(campaign: Campaign) -> tuple[QuerySet[Patient], str]:
    """As the preview lists them, and what to call them. Raises BadDefinition while a filter has no value."""
    if campaign.loaded_at is not None and not campaign.is_stale:
        return Patient.objects.filter(pk__in=campaign.members.values("patient_id")), "Everyone loaded in"
    return audience_of(campaign).queryset(), "Everyone who matches"
