from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from audience.filters import BadDefinition
from campaigns import drafts
from campaigns.forms import DripForm
from campaigns.models import Campaign, Step
from campaigns.problems import problems
from campaigns.recipients import audience_of
from campaigns.standing import stop_preview, too_late
from campaigns.triggers import trigger_for
from campaigns.views.audience import version_of
from campaigns.views.frame import CHANGE, blockers, find
from messaging import merge
from messaging.words import OPT_OUT_LINE
from trackstat.htmx import page, redirect_to
from trackstat.tenancy.models import User
from trackstat.tenancy.permissions import needs

BIRTHDAY = "birthday"


@require_http_methods(["GET", "POST"])
@needs("campaigns.change_campaign")
def new_drip(request: HttpRequest) -> HttpResponse:
    form = DripForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            campaign = drafts.create(Campaign.Kind.DRIP, form.cleaned_data["name"], request.user, trigger=BIRTHDAY)
            saved = _save(form, campaign, None, request.user, campaign.version)
            # Words that cannot be sent leave no half campaign behind.
            transaction.set_rollback(not saved)
        if saved:
            return redirect_to(request, request.practice.url("campaigns:drip", campaign.pk))
    return _page(request, form, None)


@require_http_methods(["GET", "POST"])
@needs("campaigns.view_campaign")
def drip(request: HttpRequest, pk: int) -> HttpResponse:
    if request.method == "POST" and not request.membership.can(CHANGE):
        raise PermissionDenied(CHANGE)
    campaign = find(pk, Campaign.Kind.DRIP)
    step = campaign.steps.select_related("content").first()
    form = DripForm(request.POST or None, initial=_initial(campaign, step))
    version = version_of(request, campaign)
    if request.method == "POST" and form.is_valid() and _save(form, campaign, step, request.user, version):
        messages.success(request, "Saved.")
        return redirect_to(request, request.practice.url("campaigns:drip", campaign.pk))
    return _page(request, form, campaign)


def _save(form: DripForm, campaign: Campaign, step: Step | None, by: User, version: int) -> bool:
    said = form.cleaned_data
    try:
        drafts.rename(campaign, said["name"], version, by)
        drafts.save_household(campaign, said["one_per_household"], campaign.version, by)
        drafts.save_step(
            campaign,
            said["channel"],
            said["subject"],
            said["body"],
            Step.When.NOW,
            None,
            0,
            campaign.version,
            by,
            position=step.position if step else None,
            time_of_day=said["time_of_day"],
        )
    except drafts.BadWords as bad:
        for problem in bad.problems:
            form.add_error("body", problem)
    except drafts.Conflict:
        form.add_error(None, _meanwhile(campaign))
    except drafts.NotEditable as refused:
        form.add_error(None, str(refused))
    return not form.errors


def _meanwhile(campaign: Campaign) -> str:
    step = campaign.steps.select_related("content").first()
    theirs = step.content.body if step and step.content else ""
    return (
        f"Somebody else has saved this campaign meanwhile, named “{campaign.name}”, with the words “{theirs}”."
        " Yours are below and not saved: save again to keep yours."
    )


def _initial(campaign: Campaign, step: Step | None) -> dict:
    initial = {"name": campaign.name, "one_per_household": campaign.one_per_household}
    if step:
        initial |= {"channel": step.channel, "time_of_day": step.time_of_day}
        initial |= {"subject": step.content.subject, "body": step.content.body} if step.content else {}
    return initial


def _page(request: HttpRequest, form: DripForm, campaign: Campaign | None) -> HttpResponse:
    may_change = request.membership.can(CHANGE)
    context = {
        "form": form,
        "campaign": campaign,
        "fields": merge.FIELDS,
        "opt_out_line": OPT_OUT_LINE,
        "editable": may_change and (campaign is None or campaign.may_be_edited),
    }
    if campaign is not None:
        found = problems(campaign) if campaign.may_be_edited else []
        context |= {
            "trigger": trigger_for(campaign.trigger).describe(campaign.trigger_value),
            "sentence": _who(campaign),
            "may_change": may_change,
            "blockers": blockers(request.practice, request.membership, campaign, found),
            **_at_rest(campaign),
        }
    return page(request, "campaigns/drip.html", status=422 if form.errors else 200, **context)


def _who(campaign: Campaign) -> str:
    """The filters in words, or what is wrong with them; '' without any."""
    if not campaign.definition.get("primary") and not campaign.definition.get("filters"):
        return ""
    try:
        return audience_of(campaign).sentence()
    except BadDefinition as bad:
        return str(bad)


def _at_rest(campaign: Campaign) -> dict:
    """Of one that is paused or stopped: its numbers."""
    if campaign.state not in {Campaign.State.PAUSED, Campaign.State.STOPPED}:
        return {}
    stop, late = stop_preview(campaign), too_late(campaign)
    return {"stop": stop, "late": late, "in_time": stop.will_not_be_sent - late}
