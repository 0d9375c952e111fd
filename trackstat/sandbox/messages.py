"""Texts, out and in, and the lists they are found by. Rebuilt from the ledger at start."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from trackstat.sandbox.numbers import CARRIER_ERRORS

# A message ends with one of these; `sent` too, for a line whose carrier gives no receipts.
FINAL = {"delivered", "undelivered", "failed", "received"}
API_VERSION = "2010-04-01"


def new_sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


@dataclass(slots=True)
class Message:
    sid: str
    account: str
    to: str
    sender: str | None
    service: str | None
    body: str
    segments: int
    direction: str
    status: str
    created: datetime
    updated: datetime
    sent: datetime | None = None
    callback: str = ""
    error: int | None = None

    @property
    def inbound(self) -> bool:
        return self.direction == "inbound"

    @property
    def phone(self) -> str:
        """The patient's end."""
        return (self.sender or "") if self.inbound else self.to

    @property
    def ours(self) -> str:
        """The practice's end; the service while it has not chosen a number."""
        return self.to if self.inbound else (self.sender or self.service or "")

    def move(self, status: str, error: int | None, at: datetime, sender: str | None) -> None:
        self.status, self.error, self.updated = status, error, at
        self.sender = sender or self.sender
        if status == "sent":
            self.sent = at

    def as_json(self) -> dict:
        path = f"/{API_VERSION}/Accounts/{self.account}/Messages/{self.sid}"
        # A service has not chosen a number yet, so nothing is counted nor priced.
        chosen = self.sender is not None
        return {
            "account_sid": self.account,
            "api_version": API_VERSION,
            "body": self.body,
            "date_created": _rfc_2822(self.created),
            "date_sent": _rfc_2822(self.sent),
            "date_updated": _rfc_2822(self.updated),
            "direction": self.direction,
            "error_code": self.error,
            "error_message": CARRIER_ERRORS.get(self.error, "Unknown error") if self.error else None,
            "from": self.sender,
            "messaging_service_sid": self.service,
            "num_media": "0",
            "num_segments": str(self.segments) if chosen else "0",
            "price": f"-{0.0083 * self.segments:.5f}" if self.sent else None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{path}/Media.json"},
            "to": self.to,
            "uri": f"{path}.json",
        }


class Messages:
    def __init__(self):
        self.by_sid: dict[str, Message] = {}
        self._by_account: dict[str, list[Message]] = {}
        self._by_recipient: dict[tuple[str, str], list[Message]] = {}
        self._by_phone: dict[str, list[Message]] = {}

    def add(self, message: Message) -> None:
        self.by_sid[message.sid] = message
        self._by_account.setdefault(message.account, []).append(message)
        self._by_recipient.setdefault((message.account, message.to), []).append(message)
        # Out and in again: the dict is in order of the last message.
        thread = self._by_phone.pop(message.phone, [])
        thread.append(message)
        self._by_phone[message.phone] = thread

    def listed(self, account: str, to: str | None) -> list[Message]:
        """Oldest first."""
        if to is not None:
            return self._by_recipient.get((account, to), [])
        return self._by_account.get(account, [])

    def of_phone(self, number: str) -> list[Message]:
        return self._by_phone.get(number, [])

    def phones(self) -> list[str]:
        """The one with the newest message first."""
        return list(reversed(self._by_phone))

    def sent_to(self, to: str | None) -> list[Message]:
        if to is not None:
            return [m for m in self._by_phone.get(to, []) if m.to == to]
        return [m for m in self.by_sid.values() if not m.inbound]


def _rfc_2822(at: datetime | None) -> str | None:
    return format_datetime(at) if at else None
