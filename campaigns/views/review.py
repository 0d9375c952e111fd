"""Step 4: what will happen; and once it is switched on, what is happening, live."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from audience.filters import BadDefinition
from audience.views.tagging import shown_jobs
from campaigns import estimate
from campaigns.blast import first_due
from campaigns.models import Campaign
from campaigns.recipients import audience_of
from campaigns.standing import stop_preview
from campaigns.views.frame import CHANGE, find, wizard
from trackstat.clock import now
from trackstat.formats import number
from trackstat.htmx import redirect_to, wants_part
from trackstat.tenancy.permissions import needs

# Seconds between two looks: while messages leave, and while a time that was set is still far off.
SOON, LATER = 2, 30


@require_GET
@needs("campaigns.view_campaign")
def blast(request: HttpRequest, pk: int) -> HttpResponse:
    """Where a row of the list leads: a draft goes on where it was left, one that was switched on shows how it goes."""
    campaign = find(pk)
    may_change = request.membership.can(CHANGE)
    if campaign.kind == Campaign.Kind.DRIP:
        place = "campaigns:drip"
    elif not campaign.may_be_edited or not may_change or (campaign.loaded_at and campaign.steps.exists()):
        place = "campaigns:review"
    else:
        place = "campaigns:message" if campaign.loaded_at else "campaigns:audience"
    return redirect_to(request, request.practice.url(place, campaign.pk))


@require_GET
@needs("campaigns.view_campaign")
def review(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk, Campaign.Kind.BLAST)
    context = _plan(campaign) if campaign.state == Campaign.State.DRAFT else _progress(campaign)
    if not wants_part(request):
        context["tag_jobs"] = shown_jobs(campaign.pk)
    return wizard(request, campaign, "review", "state", **context)


def _plan(campaign: Campaign) -> dict[str, Any]:
    if campaign.loaded_at is None:
        return {}
    try:
        reckoned = estimate.estimate(campaign)
        sentences = audience_of(campaign).sentences()
    except BadDefinition:
        # The panel says what is wrong with the filters.
        return {}
    left_out = [row for row in reckoned.left_out if row.count]
    return {
        "estimate": reckoned,
        "left_out": left_out,
        "left_out_most": max((row.count for row in left_out), default=0),
        "sentences": sentences,
    }


def _progress(campaign: Campaign) -> dict[str, Any]:
    """Counted in patients: each gets a message or a line in the report that says why not."""
    stop = stop_preview(campaign)
    everyone = campaign.enrollments.count()
    over = everyone - stop.will_not_be_sent - stop.under_way
    campaign.progress = f"Sending {number(over)} of {number(everyone)}"
    first = campaign.steps.first()
    waits = campaign.state == Campaign.State.ENABLED and first is not None and first_due(first) > now()
    return {
        "stop": stop,
        "everyone": everyone,
        "over": over,
        "finished": not campaign.is_live and campaign.state != Campaign.State.PAUSED,
        "waits": waits,
        # After a pause or a stop, too, until what was on its way has arrived.
        "look_again": (LATER if waits else SOON) if campaign.is_live or stop.under_way else 0,
        "not_sent": everyone - stop.sent - stop.under_way,
    }
