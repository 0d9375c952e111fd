"""Twilio's REST API: api.twilio.com, lookups.twilio.com and messaging.twilio.com under one host."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from trackstat.sandbox import numbers
from trackstat.sandbox.accounts import Account, Accounts
from trackstat.sandbox.carrier import Carrier
from trackstat.sandbox.clock import Clock
from trackstat.sandbox.faults import Faults
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.messages import Message, Messages
from trackstat.sandbox.refusals import Refusal
from trackstat.sandbox.requests import under_faults

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass
class TwilioApi:
    accounts: Accounts
    carrier: Carrier
    clock: Clock
    faults: Faults
    ledger: Ledger
    lines: numbers.Lines
    messages: Messages

    def routes(self) -> list[web.RouteDef]:
        account = "/2010-04-01/Accounts/{account}"
        return [
            web.get(f"{account}.json", self.account),
            web.post(f"{account}/Messages.json", self.create),
            web.get(f"{account}/Messages.json", self.listing),
            web.get(f"{account}/Messages/{{sid}}.json", self.fetch),
            web.get("/v2/PhoneNumbers/{number}", self.lookup),
        ]

    def signed_in(self, request: web.Request) -> Account:
        """Raises Refusal 20003, also for another account's path."""
        account = self.accounts.signed_in(request.headers.get("Authorization"))
        if account is None or request.match_info.get("account", account.sid) != account.sid:
            raise Refusal(20003)
        return account

    async def account(self, request: web.Request) -> web.Response:
        account = self.signed_in(request)
        path = f"/2010-04-01/Accounts/{account.sid}"
        created = f"{datetime(2026, 1, 5, 9, tzinfo=UTC):%a, %d %b %Y %H:%M:%S +0000}"
        return answer(
            {
                "auth_token": "",
                "date_created": created,
                "date_updated": created,
                "friendly_name": account.friendly_name or account.sid,
                "owner_account_sid": account.sid,
                "sid": account.sid,
                "status": "active",
                "subresource_uris": {"messages": f"{path}/Messages.json"},
                "type": "Full",
                "uri": f"{path}.json",
            }
        )

    async def create(self, request: web.Request) -> web.Response:
        account = self.signed_in(request)
        form = await request.post()

        def act() -> web.Response:
            try:
                return answer(self.carrier.accept(account, form).as_json(), status=201)
            except Refusal as refusal:
                return refusal.answer()

        subject = {key: str(form.get(field) or "") for key, field in (("to", "To"), ("from", "From"), ("body", "Body"))}
        return await under_faults(request, self.faults, self.ledger, "sms", subject, act, twilio_error)

    async def fetch(self, request: web.Request) -> web.Response:
        account = self.signed_in(request)
        message = self.messages.by_sid.get(request.match_info["sid"])
        if message is None or message.account != account.sid:
            raise Refusal(20404, request.path)
        return answer(message.as_json())

    async def listing(self, request: web.Request) -> web.Response:
        account = self.signed_in(request)

        def act() -> web.Response:
            try:
                return answer(self._page(account, request))
            except Refusal as refusal:
                return refusal.answer()

        subject = {"to": request.query.get("To", ""), "from": request.query.get("From", "")}
        return await under_faults(request, self.faults, self.ledger, "sms.list", subject, act, twilio_error)

    def _page(self, account: Account, request: web.Request) -> dict:
        query = request.query
        size = min(max(_whole(query, "PageSize", 50), 1), 1000)
        number = _whole(query, "Page", 0)
        found = self._found(account, query)
        start = number * size
        # The token names the last message of the page before: pages stay put while new messages arrive on top.
        token = query.get("PageToken", "")
        if token:
            last = token.removeprefix("PA")
            start = next((place + 1 for place, message in enumerate(found) if message.sid == last), len(found))
        page = found[start : start + size]
        kept = {k: v for k, v in query.items() if k not in ("Page", "PageToken", "PageSize")}

        def uri(at: int, after: str = "") -> str:
            said = {**kept, "PageSize": size, "Page": at, **({"PageToken": "PA" + after} if after else {})}
            return f"{request.path}?{urlencode(said)}"

        more = bool(page) and start + size < len(found)
        back = start - size - 1
        return {
            "first_page_uri": uri(0),
            "end": start + len(page) - 1 if page else start,
            "previous_page_uri": uri(number - 1, found[back].sid if back >= 0 else "") if number and start else None,
            "messages": [message.as_json() for message in page],
            "uri": request.path_qs,
            "page_size": size,
            "start": start,
            "next_page_uri": uri(number + 1, page[-1].sid) if more else None,
            "page": number,
        }

    def _found(self, account: Account, query) -> list[Message]:
        """Newest first."""
        to = numbers.normalised(query["To"]) if query.get("To") else None
        sender = numbers.normalised(query["From"]) if query.get("From") else None
        found = self.messages.listed(account.sid, to)
        lag = self.faults.list_lag("sms.list", to=to or "", **{"from": sender or ""})
        listed_until = self.clock.now() - timedelta(seconds=lag)
        bounds = [(name, *_day(query[name])) for name in ("DateSent", "DateSent<", "DateSent>") if query.get(name)]
        return [
            message
            for message in reversed(found)
            if (sender is None or message.sender == sender)
            and (not lag or message.created <= listed_until)
            and all(_within(message.sent, *bound) for bound in bounds)
        ]

    async def lookup(self, request: web.Request) -> web.Response:
        self.signed_in(request)
        number = numbers.normalised(request.match_info["number"])
        valid = numbers.is_valid(number)
        american = valid and number.startswith("+1")
        wants_type = "line_type_intelligence" in request.query.get("Fields", "").split(",")
        line = self.lines.line_type(number)
        mobile = line.type == "mobile"
        absent = dict.fromkeys(
            (
                "caller_name",
                "sim_swap",
                "call_forwarding",
                "line_status",
                "identity_match",
                "reassigned_number",
                "sms_pumping_risk",
                "phone_number_quality_score",
                "pre_fill",
            )
        )
        return answer(
            {
                **absent,
                "calling_country_code": "1" if american else None,
                "country_code": "US" if american else None,
                "phone_number": number,
                "national_format": f"({number[2:5]}) {number[5:8]}-{number[8:]}" if american else None,
                "valid": valid,
                "validation_errors": [] if valid else [_validation_error(number)],
                "line_type_intelligence": {
                    "type": line.type,
                    "carrier_name": line.carrier,
                    "mobile_country_code": "310" if mobile else None,
                    "mobile_network_code": "999" if mobile else None,
                    "error_code": None,
                }
                if wants_type and valid
                else None,
                "url": f"https://lookups.twilio.com/v2/PhoneNumbers/{number}",
            }
        )


