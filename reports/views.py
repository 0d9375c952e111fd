import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Exists, F, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from audience.models import Channel
from audience.views.tagging import shown_jobs
from campaigns.models import Campaign, Enrollment, Step
from messaging import uncertain
from messaging.errors import explain
from messaging.models import Message
from reports import words
from reports.numbers import FLAGS, PARTS, Numbers, count
from reports.people import People
from trackstat.clock import now
from trackstat.formats import share, when
from trackstat.htmx import page, wants_part
from trackstat.tenancy import audit
from trackstat.tenancy.permissions import needs

CAMPAIGNS_ON_A_PAGE, PEOPLE_ON_A_PAGE = 25, 50
# Delivery reports that have not come by then come rarely; the page stops looking by itself.
REPORTS_COME_FOR = dt.timedelta(minutes=15)

State = Campaign.State


@require_GET
@needs("reports.view_report")
def index(request: HttpRequest) -> HttpResponse:
    """Every campaign that was ever switched on, newest first, with its numbers."""
    q = " ".join(request.GET.get("q", "").split())[:100]
    # A drip that is off again keeps its report.
    begun = ~Q(state=State.DRAFT) | Exists(Enrollment.objects.filter(campaign=OuterRef("pk")))
    campaigns = Campaign.objects.filter(begun).prefetch_related("steps")
    found = campaigns.filter(name__icontains=q) if q else campaigns
    shown = Paginator(found.order_by(F("enabled_at").desc(nulls_last=True), "-pk"), CAMPAIGNS_ON_A_PAGE).get_page(
        request.GET.get("page")
    )
    listed = list(shown)
    numbers = count(campaign.pk for campaign in listed)
    rows = [
        {
            "campaign": campaign,
            "numbers": numbers[campaign.pk],
            "share": share(numbers[campaign.pk]["delivered"], numbers[campaign.pk]["recipients"]),
            "url": request.practice.url("reports:campaign", campaign.pk),
        }
        for campaign in listed
    ]
    moment = now()
    live = any(_is_live(row["campaign"], row["numbers"], moment) for row in rows)
    context = {"shown": shown, "rows": rows, "q": q, "live": live, "uncertain": uncertain.count()}
    return page(request, "reports/index.html", partial="rows", **context)


@require_GET
@needs("reports.view_report")
def campaign(request: HttpRequest, pk: int) -> HttpResponse:
    """One campaign's numbers, live, and the patients behind one of them."""
    found = get_object_or_404(Campaign.objects.prefetch_related("steps"), pk=pk)
    step = _step(found, request.GET.get("step", ""))
    numbers = count([found.pk])[found.pk].of_step(step.pk if step else None)
    context = _numbers(request, found, step, numbers)
    if wants_part(request) and "live" in request.GET:
        return page(request, "reports/campaign.html", partial="numbers", **context)
    if not wants_part(request):
        audit.record("report.viewed", found)
    request.place = "reports:index"
    context["tag_jobs"] = [] if wants_part(request) else shown_jobs(found.pk)
    return page(request, "reports/campaign.html", partial="people", **context, **_people(request, found, step))


def _step(campaign: Campaign, asked: str) -> Step | None:
    steps = list(campaign.steps.all())
    return next((step for step in steps if str(step.position) == asked), steps[0] if steps else None)


def _numbers(request: HttpRequest, campaign: Campaign, step: Step | None, numbers: Numbers) -> dict[str, Any]:
    channel = step.channel if step else Channel.TEXT
    recipients, moment = numbers["recipients"], now()
    base = {"step": step.position} if step else {}

    def address(show: str, **more: str) -> str:
        return f"?{urlencode(base | {'show': show} | more)}#people"

    figures = [
        {
            "label": words.LABELS[name],
            "n": numbers[name],
            "share": "" if name == "recipients" else share(numbers[name], recipients),
            "url": address(name),
            "made_of": words.MADE_OF[name],
        }
        for name in words.shown(channel, numbers)
    ]
    causes = {
        part: [
            {"cause": cause, "url": address(part, reason=cause.reason, code=cause.error_code)}
            for cause in numbers.causes(part)
        ]
        for part in ("errors", "not_sent")
    }
    live = _is_live(campaign, numbers, moment)
    uncertain_url = f"{request.practice.url('uncertain:index')}?{urlencode({'campaign': campaign.pk})}"
    return {
        "uncertain": uncertain.count_of_campaign(campaign.pk),
        "uncertain_url": uncertain_url,
        "campaign": campaign,
        "step": step,
        "steps": [
            {
                "label": f"{each.position}. {each.get_channel_display()}",
                "url": f"?{urlencode({'step': each.position})}",
                "current": each == step,
            }
            for each in campaign.steps.all()
        ],
        "numbers": numbers,
        "figures": figures,
        "funnel": [
            {"label": label, "n": n, "url": address(show) if show else ""}
            for label, show, n in words.funnel(channel, numbers)
        ],
        "errors": causes["errors"],
        "not_sent": causes["not_sent"],
        "recipients": recipients,
        "settled": numbers.settled,
        "rate": numbers.per_second(moment) if numbers["waiting"] else None,
        "held": _held(campaign, numbers, moment),
        "live_url": f"{request.path}?{urlencode(base | {'live': 1})}" if live else "",
    }


def _held(campaign: Campaign, numbers: Numbers, moment: dt.datetime) -> str:
    """Why nothing goes out at this moment; '' while something does."""
    if campaign.state == State.PAUSED:
        return "Paused"
    if numbers.next_at and numbers.next_at > moment and not numbers.per_second(moment):
        return f"The next go out {when(numbers.next_at)}"
    return ""


def _is_live(campaign: Campaign, numbers: Numbers, moment: dt.datetime) -> bool:
    """Whether the numbers can be expected to change while someone looks."""
    if campaign.state == State.SENDING or (campaign.state == State.ENABLED and campaign.kind == Campaign.Kind.BLAST):
        return True
    recently = numbers.last_at is not None and numbers.last_at > moment - REPORTS_COME_FOR
    return recently and bool(numbers["on_the_way"] or numbers["waiting"])


def explained_cause(reason: str, code: str) -> str:
    """The cause a list is narrowed to, in words; '' when it is not."""
    if reason and reason in Message.Reason:
        return Message.Reason(reason).label
    return explain(code).what if code else ""


def _people(request: HttpRequest, campaign: Campaign, step: Step | None) -> dict[str, Any]:
    show = request.GET.get("show", "")
    if show not in {"recipients", *PARTS, *FLAGS}:
        show = "recipients"
    q = " ".join(request.GET.get("q", "").split())[:100]
    reason, code = request.GET.get("reason", "")[:20], request.GET.get("code", "")[:40]
    kept = {"step": step.position} if step else {}
    people = People(campaign.pk, step.pk if step else None, show, reason, code, q)
    return {
        "show": show,
        "show_label": words.LABELS[show],
        "chip_words": explained_cause(reason, code) or words.LABELS[show],
        "all_url": f"?{urlencode(kept)}#people",
        "made_of": words.MADE_OF[show],
        "reason": reason,
        "code": code,
        "q": q,
        "people": Paginator(people, PEOPLE_ON_A_PAGE).get_page(request.GET.get("page")),
        "may_read": request.membership.can("messaging.view_conversation"),
    }
