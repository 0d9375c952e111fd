"""One patient's phone: the thread, a box to answer in, and the words a carrier listens to."""

from dataclasses import dataclass

import aiohttp
from aiohttp import web

from trackstat.sandbox.mail_pages import from_our_pages
from trackstat.sandbox.markup import e, empty, page, path, phone, state, when
from trackstat.sandbox.messages import Message
from trackstat.sandbox.numbers import CARRIER_ERRORS, is_valid, normalised
from trackstat.sandbox.sandbox import Sandbox

_WORDS = {
    "delivered": ("good", "Delivered"),
    "sent": ("wait", "Sent"),
    "sending": ("wait", "Sending"),
    "queued": ("wait", "Queued"),
    "accepted": ("wait", "Accepted"),
    "undelivered": ("bad", "Undelivered"),
    "failed": ("bad", "Failed"),
    "received": ("quiet", "Sent by the patient"),
}
# What the thread shows; the ledger has all.
_SHOWN = 200


def message_state(message: Message) -> str:
    kind, word = _WORDS[message.status]
    if message.error:
        word += f": {CARRIER_ERRORS.get(message.error, 'opted out')} ({message.error})"
    return state(kind, word)


@dataclass
class PhonePages:
    sandbox: Sandbox
    session: aiohttp.ClientSession

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/phones/{number}", self.show),
            web.post("/sandbox/phones/{number}", self.text),
        ]

    async def show(self, request: web.Request) -> web.Response:
        return self._page(normalised(request.match_info["number"]), request.query.get("with", ""))

    async def text(self, request: web.Request) -> web.Response:
        from_our_pages(request)
        form = await request.post()
        number, to = normalised(request.match_info["number"]), str(form.get("to", ""))
        body = str(form.get("word") or form.get("body") or "").strip()
        try:
            reception = await self.sandbox.inbound.receive(self.session, number, to, body)
        except ValueError as wrong:
            return self._page(number, str(form.get("with", "")), said=f"Not sent: {wrong}.", status=400)
        if reception.error or not reception.answer:
            told = reception.error or "nobody answered"
            return self._page(number, str(form.get("with", "")), said=f"Sent, but the product was not told: {told}.")
        if not 200 <= reception.answer < 300:
            said = f"Sent, but the product answered with HTTP {reception.answer}."
            return self._page(number, str(form.get("with", "")), said=said)
        raise web.HTTPSeeOther(request.path_qs)

    def _page(self, number: str, chosen: str, said: str = "", status: int = 200) -> web.Response:
        if not is_valid(number):
            return page("No such phone", empty("This is not a phone number.", "Go back to the list."), status=404)
        threads = self._threads(number)
        scope = chosen if chosen in threads else next(iter(threads), "")
        main = f"""<p class="back"><a href="/sandbox/">‹ All phones and mailboxes</a></p>
<div class="desk">
<section class="phone" aria-label="Phone {e(phone(number))}">
<div class="phone-top">
<h1>{e(phone(number))}</h1><p>{e(self._title(scope)) if scope else "New conversation"}</p>
</div>
{self._tabs(number, threads, scope)}
<div class="thread" id="live-thread" data-live data-bottom tabindex="0" role="log" aria-label="Texts">
{self._bubbles(threads.get(scope, []))}
</div>
{self._reply(number, threads, scope)}
</section>
<aside class="card facts" id="live-facts" data-live>{self._facts(number)}</aside>
</div>"""
        return page(f"Phone {phone(number)}", main, said=said, status=status)

    def _threads(self, number: str) -> dict[str, list[Message]]:
        """By what a STOP would block, the one with the newest text first."""
        threads: dict[str, list[Message]] = {}
        for message in self.sandbox.messages.of_phone(number):
            account = self.sandbox.accounts.accounts.get(message.account)
            number_of_ours = message.to if message.inbound else message.sender
            scope = account.scope(number_of_ours, message.service) if account else message.ours
            threads[scope] = [*threads.pop(scope, []), message]
        return dict(reversed(threads.items()))

    def _title(self, scope: str) -> str:
        for account in self.sandbox.accounts.accounts.values():
            if scope in account.services or account.owns(scope):
                return account.friendly_name or phone(scope)
        return phone(scope)

    def _tabs(self, number: str, threads: dict, scope: str) -> str:
        if len(threads) < 2:
            return ""
        tabs = "".join(
            f'<a href="{path("phones", number)}?with={e(each)}"{" aria-current=page" if each == scope else ""}>'
            f"{e(self._title(each))}</a>"
            for each in threads
        )
        return f'<nav class="tabs" aria-label="Conversations">{tabs}</nav>'

    def _bubbles(self, messages: list[Message]) -> str:
        if not messages:
            return empty("No texts yet.", "Write one below to see how the practice gets it.")
        hidden = len(messages) - _SHOWN
        earlier = f'<p class="earlier">{hidden:,} earlier texts are in the ledger.</p>' if hidden > 0 else ""
        return earlier + "".join(
            f'<div class="bubble {"mine" if message.inbound else "theirs"}"><p>{e(message.body)}</p><p class="under">'
            f"{when(message.created)}{'' if message.inbound else ' · ' + message_state(message)}</p></div>"
            for message in messages[-_SHOWN:]
        )

    def _reply(self, number: str, threads: dict[str, list[Message]], scope: str) -> str:
        ours = self._our_numbers(threads.get(scope, []), scope)
        if not ours:
            return empty("Nobody to text.", "No practice has a sandbox number yet.")
        options = "".join(
            f'<option value="{e(each)}">{e(self._title(each))} · {e(phone(each))}</option>' for each in ours
        )
        to = (
            f'<input type="hidden" name="to" value="{e(ours[0])}">'
            if scope
            else f'<label for="to">To</label> <select id="to" name="to">{options}</select>'
        )
        words = "".join(
            f'<button name="word" value="{w}" class="word" formnovalidate>{w}</button>'
            for w in ("STOP", "START", "HELP")
        )
        return f"""<form class="reply" method="post" action="{path("phones", number)}?with={e(scope)}">
<input type="hidden" name="with" value="{e(scope)}">{to}
<div class="words">{words}</div>
<div class="write"><label class="hidden" for="body">Text message</label>
<textarea id="body" name="body" rows="1" maxlength="1600" placeholder="Text message" required></textarea>
<button class="send">Send</button></div>
</form>"""

    def _our_numbers(self, messages: list[Message], scope: str) -> list[str]:
        """The number to answer to: the last one used, else those of the conversation, else of every practice."""
        for message in reversed(messages):
            used = message.to if message.inbound else message.sender
            if used and self.sandbox.accounts.owner_of(used):
                return [used]
        accounts = self.sandbox.accounts.accounts.values()
        for account in accounts:
            if scope in account.services:
                return account.services[scope]
        return [number for account in accounts for number in account.all_numbers()]

    def _facts(self, number: str) -> str:
        line = self.sandbox.lines.line_type(number)
        last, error = self.sandbox.lines.fate(number)
        ends = {
            "delivered": "Texts to it are delivered.",
            "sent": "Texts to it stay at “sent”: its carrier gives no receipts.",
        }.get(last, f"Texts to it end as {last}: {CARRIER_ERRORS.get(error or 0, '')} ({error}).")
        blocked = self.sandbox.opt_outs.of_phone(number)
        out = "".join(f"<li>{state('bad', 'Opted out')} of {e(self._title(scope))}</li>" for _, scope in blocked)
        return f"""<h2>This phone</h2>
<ul><li>Lookup says: {e(line.type)}, {e(line.carrier)}.</li><li>{e(ends)}</li>
{out or f"<li>{state('good', 'Not opted out')}</li>"}</ul>
<p class="quiet">STOP, START and HELP are heeded by the carrier when they are the whole text.</p>"""
