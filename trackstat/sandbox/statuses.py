"""A message's statuses over time, and the signed callbacks that tell of them."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlencode

from trackstat.sandbox.accounts import Accounts
from trackstat.sandbox.clock import Clock
from trackstat.sandbox.courier import Courier, Letter
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.messages import API_VERSION, Message, new_sid
from trackstat.sandbox.numbers import Lines
from trackstat.sandbox.optouts import OptOuts
from trackstat.sandbox.pace import Pace
from trackstat.sandbox.signing import twilio_signature
from trackstat.sandbox.timeline import Timeline

_NEXT = {"accepted": "queued", "queued": "sending", "sending": "sent"}


class Statuses:
    def __init__(
        self,
        accounts: Accounts,
        clock: Clock,
        courier: Courier,
        ledger: Ledger,
        lines: Lines,
        opt_outs: OptOuts,
        pace: Pace,
        timeline: Timeline,
    ):
        self._accounts, self._clock, self._courier, self._ledger = accounts, clock, courier, ledger
        self._lines, self._opt_outs, self._pace, self._timeline = lines, opt_outs, pace, timeline

    def follow(self, message: Message) -> None:
        """Plan the next status; called when a message is accepted, after each status, and after a restart."""
        following = self._following(message)
        if following:
            mean = getattr(self._pace, following[0], self._pace.delivered)
            self._timeline.after(self._pace.wait(mean), self._step, message, message.status)

    def _following(self, message: Message) -> tuple[str, int | None] | None:
        last, error = self._lines.fate(message.to)
        if message.status in ("queued", "sending"):
            account = self._accounts.accounts.get(message.account)
            stopped = (
                account is not None
                and message.direction == "outbound-api"
                and account.opt_out_handling != "off"
                and self._opt_outs.blocks(account.sid, account.scope(message.sender, message.service), message.to)
            )
            if stopped:
                return "failed", 21610
        if message.status == "queued" and last == "failed":
            return last, error
        if message.status in _NEXT:
            return _NEXT[message.status], None
        if message.status == "sent" and last != "sent":
            return last, error
        return None

    def _step(self, message: Message, came_from: str) -> None:
        # Looked up again: the patient may have texted STOP while it waited.
        following = self._following(message)
        if message.status != came_from or following is None:
            return
        status, error = following
        account = self._accounts.accounts.get(message.account)
        chosen = None
        if message.sender is None and account:
            chosen = account.sticky_sender(message.service, message.to)
        tells = bool(message.callback) and account is not None and status in self._pace.callbacks
        self._ledger.append(
            "sms.status", sid=message.sid, to=message.to, status=status, error=error, sender=chosen, tells=tells
        )
        message.move(status, error, self._clock.now(), chosen)
        if tells:
            self.tell(message, status)
        self.follow(message)

    def tell(self, message: Message, status: str) -> None:
        """Post the callback for a status the message came to."""
        account = self._accounts.accounts.get(message.account)
        if account is None:
            return
        fields = {
            "AccountSid": message.account,
            "ApiVersion": API_VERSION,
            "From": message.sender or "",
            "MessageSid": message.sid,
            "MessageStatus": status,
            "SmsSid": message.sid,
            "SmsStatus": status,
            "To": message.to,
        }
        if message.service:
            fields["MessagingServiceSid"] = message.service
        if message.error and status in ("failed", "undelivered"):
            fields["ErrorCode"] = str(message.error)
        if status in ("delivered", "undelivered"):
            fields["RawDlrDoneDate"] = f"{self._clock.now():%y%m%d%H%M}"
        url, retries, retry_on, timeout = connection_overrides(message.callback)
        self._courier.post(
            Letter(
                kind="sms.callback",
                key=message.sid,
                url=url,
                body=urlencode(fields).encode(),
                headers=signed_headers(account.token, url, fields),
                facts={"sid": message.sid, "to": message.to, "status": status},
                subject={"to": message.to, "from": message.sender or "", "status": status, "body": message.body},
                retries=retries,
                retry_on=retry_on,
                timeout=timeout,
            )
        )


def signed_headers(token: str, url: str, fields: dict[str, str]) -> dict[str, str]:
    return {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "User-Agent": "TwilioProxy/1.1",
        "X-Twilio-Signature": twilio_signature(token, url, fields.items()),
        "I-Twilio-Idempotency-Token": new_sid("").upper(),
    }


def connection_overrides(url: str) -> tuple[str, tuple[float, ...], Callable[[int], bool], float]:
    """`#rc=5&rp=all` and the like, https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides.

    Returns the URL without them, seconds to wait before each retry, which failures are retried, the timeout in seconds.
    """
    plain, _, fragment = url.partition("#")
    said = {key: values[-1] for key, values in parse_qs(fragment).items()}
    count = int(said["rc"]) if said.get("rc", "").isdigit() else 1
    policy = set(said.get("rp", "ct").split(","))
    timeout = int(said["rt"]) / 1000 if said.get("rt", "").isdigit() else 15.0

    def retry_on(status: int) -> bool:
        if "all" in policy:
            return not 200 <= status < 400
        if status == 0:
            return bool(policy & {"ct", "rt"})
        return (f"{status // 100}xx") in policy

    return plain, tuple(2.0**n for n in range(min(count, 5))), retry_on, min(max(timeout, 0.1), 15.0)
