"""The audience builder, hosted for a blast (step 2 of its wizard) and for a drip (beside its trigger)."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from audience.builder import INSIST, Builder, posted, posted_patient
from audience.filters import BadDefinition
from audience.models import Patient
from audience.views.tagging import shown_jobs
from campaigns import blast, drafts
from campaigns.models import AudienceRemoval, Campaign
from campaigns.recipients import audience_of
from campaigns.views.frame import around, find
from campaigns.views.saved import offered, origin
from trackstat.clock import today
from trackstat.formats import number
from trackstat.htmx import page, redirect_to, wants_part
from trackstat.tenancy.permissions import needs

# Of what was put on and taken off this audience, the latest.
TAG_JOBS = 3
# Where a page that loads goes on to.
NEXT = {"message": "campaigns:message", "review": "campaigns:review"}


@require_GET
@needs("campaigns.change_campaign")
def drip_audience(request: HttpRequest, pk: int) -> HttpResponse:
    """Who of those with a reason gets it. Nothing is loaded: a drip looks again each time it starts for somebody."""
    campaign = find(pk, Campaign.Kind.DRIP)
    context: dict[str, Any] = {}
    if not wants_part(request):
        context = {"campaign": campaign, "editable": campaign.may_be_edited} | origin(request, campaign)
        context["offered"] = offered() if campaign.may_be_edited else []
    return builder_of(request, campaign).respond(request, "campaigns/drip_audience.html", **context)


@require_GET
@needs("campaigns.change_campaign")
def audience(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk, Campaign.Kind.BLAST)
    context = around(request, campaign, "audience") | origin(request, campaign) if not wants_part(request) else {}
    if context.get("editable"):
        context["offered"] = offered()
    if not wants_part(request):
        context["tag_jobs"] = shown_jobs(campaign.pk)
    return builder_of(request, campaign).respond(request, "campaigns/audience.html", **context)


@require_POST
@needs("campaigns.change_campaign")
def save_audience(request: HttpRequest, pk: int, kind: str = Campaign.Kind.BLAST) -> HttpResponse:
    campaign = find(pk, kind)
    definition, require = posted(request.POST)
    try:
        drafts.save_definition(campaign, definition, require, version_of(request, campaign), request.user)
    except BadDefinition:
        # A value that cannot be meant: shown with what is wrong, kept once it is mended.
        return builder_of(request, campaign, definition, require).answer(request)
    except drafts.Conflict:
        # Theirs is saved, ours stays on the page with the new version: the next change saves ours.
        messages.warning(request, _meanwhile(campaign))
        return builder_of(request, campaign, definition, require).answer(request)
    except drafts.NotEditable as refused:
        messages.error(request, str(refused))
    return builder_of(request, campaign).answer(request)


@require_POST
@needs("campaigns.change_campaign")
def load(request: HttpRequest, pk: int) -> HttpResponse:
    """Freezes the list. Filters that come along, as they stand on the page, are saved first."""
    campaign = find(pk, Campaign.Kind.BLAST)
    place, query = NEXT.get(request.POST.get("next", ""), "campaigns:audience"), ""
    try:
        if "p-key" in request.POST:
            definition, require = posted(request.POST)
            drafts.save_definition(campaign, definition, require, version_of(request, campaign), request.user)
        count = blast.load(campaign, request.user)
    except drafts.Conflict:
        messages.warning(request, _meanwhile(campaign))
        place = "campaigns:audience"
    except (BadDefinition, drafts.NotEditable) as refused:
        messages.error(request, f"Not loaded. {refused}")
        place, query = "campaigns:audience", f"?{INSIST}=1"
    else:
        _say_loaded(request, count)
    return redirect_to(request, request.practice.url(place, campaign.pk) + query)


@require_POST
@needs("campaigns.change_campaign")
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    return _by_hand(request, pk, blast.remove)


@require_POST
@needs("campaigns.change_campaign")
def undo_removal(request: HttpRequest, pk: int) -> HttpResponse:
    """Of one patient, or of all."""
    if "all" not in request.GET:
        return _by_hand(request, pk, blast.undo_removal)
    campaign = find(pk, Campaign.Kind.BLAST)
    try:
        blast.undo_removals(campaign, request.user)
    except drafts.NotEditable as refused:
        messages.error(request, str(refused))
    return redirect_to(request, request.practice.url("campaigns:audience", campaign.pk))


@require_GET
@needs("campaigns.change_campaign")
def explain(request: HttpRequest, pk: int, kind: str = Campaign.Kind.BLAST) -> HttpResponse:
    return builder_of(request, find(pk, kind)).explain(request)


@require_GET
@needs("campaigns.change_campaign")
def panel(request: HttpRequest, pk: int) -> HttpResponse:
    """What stands below the audience's count, and where the filters began; asked for again after each change."""
    campaign = find(pk, Campaign.Kind.BLAST)
    context = around(request, campaign, "audience") | origin(request, campaign)
    return page(request, "campaigns/rest.html", **context, with_origin=True)


