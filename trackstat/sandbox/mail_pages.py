"""One mailbox: its emails, and the one being read with headers, links and the mail program's Unsubscribe button."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from trackstat.sandbox.control_api import act_on
from trackstat.sandbox.mails import Content, Mail, address_of
from trackstat.sandbox.markup import e, empty, page, path, state, when
from trackstat.sandbox.sandbox import Sandbox

# The email's own HTML brings its styles inline; it can run nothing, send nothing and reach nothing but images.
_BODY_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src http: https: data:; frame-ancestors 'self'"
)
_WORDS = {
    "delivered": ("good", "Delivered"),
    "failed.permanent": ("bad", "Bounced"),
    "failed.temporary": ("wait", "Delayed"),
    "complained": ("bad", "Marked as spam"),
    "unsubscribed": ("bad", "Unsubscribed"),
    "rejected": ("bad", "Rejected"),
    "opened": ("good", "Opened"),
    "clicked": ("good", "Clicked"),
}
_SAID = {
    "unsubscribe": "The product was told: one-click unsubscribe.",
    "complain": "Marked as spam; the product is being told.",
    "open": "Opened; the product is being told unless open tracking is off.",
}
_SHOWN = 100


def from_our_pages(request: web.Request) -> None:
    """Forms are taken from the sandbox's own pages only. Raises HTTPForbidden."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="This form belongs to the sandbox's own pages.")


@dataclass
class MailPages:
    sandbox: Sandbox
    session: aiohttp.ClientSession

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/mailboxes/{address}", self.mailbox),
            web.get("/sandbox/mail/{id}", self.show),
            web.get("/sandbox/mail/{id}/body", self.body),
            web.post("/sandbox/mail/{id}/{act}", self.act),
        ]

    async def mailbox(self, request: web.Request) -> web.Response:
        address = address_of(request.match_info["address"])
        mails = self.sandbox.mails.mailbox(address)
        return self._page(address, mails, mails[-1] if mails else None, chosen=False)

    async def show(self, request: web.Request) -> web.Response:
        mail = self._mail(request)
        address = address_of(mail.to)
        said = _SAID.get(request.query.get("did", ""), "")
        return self._page(address, self.sandbox.mails.mailbox(address), mail, chosen=True, said=said)

    async def body(self, request: web.Request) -> web.Response:
        content = self.sandbox.mails.content(self._mail(request))
        html = content.html or f"<pre>{e(content.text)}</pre>"
        return web.Response(
            text=f'<base target="_blank">{html}',
            content_type="text/html",
            headers={"Content-Security-Policy": _BODY_POLICY, "Referrer-Policy": "no-referrer"},
        )

    async def act(self, request: web.Request) -> web.Response:
        from_our_pages(request)
        mail, act = self._mail(request), request.match_info["act"]
        address = address_of(mail.to)
        mails = self.sandbox.mails.mailbox(address)
        try:
            done = await act_on(self.sandbox, self.session, mail, act)
        except ValueError as wrong:
            return self._page(address, mails, mail, chosen=True, said=f"Not done: {wrong}.", status=400)
        if act == "unsubscribe" and not 200 <= (done["answer"] or 0) < 300:
            why = done["error"] or f"HTTP {done['answer']}"
            return self._page(address, mails, mail, chosen=True, said=f"The product did not take it: {why}.")
        raise web.HTTPSeeOther(f"/sandbox/mail/{mail.id}?did={act}")

    def _mail(self, request: web.Request) -> Mail:
        mail = self.sandbox.mails.by_id.get(request.match_info["id"])
        if mail is None:
            raise web.HTTPNotFound()
        return mail

    def _page(
        self, address: str, mails: list[Mail], mail: Mail | None, *, chosen: bool, said: str = "", status: int = 200
    ) -> web.Response:
        back = '<p class="back"><a href="/sandbox/">‹ All phones and mailboxes</a></p>'
        if mail is None:
            nothing = empty("No emails yet.", "They appear here as campaigns send them to this address.")
            return page(address, f"{back}<h1>{e(address)}</h1>{nothing}", said=said, status=status)
        box = path("mailboxes", address)
        main = f"""{back}<h1>{e(address)}</h1>
<div class="mailbox{" reading" if chosen else ""}">
<nav class="card list" aria-label="Emails" id="live-list" data-live>{self._list(mails, mail)}</nav>
<article class="card mail">
<p class="to-list"><a href="{box}">‹ Emails to {e(address)}</a></p>
{self._reading(mail)}
</article>
</div>"""
        return page(mail.subject or address, main, said=said, status=status)

    def _list(self, mails: list[Mail], mail: Mail) -> str:
        hidden = len(mails) - _SHOWN
        rows = "".join(
            f'<li><a href="{path("mail", each.id)}"{" aria-current=page" if each is mail else ""}>'
            f'<span class="who">{e(each.subject or "(no subject)")}</span><span class="at">{when(each.at)}</span>'
            f'<span class="last">{e(each.sender)}</span><span class="how">{_last_state(each)}</span></a></li>'
            for each in reversed(mails[-_SHOWN:])
        )
        return f'<ul class="rows">{rows}</ul>' + (f"<p>{hidden:,} earlier emails.</p>" if hidden > 0 else "")

    def _reading(self, mail: Mail) -> str:
        content = self.sandbox.mails.content(mail)
        return f"""<h2>{e(mail.subject or "(no subject)")}</h2>
<dl class="envelope">
<dt>From</dt><dd>{e(mail.sender)}</dd><dt>To</dt><dd>{e(mail.to)}</dd><dt>Date</dt><dd>{when(mail.at)}</dd>
</dl>
{_buttons(mail, content)}
<iframe title="The email as the patient sees it" src="{path("mail", mail.id, "body")}"
 sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>
<div id="live-events" data-live>{_events(mail)}</div>
<details><summary>Links ({len(content.links())})</summary>{_links(content)}</details>
<details><summary>Plain text</summary><pre>{e(content.text or "This email has no plain-text part.")}</pre></details>
<details><summary>Headers</summary><dl class="headers">{_headers(content)}</dl></details>
{_attachments(content)}"""


