"""What may not have been sent, for staff to decide: send it again, or leave it. The rules: messaging.uncertain."""

import datetime as dt
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from messaging import uncertain
from messaging.uncertain import Decided, Entry, Listing
from trackstat.clock import now
from trackstat.formats import clock, number, when
from trackstat.htmx import page, redirect_to, wants_part
from trackstat.tenancy import audit
from trackstat.tenancy.permissions import needs

ON_A_PAGE = 50
MAY_DECIDE = "messaging.resolve_uncertain"
# "About 2:20 PM": a look may begin a little later than it is due.
ABOUT = dt.timedelta(minutes=5)
ASKED = {"twilio": "carrier", "mailgun": "mail service", "smtp": "mail server"}


class Decision(forms.Form):
    """`messages`: the ids that were confirmed, with commas; `seen`: when the person saw them as they were."""

    messages = forms.RegexField(r"^\d{1,18}(,\d{1,18})*$")
    seen = forms.DateTimeField(input_formats=["%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"])
    left = forms.BooleanField(required=False)

    def clean_messages(self) -> list[int]:
        return sorted({int(pk) for pk in self.cleaned_data["messages"].split(",")})


@require_GET
@needs("reports.view_report")
def index(request: HttpRequest) -> HttpResponse:
    """The messages of the practice that may not have been sent, by campaign."""
    listing = _listing(request)
    shown = Paginator(listing, ON_A_PAGE).get_page(request.GET.get("page"))
    if not wants_part(request):
        audit.record("uncertain.viewed")
    request.place = "reports:index"
    chosen = uncertain.campaigns([listing.campaign_id]).get(listing.campaign_id)
    if listing.campaign_id and chosen is None:
        raise Http404
    base = {"view": "left"} if listing.left else {}
    return page(
        request,
        "messaging/uncertain.html",
        partial="rows",
        shown=shown,
        groups=_groups(request, listing, shown),
        left=listing.left,
        to_decide=not listing.left,
        q=listing.q,
        campaign_id=listing.campaign_id,
        campaign=chosen,
        all_url=f"?{urlencode(base)}",
        waiting=Listing(campaign_id=listing.campaign_id).count(),
        may_decide=request.membership.can(MAY_DECIDE),
        may_read=request.membership.can("messaging.view_conversation"),
    )


@require_GET
@needs(MAY_DECIDE)
def ask(request: HttpRequest) -> HttpResponse:
    """Says in numbers what a decision would come to. `message` names one or several, `of` all of a campaign."""
    again, left, seen = request.GET.get("what") != "leave", request.GET.get("view") == "left", now()
    of = request.GET.get("of", "")
    if of.isdecimal():
        ids = Listing(left=left, campaign_id=int(of)).settled_ids()
    else:
        ids = [int(pk) for pk in request.GET.getlist("message") if pk.isdecimal()]
    asked = uncertain.ask(ids, again=again, left=left)
    words = _kinds(asked.texts, len(asked.ids))
    verb = "Resend" if again else "Leave"
    request.place = "reports:index"
    return page(
        request,
        "messaging/uncertain_ask.html",
        partial="dialog",
        again=again,
        left=left,
        asked=asked,
        chosen=len(set(ids)),
        ids=",".join(map(str, asked.ids)),
        seen=seen.isoformat(),
        words=words,
        title=f"{verb} {words}?" if asked.ids else f"Nothing to {verb.lower()}",
    )


@require_POST
@needs(MAY_DECIDE)
def resend(request: HttpRequest) -> HttpResponse:
    form = Decision(request.POST)
    if not form.is_valid():
        return _not_understood(request)
    said = form.cleaned_data
    decided = uncertain.resend(said["messages"], said["seen"], request.user, left=said["left"])
    if decided.done:
        messages.success(request, f"{_messages(decided.done)} will be sent again, as soon as texting hours allow.")
    _tell_the_rest(request, decided)
    return _back(request, left=said["left"])


@require_POST
@needs(MAY_DECIDE)
def leave(request: HttpRequest) -> HttpResponse:
    form = Decision(request.POST)
    if not form.is_valid():
        return _not_understood(request)
    decided = uncertain.leave(form.cleaned_data["messages"], form.cleaned_data["seen"], request.user)
    if decided.done:
        messages.success(request, f"{_messages(decided.done)} left as {'it is' if decided.done == 1 else 'they are'}.")
    _tell_the_rest(request, decided)
    return _back(request)


