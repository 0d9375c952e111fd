"""The carrier: what it accepts, what it refuses, and whom it may not text."""

from urllib.parse import urlsplit

from trackstat.sandbox import numbers
from trackstat.sandbox.accounts import Account
from trackstat.sandbox.clock import Clock
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.messages import Message, Messages, new_sid
from trackstat.sandbox.optouts import OptOuts
from trackstat.sandbox.refusals import Refusal
from trackstat.sandbox.segments import segments
from trackstat.sandbox.statuses import Statuses

# What the product could ask for and this carrier would silently do otherwise.
_NOT_MODELLED = ("MediaUrl", "ContentSid", "SendAt", "ScheduleType", "SendAsMms", "PersistentAction", "ShortenUrls")


class Carrier:
    def __init__(self, clock: Clock, ledger: Ledger, messages: Messages, opt_outs: OptOuts, statuses: Statuses):
        self._clock, self._ledger, self._messages = clock, ledger, messages
        self._opt_outs, self._statuses = opt_outs, statuses

    def accept(self, account: Account, form) -> Message:
        """A text asked for through the API. Raises Refusal, which is in the ledger then."""
        try:
            message = self._checked(account, form)
        except Refusal as refusal:
            self._ledger.append(
                "sms.rejected",
                account=account.sid,
                to=form.get("To"),
                sender=form.get("From"),
                service=form.get("MessagingServiceSid"),
                code=refusal.code,
            )
            raise
        self._keep(message, "sms.accepted")
        return message

    def reply(self, account: Account, inbound: Message, body: str, *, to: str = "", kind: str = "sms.reply") -> Message:
        """Answer a text that came in: the product's TwiML, or (`sms.auto_reply`) the carrier's own. Raises Refusal."""
        to = to or inbound.sender or ""
        if kind == "sms.reply" and self._blocked(account, inbound.to, inbound.service, to):
            self._ledger.append(
                "sms.rejected", account=account.sid, to=to, sender=inbound.to, service=inbound.service, code=21610
            )
            raise Refusal(21610)
        message = self._new(account, to, inbound.to, inbound.service, body, "outbound-reply")
        self._keep(message, kind)
        return message

    def _keep(self, message: Message, kind: str) -> None:
        self._ledger.append(
            kind,
            sid=message.sid,
            account=message.account,
            to=message.to,
            sender=message.sender,
            service=message.service,
            body=message.body,
            segments=message.segments,
            direction=message.direction,
            status=message.status,
            status_callback=message.callback,
        )
        self._messages.add(message)
        self._statuses.follow(message)

    def _checked(self, account: Account, form) -> Message:
        to = numbers.normalised(form.get("To") or "")
        sender = numbers.normalised(form.get("From") or "") or None
        service = form.get("MessagingServiceSid") or None
        body = form.get("Body") or ""
        callback = form.get("StatusCallback") or ""
        if asked := next((name for name in _NOT_MODELLED if form.get(name) not in (None, "", "false", "False")), None):
            raise Refusal(20001, f"The sandbox does not know {asked}")
        if not to:
            raise Refusal(21604)
        if not sender and not service:
            raise Refusal(21603)
        if not body:
            raise Refusal(21602)
        if len(body) > 1600:
            raise Refusal(21617)
        if callback and (urlsplit(callback).scheme not in ("http", "https") or not urlsplit(callback).hostname):
            raise Refusal(21609, callback)
        self._check_sender(account, sender, service)
        if to in numbers.MAGIC_TO:
            raise Refusal(numbers.MAGIC_TO[to], to)
        if not numbers.is_valid(to):
            raise Refusal(21211, to)
        if self._blocked(account, sender, service, to):
            raise Refusal(21610)
        return self._new(account, to, sender, service, body, "outbound-api", callback)

    def _check_sender(self, account: Account, sender: str | None, service: str | None) -> None:
        if service and service not in account.services:
            raise Refusal(21701)
        if service and not account.services[service]:
            raise Refusal(21703)
        if not sender or sender == numbers.MAGIC_FROM_OK:
            return
        if sender in numbers.MAGIC_FROM:
            raise Refusal(numbers.MAGIC_FROM[sender], sender)
        if not account.owns(sender):
            raise Refusal(21606, sender)

    def _blocked(self, account: Account, sender: str | None, service: str | None, to: str) -> bool:
        return account.opt_out_handling != "off" and self._opt_outs.blocks(
            account.sid, account.scope(sender, service), to
        )

    def _new(
        self,
        account: Account,
        to: str,
        sender: str | None,
        service: str | None,
        body: str,
        direction: str,
        callback: str = "",
    ) -> Message:
        now = self._clock.now()
        # Through a service the first status is accepted and the number is chosen later.
        waits = service is not None and sender is None
        return Message(
            sid=new_sid("SM"),
            account=account.sid,
            to=to,
            sender=sender,
            service=service,
            body=body,
            segments=segments(body),
            direction=direction,
            status="accepted" if waits else "queued",
            created=now,
            updated=now,
            callback=callback,
        )
