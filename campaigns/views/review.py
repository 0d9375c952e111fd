from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from campaigns import estimate
from campaigns.models import Campaign
from campaigns.moves import stop_preview
from campaigns.recipients import audience_of
from campaigns.views.frame import find, wizard
from trackstat.htmx import redirect_to
from trackstat.tenancy.permissions import needs


@require_GET
@needs("campaigns.view_campaign")
def blast(request: HttpRequest, pk: int) -> HttpResponse:
    """Where a row of the list leads: a draft goes on where it was left, a sent one to its report."""
    campaign = find(pk)
    if campaign.kind == Campaign.Kind.DRIP:
        place = "campaigns:drip"
    elif not campaign.may_be_edited or (campaign.loaded_at and campaign.steps.exists()):
        place = "campaigns:review"
    else:
        place = "campaigns:message" if campaign.loaded_at else "campaigns:audience"
    if place != "campaigns:review" and not request.membership.can("campaigns.change_campaign"):
        place = "campaigns:review"
    return redirect_to(request, request.practice.url(place, campaign.pk))


@require_GET
@needs("campaigns.view_campaign")
def review(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk)
    preview = stop_preview(campaign)
    everyone = campaign.enrollments.count()
    waiting = preview.will_not_be_sent + preview.under_way
    context: dict[str, Any] = {
        "stop": preview,
        "recipients_all": everyone,
        "over": everyone - waiting,
        "finished": not campaign.is_live,
    }
    if campaign.may_be_edited and campaign.loaded_at is not None:
        reckoned = estimate.estimate(campaign)
        context["estimate"] = reckoned
        context["left_out_most"] = max((row.count for row in reckoned.left_out), default=0)
        context["sentences"] = audience_of(campaign).sentences()
    return wizard(request, campaign, "review", "state", **context)
