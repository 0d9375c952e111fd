"""Mailgun's sending API: POST /v3/{domain}/messages and messages.mime."""

import hmac
import json
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from email.utils import formataddr, getaddresses, parseaddr
from typing import Any

import msgspec
from aiohttp import web
from multidict import MultiDictProxy

from trackstat.sandbox.accounts import Accounts, Domain, basic
from trackstat.sandbox.clock import Clock
from trackstat.sandbox.faults import Faults
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.mail_events import MailEvents, accepted, event_data
from trackstat.sandbox.mails import Content, Mail, Mails, address_of, new_id, parsed
from trackstat.sandbox.requests import under_faults

_VARIABLE = re.compile(r"%recipient\.([^%]+)%")


class Refused(Exception):
    def __init__(self, status: int, message: str):
        self.status, self.message = status, message
        super().__init__(message)


@dataclass
class MailgunApi:
    accounts: Accounts
    clock: Clock
    events: MailEvents
    faults: Faults
    ledger: Ledger
    mails: Mails

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v3/{domain}/messages", self.send),
            web.post("/v3/{domain}/messages.mime", self.send),
            web.get("/v3/{domain}/events", self.listing),
        ]

    def _domain(self, request: web.Request) -> Domain:
        """Raises Refused."""
        user, password = basic(request.headers.get("Authorization"))
        domain = self.accounts.domains.get(request.match_info["domain"].lower())
        keys = [domain.api_key] if domain else [d.api_key for d in self.accounts.domains.values()]
        if user != "api" or not any(hmac.compare_digest(password.encode(), key.encode()) for key in keys):
            raise Refused(401, "Forbidden")
        if domain is None:
            raise Refused(404, f"Domain not found: {request.match_info['domain']}")
        return domain

    async def send(self, request: web.Request) -> web.Response:
        try:
            domain = self._domain(request)
        except Refused as refused:
            return mailgun_answer(refused.status, refused.message)
        form = await request.post()
        mime = request.path.endswith(".mime")

        def act() -> web.Response:
            try:
                message_id = self._accept(domain, form, mime)
            except Refused as refused:
                self.ledger.append(
                    "email.rejected", domain=domain.name, to=form.get("to"), status=refused.status, why=refused.message
                )
                return mailgun_answer(refused.status, refused.message)
            return mailgun_answer(200, "Queued. Thank you.", id=message_id)

        subject = {"to": str(form.get("to", "")), "from": str(form.get("from", "")), "body": str(form.get("text", ""))}
        return await under_faults(request, self.faults, self.ledger, "email", subject, act, mailgun_error)

    async def listing(self, request: web.Request) -> web.Response:
        """What happened to emails, newest first; the way to find out whether one was accepted at all."""
        try:
            domain = self._domain(request)
        except Refused as refused:
            return mailgun_answer(refused.status, refused.message)
        subject = {"to": request.query.get("recipient", "")}

        def act() -> web.Response:
            items = self._items(domain, request.query)
            pages = dict.fromkeys(("first", "last", "next", "previous"), str(request.url))
            return web.Response(
                body=msgspec.json.encode({"items": items, "paging": pages}), content_type="application/json"
            )

        return await under_faults(request, self.faults, self.ledger, "email.list", subject, act, mailgun_error)

    def _items(self, domain: Domain, query) -> list[dict]:
        asked, recipient = query.get("message-id"), query.get("recipient", "").lower()
        mails = self.mails.with_message_id(asked) if asked else self.mails.by_id.values()
        lag = self.faults.list_lag("email.list", to=recipient)
        listed_until = self.clock.now() - timedelta(seconds=lag)
        items = [
            event_data(mail, event)
            for mail in mails
            if mail.domain == domain.name and recipient in ("", address_of(mail.to)) and mail.at <= listed_until
            for event in (accepted(mail), *mail.events)
        ]
        wanted = query.get("event", "")
        limit = int(query["limit"]) if query.get("limit", "").isdigit() else 100
        found = sorted((i for i in items if wanted in ("", i["event"])), key=lambda i: i["timestamp"], reverse=True)
        return found[: min(limit, 300)]

    def _accept(self, domain: Domain, form: MultiDictProxy, mime: bool) -> str:
        recipients = [*_addresses(form, "to"), *_addresses(form, "cc"), *_addresses(form, "bcc")]
        if not _addresses(form, "to"):
            raise Refused(400, "to parameter is missing")
        whole = _mime_part(form) if mime else None
        if whole is None:
            if not form.get("from"):
                raise Refused(400, "from parameter is missing")
            if not any(form.get(part) for part in ("text", "html", "amp-html", "template")):
                raise Refused(400, "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified")
            if form.get("template"):
                raise Refused(400, "template is not known: the sandbox stores no templates")
        for recipient in recipients:
            if not _is_address(recipient):
                raise Refused(400, f"to parameter is not a valid address. please check documentation: {recipient}")
        message_id = _message_id(form, whole, domain)
        personal = json.loads(form.get("recipient-variables") or "{}")
        for recipient in recipients:
            self._keep(domain, form, whole, recipient, message_id, personal.get(address_of(recipient), {}))
        return message_id

    def _keep(
        self, domain: Domain, form: MultiDictProxy, whole: bytes | None, recipient: str, message_id: str, own: dict
    ) -> None:
        def filled(text: str) -> str:
            return _VARIABLE.sub(lambda found: str(own.get(found[1], found[0])), text) if own else text

        content = parsed(whole) if whole is not None else _content(form, recipient, message_id, filled)
        raw = whole if whole is not None else msgspec.json.encode(content)
        start, size = self.mails.keep(raw)
        off = [
            what for what in ("opens", "clicks") if str(form.get(f"o:tracking-{what}", "")).lower() in ("no", "false")
        ]
        facts: dict[str, Any] = {
            "id": new_id(),
            "domain": domain.name,
            "message_id": message_id,
            "sender": content.header("From"),
            "to": recipient,
            "subject": content.header("Subject"),
            "start": start,
            "size": size,
            "format": "mime" if whole is not None else "form",
            "variables": {key[2:]: filled(str(value)) for key, value in form.items() if key.startswith("v:")},
            "tags": [str(tag) for tag in form.getall("o:tag", [])],
            "tracking": [what for what in ("opens", "clicks") if what not in off],
        }
        self.ledger.append("email.accepted", **facts)
        mail = Mail(via="mailgun", at=self.clock.now(), **facts)
        self.mails.add(mail)
        self.events.follow(mail)