def _listing(request: HttpRequest) -> Listing:
    of = request.GET.get("campaign", "")
    return Listing(
        left=request.GET.get("view") == "left",
        campaign_id=int(of) if of.isdecimal() and len(of) < 19 else None,
        q=" ".join(request.GET.get("q", "").split())[:100],
    )


def _groups(request: HttpRequest, listing: Listing, shown: Page) -> list[dict[str, Any]]:
    """The page's messages by campaign, each with the numbers of the whole campaign."""
    tallies = listing.tallies()
    known = uncertain.campaigns(tallies)
    groups = []
    for campaign_id, entries in groupby(shown, key=lambda entry: entry.campaign_id):
        tally = tallies[campaign_id]
        groups.append(
            {
                "campaign_id": campaign_id,
                "campaign": known.get(campaign_id),
                "n": tally.n,
                # All of a campaign at once only where the list is not narrowed to some of them.
                "settled": tally.settled if campaign_id and not listing.q else 0,
                "rows": [
                    {"entry": entry, "known": known_of(entry), "wait": waits(entry)}
                    | _asking(request, listing, message=entry.message_id)
                    for entry in entries
                ],
            }
            | _asking(request, listing, of=campaign_id)
        )
    return groups


def _asking(request: HttpRequest, listing: Listing, **chosen: int | None) -> dict[str, str]:
    """Addresses of the question about sending again and about leaving."""
    base = request.practice.url("uncertain:ask")
    view = {"view": "left"} if listing.left else {}
    return {f"{what}_url": f"{base}?{urlencode({'what': what} | chosen | view)}" for what in ("resend", "leave")}


def known_of(entry: Entry) -> str:
    """What is known of a hand-over that went wrong, in sentences."""
    asked = ASKED[entry.provider]
    if entry.http_status:
        said = f"The {asked} answered with an error ({entry.http_status}), so it may or may not have taken it."
    elif entry.error_code:
        said = f"The {asked} gave no answer."
    else:
        said = "Sending was interrupted before the answer was written down."
    if entry.resent_at:
        said = f"Sent again {when(entry.resent_at)} by {entry.resent_by}. {said}"
    elif entry.is_absent_before:
        said = f"It was sent again once, because the {asked} had never got it. {said}"
    if not entry.is_settled:
        return said
    if entry.provider == "smtp":
        return f"{said} A mail server keeps no list that could be asked."
    if entry.looked_up:
        return f"{said} The {asked} does not list it."
    return f"{said} The {asked} could not be asked about it."


def waits(entry: Entry) -> str:
    """Why it cannot be decided about yet; '' when it can."""
    if entry.is_settled or entry.decide_at is None:
        return ""
    about = max(entry.decide_at, now())
    # Up to the next five minutes.
    about += -dt.timedelta(minutes=about.minute % 5, seconds=about.second, microseconds=about.microsecond) + ABOUT
    return f"We are asking the {ASKED[entry.provider]}; you can decide from about {clock(about)}."


def _messages(n: int) -> str:
    return f"{number(n)} message{'' if n == 1 else 's'}"


def _kinds(texts: int, n: int) -> str:
    """12 texts; 1 email; 3 messages."""
    kind = "text" if texts == n else "email" if not texts else "message"
    return f"{number(n)} {kind}{'' if n == 1 else 's'}"


def _tell_the_rest(request: HttpRequest, decided: Decided) -> None:
    for reason, n in decided.refused.items():
        messages.warning(request, f"{_messages(n)} not sent again. {reason}.")
    if decided.gone:
        messages.info(request, f"{_messages(decided.gone)} had been decided or settled meanwhile and did not change.")


def _not_understood(request: HttpRequest) -> HttpResponse:
    messages.error(request, "Nothing was chosen, so nothing was changed. Choose messages and press again.")
    return _back(request)


def _back(request: HttpRequest, *, left: bool = False) -> HttpResponse:
    return redirect_to(request, request.practice.url("uncertain:index") + ("?view=left" if left else ""))
