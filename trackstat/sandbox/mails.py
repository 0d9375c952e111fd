"""Emails that were accepted, whichever way they came, and the mailboxes they lie in."""

import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.utils import parseaddr
from html.parser import HTMLParser
from pathlib import Path

import msgspec


@dataclass(slots=True)
class Mail:
    """One email to one recipient. `start` and `size` say where its content lies in the content file."""

    id: str
    via: str
    domain: str
    message_id: str
    sender: str
    to: str
    subject: str
    at: datetime
    start: int
    size: int
    format: str
    variables: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    tracking: list[str] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)

    def as_json(self) -> dict:
        kept = ("id", "via", "domain", "message_id", "sender", "to", "subject", "variables", "tags", "events")
        return {**{key: getattr(self, key) for key in kept}, "at": self.at.isoformat()}


class Content(msgspec.Struct):
    headers: list[tuple[str, str]] = []
    text: str = ""
    html: str = ""
    attachments: list[str] = []

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def one_click_url(self) -> str:
        """Where RFC 8058 says to POST; empty where the email does not offer it."""
        if self.header("List-Unsubscribe-Post").replace(" ", "").lower() != "list-unsubscribe=one-click":
            return ""
        links = (part.strip().strip("<>") for part in self.header("List-Unsubscribe").split(","))
        return next((link for link in links if link.startswith(("https://", "http://"))), "")

    def links(self) -> list[str]:
        return _found(self.html, "a", "href")

    def images(self) -> list[str]:
        return _found(self.html, "img", "src")


class Mails:
    """Metadata in memory, content in one append-only file beside the ledger."""

    def __init__(self, path: Path):
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._end = os.fstat(self._fd).st_size
        self.by_id: dict[str, Mail] = {}
        self._by_mailbox: dict[str, list[Mail]] = {}
        self._by_message_id: dict[str, list[Mail]] = {}

    def keep(self, content: bytes) -> tuple[int, int]:
        """Write content before the ledger speaks of it; an orphan left by a crash does no harm. Raises OSError."""
        start = self._end
        written = os.write(self._fd, content)
        if written != len(content):
            os.ftruncate(self._fd, start)
            raise OSError("the mail could not be written in full")
        self._end += written
        return start, written

    def add(self, mail: Mail) -> None:
        self.by_id[mail.id] = mail
        self._by_message_id.setdefault(mail.message_id.strip("<>"), []).append(mail)
        box = address_of(mail.to)
        kept = self._by_mailbox.pop(box, [])
        kept.append(mail)
        self._by_mailbox[box] = kept

    def content(self, mail: Mail) -> Content:
        raw = os.pread(self._fd, mail.size, mail.start)
        return msgspec.json.decode(raw, type=Content) if mail.format == "form" else parsed(raw)

    def raw(self, mail: Mail) -> bytes:
        return os.pread(self._fd, mail.size, mail.start)

    def mailbox(self, address: str) -> list[Mail]:
        """Oldest first."""
        return self._by_mailbox.get(address_of(address), [])

    def with_message_id(self, message_id: str) -> list[Mail]:
        """One for each recipient; angle brackets or not."""
        return self._by_message_id.get(message_id.strip("<>"), [])

    def mailboxes(self) -> list[str]:
        """The one with the newest email first."""
        return list(reversed(self._by_mailbox))

    def close(self) -> None:
        os.close(self._fd)


def new_id() -> str:
    return secrets.token_hex(8)


def address_of(recipient: str) -> str:
    """The bare address in lower case."""
    return parseaddr(recipient)[1].lower()


def parsed(raw: bytes) -> Content:
    message = message_from_bytes(raw, policy=policy.default)
    content = Content(headers=[(name, str(value)) for name, value in message.items()])
    for part in message.walk():
        if part.is_multipart():
            continue
        if part.is_attachment() or part.get_content_maintype() != "text":
            content.attachments.append(part.get_filename() or part.get_content_type())
        elif part.get_content_subtype() == "html":
            content.html = content.html or _text_of(part)
        else:
            content.text = content.text or _text_of(part)
    return content


def _text_of(part) -> str:
    try:
        text = part.get_content()
    except (LookupError, UnicodeDecodeError):
        text = (part.get_payload(decode=True) or b"").decode(errors="replace")
    return text.replace("\r\n", "\n")


class _Addresses(HTMLParser):
    def __init__(self, tag: str, attribute: str):
        super().__init__()
        self._tag, self._attribute, self.found = tag, attribute, []

    def handle_starttag(self, tag, attrs):
        value = dict(attrs).get(self._attribute) if tag == self._tag else None
        if value and value.startswith(("https://", "http://")) and value not in self.found:
            self.found.append(value)


def _found(html: str, tag: str, attribute: str) -> list[str]:
    reader = _Addresses(tag, attribute)
    reader.feed(html)
    return reader.found
