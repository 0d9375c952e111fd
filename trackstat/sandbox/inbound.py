"""A patient texts us: the carrier's own keyword handling, the signed webhook, and the TwiML that answers it."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp

from trackstat.sandbox import numbers
from trackstat.sandbox.accounts import Account, Accounts
from trackstat.sandbox.carrier import Carrier
from trackstat.sandbox.clock import Clock
from trackstat.sandbox.courier import Courier, Letter, send
from trackstat.sandbox.faults import Faults
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.messages import API_VERSION, Message, Messages, new_sid
from trackstat.sandbox.optouts import ANSWERS, OptOuts
from trackstat.sandbox.refusals import Refusal
from trackstat.sandbox.segments import segments
from trackstat.sandbox.statuses import connection_overrides, signed_headers

_NO_GEOGRAPHY = {f"{end}{part}": "" for end in ("From", "To") for part in ("City", "State", "Zip")}


@dataclass
class Reception:
    """What became of a patient's text. `answer` is the webhook's HTTP status, 0 when nobody was there."""

    message: Message
    keyword: str | None
    answer: int = 0
    error: str | None = None
    replies: list[str] = field(default_factory=list)

    def as_json(self) -> dict:
        return {
            "sid": self.message.sid,
            "keyword": self.keyword,
            "webhook": {"answer": self.answer or None, "error": self.error},
            "replies": self.replies,
        }


@dataclass
class Inbound:
    accounts: Accounts
    carrier: Carrier
    clock: Clock
    courier: Courier
    faults: Faults
    ledger: Ledger
    messages: Messages
    opt_outs: OptOuts

    async def receive(self, session: aiohttp.ClientSession, phone: str, to: str, body: str) -> Reception:
        """Raises ValueError with a sentence where the text could not have been sent."""
        phone, to = numbers.normalised(phone), numbers.normalised(to)
        account = self.accounts.owner_of(to)
        if not numbers.is_valid(phone):
            raise ValueError(f"{phone} is not a phone number")
        if account is None:
            raise ValueError(f"{to} is not a number of any account here")
        if not body:
            raise ValueError("a text has words")
        message = self._arrived(account, phone, to, body)
        keyword = None
        if account.opt_out_handling != "off":
            keyword = self._heed(account, message)
        return await self._hand_over(session, account, message, keyword)

    def _arrived(self, account: Account, phone: str, to: str, body: str) -> Message:
        now = self.clock.now()
        message = Message(
            sid=new_sid("SM"),
            account=account.sid,
            to=to,
            sender=phone,
            service=account.service_of(to),
            body=body,
            segments=segments(body),
            direction="inbound",
            status="received",
            created=now,
            updated=now,
            sent=now,
        )
        self.ledger.append(
            "sms.inbound",
            sid=message.sid,
            account=account.sid,
            sender=phone,
            to=to,
            service=message.service,
            body=body,
            segments=message.segments,
        )
        self.messages.add(message)
        return message

    def _heed(self, account: Account, message: Message) -> str | None:
        """STOP, START and HELP as the carrier takes them, before the product hears of it."""
        scope, phone = account.scope(message.to, message.service), message.sender or ""
        keyword = self.opt_outs.keyword(account.sid, scope, phone, message.body)
        blocked = self.opt_outs.blocks(account.sid, scope, phone)
        if keyword == "STOP" and not blocked:
            self.ledger.append("optout.added", account=account.sid, scope=scope, phone=phone, word=message.body.strip())
            self.opt_outs.add(account.sid, scope, phone)
        elif keyword == "START" and blocked:
            self.ledger.append(
                "optout.removed", account=account.sid, scope=scope, phone=phone, word=message.body.strip()
            )
            self.opt_outs.remove(account.sid, scope, phone)
        if account.opt_out_handling == "advanced" and keyword and not (keyword == "STOP" and blocked):
            # A second STOP stays without an answer: they asked for silence.
            self.carrier.reply(account, message, ANSWERS[keyword], kind="sms.auto_reply")
        return keyword

    async def _hand_over(
        self, session: aiohttp.ClientSession, account: Account, message: Message, keyword: str | None
    ) -> Reception:
        reception = Reception(message, keyword)
        if not account.sms_url:
            reception.error = "the account has no sms_url"
            return reception
        url, _, _, timeout = connection_overrides(account.sms_url)
        fields = self._fields(account, message, keyword)
        letter = Letter(
            kind="sms.inbound_webhook",
            key=message.sid,
            url=url,
            body=urlencode(fields).encode(),
            headers=signed_headers(account.token, url, fields),
            facts={"sid": message.sid, "to": message.to, "keyword": keyword},
            subject={"to": message.to, "from": message.sender or "", "body": message.body},
        )
        fault = self.faults.pick("sms.inbound", **letter.subject)
        if fault:
            self.ledger.append("fault", where="sms.inbound", action=fault.action, subject=message.sid)
            if fault.action in ("delay", "shuffle"):
                self.courier.post_later(letter, fault)
            if fault.action != "double":
                reception.error = fault.action
                return reception
            self.courier.post(letter)
        answer: tuple[str, bytes] = ("", b"")
        for attempt in (1, 2):
            reception.answer, reception.error, answer = await send(session, url, letter.body, letter.headers, timeout)
            self.ledger.append(
                letter.kind,
                **letter.facts,
                url=url,
                attempt=attempt,
                answer=reception.answer or None,
                error=reception.error,
            )
            if reception.answer:
                break
        if 200 <= reception.answer < 300:
            self._reply(account, reception, *answer)
        return reception

    def _fields(self, account: Account, message: Message, keyword: str | None) -> dict[str, str]:
        fields = {
            **_NO_GEOGRAPHY,
            "AccountSid": account.sid,
            "ApiVersion": API_VERSION,
            "Body": message.body,
            "From": message.sender or "",
            "FromCountry": "US",
            "MessageSid": message.sid,
            "NumMedia": "0",
            "NumSegments": str(message.segments),
            "SmsMessageSid": message.sid,
            "SmsSid": message.sid,
            "SmsStatus": "received",
            "To": message.to,
            "ToCountry": "US",
        }
        if message.service:
            fields["MessagingServiceSid"] = message.service
        if keyword and account.opt_out_handling == "advanced":
            fields["OptOutType"] = keyword
        return fields

    def _reply(self, account: Account, reception: Reception, content_type: str, content: bytes) -> None:
        try:
            wanted = twiml_messages(content_type, content)
        except ValueError as wrong:
            reception.error = str(wrong)
            self.ledger.append("sms.twiml_error", sid=reception.message.sid, error=str(wrong))
            return
        for to, body in wanted:
            try:
                self.carrier.reply(account, reception.message, body, to=to)
                reception.replies.append(body)
            except Refusal as refusal:
                reception.error = f"{refusal.code} {refusal.message}"


def twiml_messages(content_type: str, content: bytes) -> list[tuple[str, str]]:
    """(to or empty, body) of each <Message>. Raises ValueError with Twilio's error code in the sentence."""
    text = content.decode(errors="replace").strip()
    if not text:
        return []
    if content_type == "text/plain":
        return [("", text)]
    if content_type not in ("text/xml", "application/xml", "text/html"):
        raise ValueError(f"12300 Invalid Content-Type: {content_type}")
    try:
        response = ElementTree.fromstring(text)
    except ElementTree.ParseError as wrong:
        raise ValueError(f"12100 Document parse failure: {wrong}") from wrong
    if response.tag != "Response":
        raise ValueError(f"12200 Schema validation warning: <{response.tag}> instead of <Response>")
    found = []
    for message in response.iter("Message"):
        bodies = message.findall("Body")
        body = "".join("".join(each.itertext()) for each in bodies) if bodies else "".join(message.itertext())
        if body.strip():
            found.append((message.get("to", ""), body.strip()))
    return found
