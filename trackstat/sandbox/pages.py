"""The sandbox's pages: all phones and mailboxes, newest first, and the way to each."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from trackstat.sandbox.mail_pages import MailPages
from trackstat.sandbox.mails import Mail
from trackstat.sandbox.markup import e, empty, page, path, phone, state, when
from trackstat.sandbox.messages import Message
from trackstat.sandbox.numbers import is_valid, normalised
from trackstat.sandbox.phone_pages import PhonePages, message_state
from trackstat.sandbox.sandbox import Sandbox

_STATIC = Path(__file__).parent / "static"
_FILES = {"sandbox.css": "text/css", "sandbox.js": "text/javascript"}
_ROWS = 25


@dataclass
class Pages:
    sandbox: Sandbox
    session: aiohttp.ClientSession

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.home),
            web.get("/sandbox", self.home),
            web.get("/sandbox/", self.index),
            web.get("/sandbox/static/{name}", self.static),
            *PhonePages(self.sandbox, self.session).routes(),
            *MailPages(self.sandbox, self.session).routes(),
        ]

    async def home(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/sandbox/")

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _FILES:
            raise web.HTTPNotFound()
        return web.Response(
            body=(_STATIC / name).read_bytes(),
            content_type=_FILES[name],
            charset="utf-8",
            headers={"Cache-Control": "no-cache"},
        )

    async def index(self, request: web.Request) -> web.Response:
        query = request.query.get("q", "").strip()
        return page(
            "Phones and mailboxes",
            f"""<h1>Phones and mailboxes</h1>
<nav class="jump" aria-label="On this page"><a href="#phones">Phones</a><a href="#mailboxes">Mailboxes</a></nav>
<div id="live-index" data-live>
{self._figures()}
<div class="columns">
<section class="card" id="phones"><h2>Phones</h2>{self._phones(request, query)}</section>
<section class="card" id="mailboxes"><h2>Mailboxes</h2>{self._mailboxes(request, query)}</section>
</div>
</div>""",
            query=query,
        )

    def _figures(self) -> str:
        box = self.sandbox
        figures = (
            (len(box.messages.by_sid), "texts"),
            (len(box.mails.by_id), "emails"),
            (len(box.opt_outs), "opted out"),
            (box.pending, "steps still to come"),
        )
        cells = "".join(f"<li><strong>{number:,}</strong> {word}</li>" for number, word in figures)
        return f'<ul class="figures">{cells}</ul>'

    def _phones(self, request: web.Request, query: str) -> str:
        digits = "".join(filter(str.isdigit, query))
        words = query.lower()

        def fits(number: str) -> bool:
            if digits and not words.strip("+()-. 0123456789") and digits in number:
                return True
            return any(words in message.body.lower() for message in self.sandbox.messages.of_phone(number))

        numbers = [number for number in self.sandbox.messages.phones() if not query or fits(number)]
        if not numbers:
            if query:
                return empty("No phone fits.", "Search part of a number, or words of a text.") + _unseen(query)
            return empty(
                "No texts yet.", "Send a text campaign to demo patients: their phones appear here as texts arrive."
            )
        rows = (
            self._phone_row(number, self.sandbox.messages.of_phone(number)[-1])
            for number in _part(request, numbers, "phones")
        )
        return f'<ul class="rows">{"".join(rows)}</ul>{_pager(request, len(numbers), "phones")}'

    def _phone_row(self, number: str, last: Message) -> str:
        marks = state("bad", "Opted out") if self.sandbox.opt_outs.of_phone(number) else ""
        who = "Patient: " if last.inbound else ""
        return f"""<li><a href="{path("phones", number)}">
<span class="who">{e(phone(number))} {marks}</span>
<span class="at">{when(last.created)}</span>
<span class="last">{e(who + last.body)}</span>
<span class="how">{"" if last.inbound else message_state(last)}</span></a></li>"""

    def _mailboxes(self, request: web.Request, query: str) -> str:
        words = query.lower()

        def fits(address: str) -> bool:
            return words in address or any(words in m.subject.lower() for m in self.sandbox.mails.mailbox(address))

        addresses = [address for address in self.sandbox.mails.mailboxes() if not query or fits(address)]
        if not addresses:
            if query:
                return empty("No mailbox fits.", "Search part of an address or of a subject.")
            return empty("No emails yet.", "Send an email campaign to demo patients: their mailboxes appear here.")
        rows = (
            self._mailbox_row(address, self.sandbox.mails.mailbox(address))
            for address in _part(request, addresses, "mail")
        )
        return f'<ul class="rows">{"".join(rows)}</ul>{_pager(request, len(addresses), "mail")}'

    def _mailbox_row(self, address: str, mails: list[Mail]) -> str:
        last = mails[-1]
        return f"""<li><a href="{path("mailboxes", address)}">
<span class="who">{e(address)}</span>
<span class="at">{when(last.at)}</span>
<span class="last">{e(last.subject or "(no subject)")}</span>
<span class="how">{len(mails)} email{"s" if len(mails) > 1 else ""}</span></a></li>"""


def _unseen(query: str) -> str:
    """The way to a phone that has no texts yet."""
    number = normalised(query)
    if not is_valid(number):
        return ""
    return f'<p class="unseen"><a href="{path("phones", number)}">Open {e(phone(number))} and text from it</a></p>'


def _number(request: web.Request, name: str) -> int:
    value = request.query.get(name, "1")
    return max(1, int(value)) if value.isdigit() and len(value) < 9 else 1


def _part(request: web.Request, found: list[str], name: str) -> list[str]:
    start = (_number(request, name) - 1) * _ROWS
    return found[start : start + _ROWS]


def _pager(request: web.Request, total: int, name: str) -> str:
    if total <= _ROWS:
        return ""
    here = _number(request, name)
    first, last = (here - 1) * _ROWS + 1, min(here * _ROWS, total)

    def link(to: int, label: str, sign: str, there: bool) -> str:
        if not there:
            return ""
        target = e("/sandbox/?" + urlencode({**request.query, name: to}))
        return f'<a href="{target}" aria-label="{label}">{sign}</a>'

    back, on = link(here - 1, "Newer", "‹", here > 1), link(here + 1, "Older", "›", last < total)
    return f'<nav class="pager" aria-label="{name}">{first}–{last} of {total:,} {back} {on}</nav>'
