"""One POST view a move. Each answers with the page the campaign is looked at from."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from campaigns import moves
from campaigns.models import Campaign
from campaigns.views.frame import find, wizard
from trackstat.formats import number
from trackstat.htmx import redirect_to
from trackstat.tenancy.permissions import needs


@require_POST
@needs("campaigns.launch_campaign")
def enable(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk)
    confirmed = request.POST.get("confirmed_count", "")
    try:
        moves.enable(campaign, request.user, int(confirmed) if confirmed.isdecimal() else None)
    except moves.NeedsConfirmation as asked:
        return wizard(request, campaign, "review", template="confirm", asked=asked)
    except moves.Blocked as blocked:
        for reason in blocked.reasons:
            messages.error(request, reason.text)
    else:
        messages.success(request, _enabled(campaign))
    return _back(request, campaign)


def _enabled(campaign: Campaign) -> str:
    if campaign.kind == Campaign.Kind.DRIP:
        return "Switched on. It watches from now on."
    return f"Enabled for {number(campaign.loaded_count or 0)} patients."


def _move(verb: Callable, done: str) -> Callable[..., HttpResponse]:
    @require_POST
    @needs("campaigns.launch_campaign")
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        campaign = find(pk)
        try:
            verb(campaign, request.user)
        except moves.Blocked as blocked:
            for reason in blocked.reasons:
                messages.error(request, reason.text)
        else:
            messages.success(request, done)
        return _back(request, campaign)

    return view


disable = _move(moves.disable, "Switched off. Nothing more goes out.")
pause = _move(moves.pause, "Paused. What is not handed over yet waits.")
resume = _move(moves.resume, "Going on.")
stop = _move(moves.stop, "Stopped. What was sent stays in the report.")


@require_POST
@needs("campaigns.change_campaign")
def archive(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk)
    try:
        moves.archive(campaign, request.user)
    except moves.Blocked as blocked:
        for reason in blocked.reasons:
            messages.error(request, reason.text)
        return _back(request, campaign)
    messages.success(request, f"Deleted “{campaign.name}”.")
    drip = campaign.kind == Campaign.Kind.DRIP
    return redirect_to(request, request.practice.url("campaigns:drips" if drip else "campaigns:blasts"))


def _back(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    place = "campaigns:drip" if campaign.kind == Campaign.Kind.DRIP else "campaigns:review"
    return redirect_to(request, request.practice.url(place, campaign.pk))
