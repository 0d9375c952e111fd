from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from campaigns.models import Campaign, Enrollment, Step
from campaigns.views.frame import goes_out
from messaging.models import Message
from trackstat.formats import number, when
from trackstat.htmx import page
from trackstat.tenancy.permissions import needs

PER_PAGE = 25
SORTS: dict[str, Any] = {"name": Lower("name"), "created": "created_at", "state": "state"}
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
        campaign.leaves = _leaves(campaign)
    moving = kind == Campaign.Kind.BLAST and any(_is_moving(campaign) for campaign in shown)
    return page(
        request, template, "rows", rows=shown, q=query, any_at_all=bool(shown) or campaigns.exists(), moving=moving
    )


def with_numbers(campaigns: QuerySet[Campaign]) -> QuerySet[Campaign]:
    """Adds `recipients` and `handed_over` in the list's one query, and each one's messages in a second."""
    enrolled = Enrollment.objects.filter(campaign=OuterRef("pk")).order_by().values("campaign")
    messages = Message.objects.filter(campaign_id=OuterRef("pk")).order_by().values("campaign_id")
    over = messages.annotate(n=Count("pk", filter=Q(state__in=DONE))).values("n")
    return campaigns.annotate(
        recipients=Coalesce(Subquery(enrolled.annotate(n=Count("pk")).values("n")), 0),
        handed_over=Coalesce(Subquery(over), 0),
    ).prefetch_related("steps")


def _leaves(campaign: Campaign) -> str:
    """When the first message goes out, or went."""
    step = next(iter(campaign.steps.all()), None)
    if step is None:
        return "–"
    if step.when == Step.When.NOW and campaign.enabled_at is not None:
        return when(campaign.enabled_at)
    return goes_out(step)


def _is_moving(campaign: Campaign) -> bool:
    """Changes within seconds; one that waits for its date does not."""
    now = any(step.when == Step.When.NOW for step in campaign.steps.all())
    return campaign.state == Campaign.State.SENDING or (campaign.state == Campaign.State.ENABLED and now)


def _sorted(campaigns: QuerySet[Campaign], sort: str) -> QuerySet[Campaign]:
    field = SORTS.get(sort.removeprefix("-"))
    if field is None:
        return campaigns.order_by("-created_at", "-pk")
    ordered = campaigns.annotate(by=field) if not isinstance(field, str) else campaigns
    name = field if isinstance(field, str) else "by"
    return ordered.order_by(f"-{name}" if sort.startswith("-") else name, "-pk")
