"""One message a household: the choice, and who is left out because of it."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from audience.filters import BadDefinition
from audience.households import with_stand_ins
from audience.listing import SIZE, in_order, search
from audience.models import Patient
from campaigns import drafts
from campaigns.models import Campaign
from campaigns.recipients import audience_of
from campaigns.views.audience import builder_of, version_of
from campaigns.views.frame import find
from trackstat.clock import today
from trackstat.formats import number
from trackstat.htmx import page
from trackstat.tenancy.permissions import needs


@require_POST
@needs("campaigns.change_campaign")
def household(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk, Campaign.Kind.BLAST)
    try:
        drafts.save_household(campaign, "one" in request.POST, version_of(request, campaign), request.user)
    except drafts.Conflict:
        messages.warning(request, "Somebody else has changed this campaign meanwhile. Look at it and choose again.")
    except drafts.NotEditable as refused:
        messages.error(request, str(refused))
    return builder_of(request, campaign).answer(request)


@require_GET
@needs("campaigns.change_campaign")
def households(request: HttpRequest, pk: int) -> HttpResponse:
    """Who is left out of the audience as it is now, each with whoever stands for them."""
    campaign = find(pk, Campaign.Kind.BLAST)
    try:
        audience = audience_of(campaign)
    except BadDefinition:
        left_out, channel = Patient.objects.none(), None
    else:
        left_out, channel = audience.same_household(), campaign.household_channel()
    q = " ".join(request.GET.get("q", "").split())[:100]
    rows = Paginator(in_order(search(left_out, q), "name"), SIZE).get_page(request.GET.get("page"))
    n = rows.paginator.count if not q else left_out.count()
    is_phone = channel != "email"
    place = "cell phone" if is_phone else "email address"
    who = "patient shares" if n == 1 else "patients share"
    told = f"{number(n)} {who} the {place} of somebody in this audience, who gets the message for them."
    rows.object_list = with_stand_ins(rows.object_list, today(request.practice))  # type: ignore[assignment]
    return page(
        request,
        "campaigns/households.html",
        "rows",
        campaign=campaign,
        rows=rows,
        q=q,
        told=told if n else "",
        place=place.capitalize(),
        is_phone=is_phone,
    )