def answer(body: dict, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def twilio_error(status: int, retry_after: int) -> web.Response:
    code = {429: 20429, 503: 20503}.get(status, 20500)
    response = Refusal(code).answer({"Retry-After": str(retry_after)} if retry_after else None)
    response.set_status(status)
    return response


def _whole(query, name: str, otherwise: int) -> int:
    value = query.get(name, "")
    if value and not value.isdigit():
        raise Refusal(20001, f"{name} is not a number")
    return int(value) if value else otherwise


def _day(value: str) -> tuple[datetime, datetime]:
    """First and last moment that the value stands for, UTC."""
    try:
        at = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError as wrong:
        raise Refusal(20001, f"{value} is not a date") from wrong
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at, at + timedelta(days=1, microseconds=-1) if _DATE.fullmatch(value) else at


def _within(sent: datetime | None, name: str, first: datetime, last: datetime) -> bool:
    """A message that has not been sent yet has no date sent: no such filter finds it."""
    if sent is None:
        return False
    if name == "DateSent<":
        return sent <= last
    if name == "DateSent>":
        return sent >= first
    return sent.date() == first.date()


def _validation_error(number: str) -> str:
    digits = number.removeprefix("+")
    if not digits.isdigit():
        return "NOT_A_NUMBER"
    if len(digits) < 11:
        return "TOO_SHORT"
    return "TOO_LONG" if len(digits) > 11 else "INVALID_BUT_POSSIBLE"