def _last_state(mail: Mail) -> str:
    if mail.via == "smtp":
        return state("good", "Delivered")
    return state(*_WORDS[mail.events[-1]["event"]]) if mail.events else state("wait", "Accepted")


def _buttons(mail: Mail, content: Content) -> str:
    def button(act: str, label: str, look: str) -> str:
        action = path("mail", mail.id, act)
        return f'<form method="post" action="{action}"><button class="{look}">{label}</button></form>'

    one_click = (
        button("unsubscribe", "Unsubscribe", "main")
        if content.one_click_url()
        else '<p class="quiet">This email offers no one-click unsubscribe.</p>'
    )
    told = (
        button("open", "Mark as opened", "") + button("complain", "Mark as spam", "") if mail.via == "mailgun" else ""
    )
    return f'<div class="acts">{one_click}{told}</div>'


def _events(mail: Mail) -> str:
    if mail.via == "smtp":
        return f'<p class="quiet">Came by SMTP: {state("good", "Delivered")}, and nothing more is reported.</p>'
    rows = "".join(
        f"<li>{state(*_WORDS[each['event']])} {when(datetime.fromisoformat(each['at']))}</li>" for each in mail.events
    )
    return f'<ol class="events">{rows or "<li>" + state("wait", "Accepted, on its way") + "</li>"}</ol>'


def _links(content: Content) -> str:
    rows = "".join(
        f'<li><a href="{e(link)}" target="_blank" rel="noopener noreferrer">{e(link)}</a></li>'
        for link in content.links()
    )
    return f"<ul>{rows}</ul>" if rows else '<p class="quiet">This email has no links.</p>'


def _headers(content: Content) -> str:
    return "".join(f"<dt>{e(name)}</dt><dd>{e(value)}</dd>" for name, value in content.headers)


def _attachments(content: Content) -> str:
    return f"<p>Attached: {e(', '.join(content.attachments))}</p>" if content.attachments else ""