def load_if_needed(request: HttpRequest, campaign: Campaign) -> None:
    """Going on to the next step loads (A5); what keeps it from loading stands beside the toggle."""
    if campaign.loaded_at is not None and not campaign.is_stale:
        return
    with suppress(BadDefinition, drafts.NotEditable):
        _say_loaded(request, blast.load(campaign, request.user))


def version_of(request: HttpRequest, campaign: Campaign) -> int:
    """The version that the page was made from."""
    given = request.POST.get("version", "")
    return int(given) if given.isdecimal() and len(given) < 10 else campaign.version


def _by_hand(request: HttpRequest, pk: int, change: Callable[..., Any]) -> HttpResponse:
    campaign, patient = find(pk, Campaign.Kind.BLAST), posted_patient(request.POST)
    try:
        change(campaign, patient, request.user)
    except drafts.NotEditable as refused:
        messages.error(request, str(refused))
    return builder_of(request, campaign).answer(request)


def _say_loaded(request: HttpRequest, count: int) -> None:
    messages.success(request, f"Loaded {number(count)} patient{'' if count == 1 else 's'}.")


def _meanwhile(campaign: Campaign) -> str:
    try:
        theirs = audience_of(campaign).sentence()
    except BadDefinition as lacking:
        theirs = f"filters that are not complete: {lacking}"
    return (
        f"Somebody else has changed the filters meanwhile to: {theirs}"
        " Yours are still on the page and not saved: change anything to save yours, or load the page again for theirs."
    )


def builder_of(
    request: HttpRequest, campaign: Campaign, definition: dict | None = None, require: list[str] | None = None
) -> Builder:
    """For the campaign as saved, or with what is being tried out."""
    trying = definition is not None
    if campaign.kind == Campaign.Kind.DRIP:
        return _builder_of_drip(request, campaign, definition, require)
    loaded = Patient.objects.filter(pk__in=campaign.members.values("patient_id"))
    names = {
        "page": "audience",
        "save": "save_audience",
        "load": "load",
        "remove": "remove",
        "undo": "undo_removal",
        "explain": "explain",
        "household": "household",
        "households": "households",
        "tag": "tag_audience",
    }
    channels = campaign.channels()
    return Builder(
        request.practice,
        definition if trying else campaign.definition,
        require if trying else campaign.require,
        today(request.practice),
        {use: request.practice.url(f"campaigns:{name}", campaign.pk) for use, name in names.items()},
        channels=channels,
        one_per_household=None if campaign.tag_action and not channels else campaign.one_per_household,
        category=campaign.category,
        removed=AudienceRemoval.objects.filter(campaign=campaign),
        members=loaded if campaign.loaded_at is not None else None,
        is_stale=trying or campaign.is_stale,
        loaded_at=campaign.loaded_at,
        hidden={"version": campaign.version},
        editable=campaign.may_be_edited,
    )


def _builder_of_drip(
    request: HttpRequest, campaign: Campaign, definition: dict | None, require: list[str] | None
) -> Builder:
    """Its trigger narrows it, so the filters may be blank; households are looked at when messages are written."""
    trying = definition is not None
    names = {"page": "drip_audience", "save": "save_drip_audience", "explain": "explain_drip"}
    return Builder(
        request.practice,
        definition if trying else campaign.definition,
        require if trying else campaign.require,
        today(request.practice),
        {use: request.practice.url(f"campaigns:{name}", campaign.pk) for use, name in names.items()},
        channels=campaign.channels(),
        category=campaign.category,
        hidden={"version": campaign.version},
        editable=campaign.may_be_edited,
        may_be_blank=True,
    )
