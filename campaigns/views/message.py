"""Step 3: what is said, as which channel, when. Saved while one types."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from audience.models import Tag
from campaigns import drafts
from campaigns.forms import MessageForm, message_initial
from campaigns.models import Campaign, Step
from campaigns.sending import identity_for
from campaigns.views.audience import load_if_needed, version_of
from campaigns.views.frame import find, wizard
from messaging import merge
from messaging.words import OPT_OUT_LINE
from trackstat.htmx import redirect_to, refresh
from trackstat.tenancy.permissions import needs


@require_http_methods(["GET", "POST"])
@needs("campaigns.change_campaign")
def message(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk, Campaign.Kind.BLAST)
    step = campaign.steps.select_related("content").first()
    if request.method == "POST":
        return _save(request, campaign, step)
    form = MessageForm(initial=message_initial(step))
    return wizard(request, campaign, "message", **_context(request, step, form))


def _save(request: HttpRequest, campaign: Campaign, step: Step | None) -> HttpResponse:
    """What cannot be kept stays on the page as it was typed, with the reason; nobody's words are overwritten."""
    form = MessageForm(request.POST)
    version = version_of(request, campaign)
    more: dict[str, Any] = {}
    if form.is_valid():
        said = form.cleaned_data
        try:
            step = drafts.save_step(
                campaign,
                said["channel"],
                said["subject"],
                said["body"],
                said["when"],
                form.at_local,
                0,
                _over(request, version),
                request.user,
                position=step.position if step else None,
            )
        except drafts.BadWords as bad:
            more["wrong"] = bad.problems
        except drafts.Conflict as conflict:
            more |= {"theirs": conflict.theirs, "over": json.dumps({"over": campaign.version})}
        except drafts.NotEditable as refused:
            more["wrong"] = [str(refused)]
    refused_now = bool(more or form.errors)
    if not refused_now and request.POST.get("next") == "review":
        load_if_needed(request, campaign)
        return redirect_to(request, request.practice.url("campaigns:review", campaign.pk))
    campaign.refresh_from_db()
    # After a conflict the page keeps its old version, so that nothing is overwritten before somebody has chosen.
    context = _context(request, step, form) | more | {"version": version if "theirs" in more else campaign.version}
    response = wizard(request, campaign, "message", "saved", **context, status=422 if refused_now else 200)
    return response if refused_now else refresh(response, "message-saved")


def _over(request: HttpRequest, version: int) -> int:
    """The version that "Keep mine" has seen and writes over."""
    given = request.POST.get("over", "")
    return int(given) if given.isdecimal() and len(given) < 10 else version


def _context(request: HttpRequest, step: Step | None, form: MessageForm) -> dict[str, Any]:
    return {
        "tag_actions": Campaign.TagAction.choices,
        "tags": Tag.objects.filter(reserved=False),
        "place": request.practice.settings.time_zone.rpartition("/")[2].replace("_", " "),
        "form": form,
        "step": step,
        "fields": merge.FIELDS,
        "opt_out_line": OPT_OUT_LINE,
        "identity": identity_for(step.channel if step else "text"),
    }
