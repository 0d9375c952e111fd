from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from campaigns.models import Campaign, Enrollment
from messaging.models import Message
from trackstat.formats import number
from trackstat.htmx import page
from trackstat.tenancy.permissions import needs

PER_PAGE = 25
SORTS = {"name": "name", "created": "created_at", "state": "state"}
DONE = ("sent", "delivered", "undelivered", "failed", "unknown")


@require_GET
@needs("campaigns.view_campaign")
def blasts(request: HttpRequest) -> HttpResponse:
    return _list(request, Campaign.Kind.BLAST, "campaigns/blasts.html")


@require_GET
@needs("campaigns.view_campaign")
def drips(request: HttpRequest) -> HttpResponse:
    return _list(request, Campaign.Kind.DRIP, "campaigns/drips.html")


def _list(request: HttpRequest, kind: str, template: str) -> HttpResponse:
    campaigns = Campaign.objects.filter(kind=kind, archived_at=None)
    query = request.GET.get("q", "").strip()
    found = campaigns.filter(name__icontains=query) if query else campaigns
    rows = Paginator(with_numbers(_sorted(found, request.GET.get("sort", ""))), PER_PAGE)
    shown = rows.get_page(request.GET.get("page"))
    for campaign in shown:
        campaign.progress = f"Sending {number(campaign.handed_over)} of {number(campaign.recipients)}"
    moving = any(campaign.state in Campaign.LIVE for campaign in shown)
    return page(
        request, template, "rows", rows=shown, q=query, any_at_all=bool(shown) or campaigns.exists(), moving=moving
    )


def with_numbers(campaigns: QuerySet[Campaign]) -> QuerySet[Campaign]:
    """Adds `channel` of the first message, `recipients` and `handed_over`, in the list's one query."""
    enrolled = Enrollment.objects.filter(campaign=OuterRef("pk")).order_by().values("campaign")
    messages = Message.objects.filter(campaign_id=OuterRef("pk")).order_by().values("campaign_id")
    over = messages.annotate(n=Count("pk", filter=Q(state__in=DONE))).values("n")
    return campaigns.annotate(
        recipients=Coalesce(Subquery(enrolled.annotate(n=Count("pk")).values("n")), 0),
        handed_over=Coalesce(Subquery(over), 0),
    ).prefetch_related("steps")


def _sorted(campaigns: QuerySet[Campaign], sort: str) -> QuerySet[Campaign]:
    field = SORTS.get(sort.removeprefix("-"))
    if field is None:
        return campaigns.order_by("-created_at", "-pk")
    return campaigns.order_by(f"-{field}" if sort.startswith("-") else field, "-pk")