def mailgun_answer(status: int, message: str, **more: str) -> web.Response:
    body = msgspec.json.encode({**more, "message": message})
    return web.Response(body=body, status=status, content_type="application/json")


def mailgun_error(status: int, retry_after: int) -> web.Response:
    response = mailgun_answer(status, "Too many requests" if status == 429 else "Internal Server Error")
    if retry_after:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _addresses(form: MultiDictProxy, field: str) -> list[str]:
    found = getaddresses([str(value) for value in form.getall(field, [])])
    return [formataddr((name, address)) if name else address for name, address in found]


def _is_address(recipient: str) -> bool:
    try:
        address = Address(addr_spec=parseaddr(recipient)[1])
    except (ValueError, IndexError):
        return False
    return bool(address.username) and "." in address.domain


def _mime_part(form: MultiDictProxy) -> bytes:
    part = form.get("message")
    if part is None:
        raise Refused(400, "message parameter is missing")
    return part.file.read() if isinstance(part, web.FileField) else str(part).encode()


def _message_id(form: MultiDictProxy, whole: bytes | None, domain: Domain) -> str:
    """The sender's own Message-Id where it gave one."""
    if whole is not None:
        own = parsed(whole).header("Message-ID")
    else:
        own = next((str(value) for key, value in form.items() if key.lower() == "h:message-id"), "")
    return own or f"<{secrets.token_hex(12)}@{domain.name}>"


def _content(form: MultiDictProxy, recipient: str, message_id: str, filled) -> Content:
    headers = [
        ("From", ", ".join(str(value) for value in form.getall("from"))),
        ("To", recipient),
        ("Subject", filled(str(form.get("subject", "")))),
        ("Message-Id", message_id),
    ]
    for key, value in form.items():
        if key.startswith("h:") and key.lower() != "h:message-id":
            headers.append((key[2:], filled(str(value))))
    files = (*form.getall("attachment", []), *form.getall("inline", []))
    return Content(
        headers=headers,
        text=filled(str(form.get("text", ""))),
        html=filled(str(form.get("html", ""))),
        attachments=[part.filename for part in files if isinstance(part, web.FileField)],
    )
