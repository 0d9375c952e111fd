"""Tagging everyone of a blast's audience: those loaded, else those who match now."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from audience.filters import BadDefinition
from audience.listing import search
from audience.models import Patient
from audience.views.tagging import MAY_TAG, ask_or_start, asked_for
from campaigns.models import Campaign
from campaigns.recipients import audience_of
from campaigns.views.frame import find
from trackstat.tenancy.permissions import needs


@require_http_methods(["GET", "POST"])
@needs("campaigns.change_campaign")
@needs(MAY_TAG)
def tag_audience(request: HttpRequest, pk: int) -> HttpResponse:
    campaign, q = find(pk, Campaign.Kind.BLAST), asked_for(request)
    patients, words = _people(campaign)
    whom = f"{words} “{campaign.name}”" + (f", found by “{q}”" if q else "")
    back = request.practice.url("campaigns:audience", campaign.pk)
    return ask_or_start(request, search(patients, q), whom, back, q, campaign.pk)


def _people(campaign: Campaign) -> tuple[QuerySet[Patient], str]:
    """As the preview lists them, and what to call them."""
    if campaign.loaded_at is not None and not campaign.is_stale:
        return Patient.objects.filter(pk__in=campaign.members.values("patient_id")), "Everyone loaded in"
    try:
        return audience_of(campaign).queryset(), "Everyone who matches"
    except BadDefinition:
        return Patient.objects.none(), "Everyone who matches"
