"""The way tests, demo and fault suite arrange things and read the ledger: JSON, no sign-in, from this machine only."""

import asyncio
from dataclasses import asdict, dataclass

import aiohttp
import msgspec
from aiohttp import web

from trackstat.sandbox.courier import send
from trackstat.sandbox.mails import Mail
from trackstat.sandbox.numbers import LineType, normalised
from trackstat.sandbox.sandbox import Sandbox


@dataclass
class ControlApi:
    sandbox: Sandbox
    session: aiohttp.ClientSession

    def routes(self) -> list[web.RouteDef]:
        api = "/sandbox/api"
        return [
            web.get("/sandbox/health", self.health),
            web.put(f"{api}/accounts/{{sid}}", self.put_account),
            web.put(f"{api}/domains/{{domain}}", self.put_domain),
            web.get(f"{api}/clock", self.get_clock),
            web.put(f"{api}/clock", self.put_clock),
            web.get(f"{api}/pace", self.get_pace),
            web.put(f"{api}/pace", self.put_pace),
            web.get(f"{api}/faults", self.get_faults),
            web.put(f"{api}/faults", self.put_faults),
            web.put(f"{api}/line-types", self.put_line_types),
            web.get(f"{api}/ledger", self.ledger),
            web.get(f"{api}/messages", self.messages),
            web.get(f"{api}/opt-outs", self.opt_outs),
            web.post(f"{api}/phones/{{number}}/send", self.text_from),
            web.get(f"{api}/mail", self.mails),
            web.get(f"{api}/mail/{{id}}", self.mail),
            web.post(f"{api}/mail/{{id}}/{{act}}", self.act_on_mail),
        ]

    async def health(self, request: web.Request) -> web.Response:
        return said(
            {
                "ok": True,
                "time": self.sandbox.clock.now().isoformat(),
                "pending": self.sandbox.pending,
                "ledger": self.sandbox.ledger.last_seq,
                "messages": len(self.sandbox.messages.by_sid),
                "mail": len(self.sandbox.mails.by_id),
            }
        )

    async def put_account(self, request: web.Request) -> web.Response:
        account = self.sandbox.accounts.put_account(request.match_info["sid"], await body_of(request))
        return said(
            {"sid": account.sid, "numbers": account.all_numbers(), "opt_out_handling": account.opt_out_handling}
        )

    async def put_domain(self, request: web.Request) -> web.Response:
        domain = self.sandbox.accounts.put_domain(request.match_info["domain"], await body_of(request))
        return said({"domain": domain.name, "tracking_url": domain.tracking_url})

    async def get_clock(self, request: web.Request) -> web.Response:
        clock = self.sandbox.clock
        return said({"offset_seconds": clock.offset_seconds, "time": clock.now().isoformat()})

    async def put_clock(self, request: web.Request) -> web.Response:
        offset = (await body_of(request)).get("offset_seconds")
        if isinstance(offset, bool) or not isinstance(offset, int | float):
            raise ValueError("offset_seconds is a number")
        self.sandbox.clock.offset_seconds = offset
        self.sandbox.accounts.remember_clock(offset)
        return await self.get_clock(request)

    async def get_pace(self, request: web.Request) -> web.Response:
        return said(self.sandbox.pace.as_json())

    async def put_pace(self, request: web.Request) -> web.Response:
        self.sandbox.pace.change(await body_of(request))
        return await self.get_pace(request)

    async def get_faults(self, request: web.Request) -> web.Response:
        return said({"rules": [rule.as_json() for rule in self.sandbox.faults.rules]})

    async def put_faults(self, request: web.Request) -> web.Response:
        body = await body_of(request, list)
        self.sandbox.faults.plan(body.get("rules", []) if isinstance(body, dict) else body)
        return await self.get_faults(request)

    async def put_line_types(self, request: web.Request) -> web.Response:
        body = await body_of(request, list)
        try:
            rules = [LineType(r["match"], r["type"], r.get("carrier", "Sandbox")) for r in body]
            for rule in rules:
                rule.fits("")
        except (KeyError, TypeError, AttributeError, ValueError) as wrong:
            raise ValueError("line types are a list of {match, type, carrier}") from wrong
        self.sandbox.lines.own = rules
        return said([asdict(rule) for rule in rules])

    async def ledger(self, request: web.Request) -> web.Response:
        since = request.query.get("since", "0")
        if not since.isdigit():
            raise ValueError("since is the seq of the last fact you have")
        kinds = tuple(kind for kind in request.query.get("kind", "").split(",") if kind)
        upto = self.sandbox.ledger.last_seq
        facts = await asyncio.to_thread(self.sandbox.ledger.read, int(since), upto, kinds)
        return web.Response(
            body=b'{"next":%d,"entries":%b}' % (upto, facts), content_type="application/json", charset="utf-8"
        )

    async def messages(self, request: web.Request) -> web.Response:
        to = request.query.get("to")
        found = self.sandbox.messages.sent_to(normalised(to) if to else None)
        return said({"messages": [message.as_json() for message in found]})

    async def opt_outs(self, request: web.Request) -> web.Response:
        return said(
            {"opt_outs": [dict(zip(("account", "scope", "phone"), o, strict=True)) for o in self.sandbox.opt_outs]}
        )

    async def text_from(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        reception = await self.sandbox.inbound.receive(
            self.session, request.match_info["number"], str(body.get("to") or ""), str(body.get("body") or "")
        )
        return said(reception.as_json(), status=201)

    async def mails(self, request: web.Request) -> web.Response:
        to = request.query.get("to")
        found = self.sandbox.mails.mailbox(to) if to else self.sandbox.mails.by_id.values()
        return said({"mail": [mail.as_json() for mail in found]})

    async def mail(self, request: web.Request) -> web.Response:
        mail = self._mail(request)
        content = self.sandbox.mails.content(mail)
        return said({**mail.as_json(), **msgspec.to_builtins(content), "links": content.links()})

    async def act_on_mail(self, request: web.Request) -> web.Response:
        mail = self._mail(request)
        body = await body_of(request) if request.can_read_body else {}
        return said(
            await act_on(self.sandbox, self.session, mail, request.match_info["act"], str(body.get("url") or ""))
        )

    def _mail(self, request: web.Request) -> Mail:
        mail = self.sandbox.mails.by_id.get(request.match_info["id"])
        if mail is None:
            raise web.HTTPNotFound(text="no such mail")
        return mail


async def act_on(sandbox: Sandbox, session: aiohttp.ClientSession, mail: Mail, act: str, url: str = "") -> dict:
    """What a reader does with an email: unsubscribe, open, click, complain. Raises ValueError with a sentence."""
    content = sandbox.mails.content(mail)
    if act == "unsubscribe":
        return await _one_click(sandbox, session, mail, content.one_click_url())
    if act == "complain":
        sandbox.mail_events.happen(mail, "complained")
        return {"event": "complained"}
    if act == "open":
        if "opens" in mail.tracking:
            sandbox.mail_events.happen(mail, "opened")
        return {"event": "opened" if "opens" in mail.tracking else None, "images": content.images()}
    if act == "click":
        if url and url not in content.links():
            raise ValueError("that link is not in the email")
        if "clicks" in mail.tracking:
            sandbox.mail_events.happen(mail, "clicked", url=url)
        return {"event": "clicked" if "clicks" in mail.tracking else None, "links": content.links()}
    raise ValueError(f"a mail can be unsubscribed from, opened, clicked or complained about, not {act!r}")


async def _one_click(sandbox: Sandbox, session: aiohttp.ClientSession, mail: Mail, url: str) -> dict:
    """RFC 8058: a POST without cookies that follows no redirect."""
    if not url:
        raise ValueError("this email has no List-Unsubscribe with List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, error, _ = await send(session, url, b"List-Unsubscribe=One-Click", headers)
    sandbox.ledger.append("email.one_click", id=mail.id, to=mail.to, url=url, answer=status or None, error=error)
    return {"url": url, "answer": status or None, "error": error}


def said(body, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


async def body_of(request: web.Request, *also: type):
    """Only as application/json: a web page elsewhere cannot send that here unasked. Raises ValueError."""
    if request.content_type != "application/json":
        raise ValueError("send application/json")
    try:
        body = msgspec.json.decode(await request.read())
    except msgspec.DecodeError as wrong:
        raise ValueError(f"not JSON: {wrong}") from wrong
    if not isinstance(body, (dict, *also)):
        raise ValueError("send a JSON object")
    return body
