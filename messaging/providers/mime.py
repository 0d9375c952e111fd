"""The bytes of an email. What is the same for every email of a sender is made once, the rest is put in between.

Python's email package takes ten times as long to build a message as it takes to hand it over.
"""

import re
import secrets
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from email.utils import formataddr, formatdate

from messaging.providers.base import Outgoing, message_id

# A line with encoded words (RFC 2047), a line of any header (RFC 5322, with room for the name).
FOLDED, LONGEST = 76, 900
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile("[!-~](?:[ -~]*[!-~])?|")
_NAME = re.compile("[!-9;-~]+")
_LOCAL = re.compile(r"[!#-'*+\-./0-9=?A-Z^-~]+")
_DOMAIN = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?")
# Quoted-printable stays readable for people and filters; beyond this growth the words are hardly Latin ones.
_GROWTH = 1.4


class Skeleton:
    """The emails of one sender. Raises ValueError for an address that cannot stand in a header."""

    def __init__(self, name: str, address: str, reply_to: str = ""):
        self.address = mailbox(address)
        self._domain = self.address.rpartition("@")[2]
        self._from = b"From: " + _sender(name, self.address) + b"\r\nTo: "
        reply = f"Reply-To: {mailbox(reply_to)}\r\n" if reply_to else ""
        # Neither quoted-printable nor base64 can contain "=_".
        self._boundary = f"=_{secrets.token_hex(12)}"
        kind = f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{self._boundary}"\r\n\r\n'
        self._constant = f"{reply}{kind}".encode()

    def message_id(self, outgoing: Outgoing) -> str:
        return message_id(outgoing.attempt_key, self._domain)

    def render(self, outgoing: Outgoing) -> bytes:
        """The whole email, ASCII, lines ended by CRLF. Raises ValueError for an address or header that is none."""
        parts = [
            *(self._from, mailbox(outgoing.to).encode(), b"\r\n", header("Subject", outgoing.subject, FOLDED)),
            *(
                b"Message-ID: ",
                self.message_id(outgoing).encode(),
                b"\r\nDate: ",
                formatdate(usegmt=True).encode(),
                b"\r\n",
            ),
            *(header(name, value) for name, value in outgoing.headers.items()),
            self._constant,
            *self._part("plain", outgoing.body),
        ]
        if outgoing.html:
            parts += self._part("html", outgoing.html)
        parts.append(f"--{self._boundary}--\r\n".encode())
        return b"".join(parts)

    def _part(self, kind: str, words: str) -> tuple[bytes, bytes]:
        lines = words.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
        # The last line's end belongs to the boundary; with it there is a CRLF to tell b2a_qp how lines end.
        encoding, encoded = "quoted-printable", b2a_qp(lines + b"\r\n", istext=True)
        if len(encoded) > _GROWTH * len(lines) + 2:
            encoding, encoded = "base64", encodebytes(lines).replace(b"\n", b"\r\n")
        head = f"--{self._boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        return f"{head}Content-Transfer-Encoding: {encoding}\r\n\r\n".encode(), encoded


def header(name: str, value: str, longest: int = LONGEST) -> bytes:
    """One header line, or several folded ones. Nothing in `value` can end it: control characters become spaces."""
    if not _NAME.fullmatch(name):
        raise ValueError("the name of a header")
    value = _CONTROL.sub(" ", value)
    if len(name) + 2 + len(value) <= longest and _PLAIN.fullmatch(value) and "=?" not in value:
        return f"{name}: {value}\r\n".encode()
    return name.encode() + b": " + _encoded(value, len(name) + 2) + b"\r\n"


def mailbox(address: str) -> str:
    """The address as a mail server takes it, an international domain in ASCII. Raises ValueError."""
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        domain = domain.encode("idna").decode()
    if len(address) > 254 or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise ValueError("an email address")
    return f"{local}@{domain}"


def _sender(name: str, address: str) -> bytes:
    name = " ".join(_CONTROL.sub(" ", name).split())
    if name.isascii() and "=?" not in name:
        return formataddr((name, address)).encode()
    return _encoded(name, len("From: ")) + f"\r\n <{address}>".encode()


def _encoded(value: str, before: int) -> bytes:
    """Encoded words, each on a line of its own and none ending inside of a character. `before`: width in front."""
    raw, words, start = value.encode("utf-8"), [], 0
    while start < len(raw):
        room = FOLDED - (before if not start else 1) - len("=?utf-8?b??=")
        end = start + max(room // 4 * 3, 4)
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        words.append(b"=?utf-8?b?" + b64encode(raw[start:end]) + b"?=")
        start = end
    return b"\r\n ".join(words)
