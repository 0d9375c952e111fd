"""Emails to a mail server by SMTP. Connections stay open for the block, at most one for each sending thread.

Surely not sent is whatever ends before the first byte of the content is given to the socket, and whatever the server
answers with 4yz or 5yz (RFC 5321, 4.2.1). Content without an answer is unclear, and SMTP has no list to look it up in.
"""

import re
import smtplib
import ssl
from collections import deque
from time import monotonic
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from messaging.models import Attempt, SendingIdentity
from messaging.providers.base import (
    Accepted,
    Later,
    Outgoing,
    Provider,
    ProviderUnusable,
    Refused,
    Result,
    Told,
    Unclear,
)
from messaging.providers.mime import Skeleton, mailbox
from messaging.providers.smtp_connection import Connection, Reply, Server, Stopped

# A server may take its time at each step; what was armed longer ago is checked again first.
CONTENT_WITHIN_SECONDS = 30
# Seconds until a server is tried again that did not answer, and one that asked us to come back.
TRY_AGAIN_SECONDS = 15
COME_BACK_SECONDS = 300
# No sign-in, wrong sign-in, or one that needs more than we give (RFC 4954).
_SIGN_IN = {530, 534, 535, 538}
# Steps of the way to an open connection, which every email of the sender would fail at.
_SENDERS_FAULT = {
    "greeting": "mail_server",
    "ehlo": "mail_server",
    "tls": "mail_tls",
    "auth": "mail_sign_in",
    "mail": "mail_sender",
}
_ENHANCED = re.compile(rb"5\.(\d{1,3})\.(\d{1,3})\b")
_ACCOUNT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?):(\d{1,5})")


class Smtp(Provider):
    name = "smtp"
    lists = False

    def __init__(self, identity: SendingIdentity):
        super().__init__(identity)
        self._server = _server_of(identity)
        try:
            self._skeleton = Skeleton(identity.from_name, identity.address, identity.reply_to)
        except ValueError:
            raise ProviderUnusable("The address to send from or to answer to is mistyped.") from None
        # Appending and popping are atomic, so threads need no lock; the newest first keeps the fewest in use.
        self._idle: deque[Connection] = deque()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().leave()

    def send(self, outgoing: Outgoing) -> Result:
        until = monotonic() + CONTENT_WITHIN_SECONDS
        try:
            to = mailbox(outgoing.to)
        except ValueError:
            return Refused("mail_address")
        try:
            content = self._skeleton.render(outgoing)
        except ValueError:
            return Refused("mail_refused")
        try:
            connection = self._take()
        except Stopped as stopped:
            return _result(stopped.reply)
        except ssl.SSLCertVerificationError:
            return Refused("mail_tls")
        except (OSError, smtplib.SMTPException):
            return Later(TRY_AGAIN_SECONDS, "connect")
        try:
            reply = connection.hand_over(self._skeleton.address, to, content, until)
        except (OSError, smtplib.SMTPException) as error:
            connection.drop()
            return Unclear(type(error).__name__) if connection.begun else Later(TRY_AGAIN_SECONDS, "connect")
        return self._settled(connection, reply, outgoing)

    def _take(self) -> Connection:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if connection.is_open():
                return connection
            connection.drop()
        return Connection(self._server)

    def _settled(self, connection: Connection, reply: Reply, outgoing: Outgoing) -> Result:
        taken = reply.step == "content" and reply.code // 100 == 2
        understood = reply.code // 100 in {4, 5} and reply.code != 421
        if taken or (understood and connection.reset()):
            self._idle.append(connection)
        else:
            connection.drop()
        return Accepted(self._skeleton.message_id(outgoing), reply.code) if taken else _result(reply)

    def verify(self, request: HttpRequest) -> bool:
        """A mail server knocks nowhere."""
        return False

    def parse(self, request: HttpRequest, attempt_key: UUID | None = None) -> list[Told]:
        raise ValueError("a mail server tells nothing by webhook")

    def find(self, attempt: Attempt) -> list[str]:
        raise ValueError("a mail server has no list")


def host_and_port(account: str) -> tuple[str, int]:
    """From "smtp.example.com:587" or "[2001:db8::1]:587". Raises ValueError."""
    found = _ACCOUNT.fullmatch(account)
    if not found or not 1 <= int(found[2]) <= 65_535:
        raise ValueError("host:port")
    return found[1].strip("[]"), int(found[2])


def _server_of(identity: SendingIdentity) -> Server:
    if identity.is_sandbox != bool(settings.SANDBOX_URL):
        raise ProviderUnusable(
            "This address exists only in the sandbox." if identity.is_sandbox else "The sandbox sends no real mail."
        )
    user, _, password = identity.secret.partition(":")
    if identity.is_sandbox:
        return Server(*_mailbox_of_the_sandbox(), user, password, in_clear=True)
    try:
        return Server(*host_and_port(identity.account), user, password)
    except ValueError:
        raise ProviderUnusable("The mail server must be given as host:port.") from None


def _mailbox_of_the_sandbox() -> tuple[str, int]:
    """Where mail to staff goes as well (EMAIL_HOST, EMAIL_PORT), whatever the identity says."""
    where = settings.MAILERS["default"]["OPTIONS"]
    if where["host"] != urlsplit(settings.SANDBOX_URL).hostname:
        raise ProviderUnusable("EMAIL_HOST is not where the sandbox is: nothing is sent.")
    return where["host"], where["port"]


def _result(reply: Reply) -> Result:
    """What a reply other than "accepted" means."""
    match reply.code // 100:
        case 4:
            return Later(COME_BACK_SECONDS, "mail_later", reply.code)
        case 5:
            return Refused(_reason(reply), reply.code)
        case _ if reply.step == "content":
            return Unclear("no reply code")
        case _:
            return Later(TRY_AGAIN_SECONDS, "connect")


def _reason(reply: Reply) -> str:
    """A code of `messaging.errors`, after the step and the enhanced status code (RFC 3463) where there is one."""
    if reply.code in _SIGN_IN:
        return "mail_sign_in"
    if reply.step in _SENDERS_FAULT:
        return _SENDERS_FAULT[reply.step]
    if reply.step == "rcpt" and b"relay" in reply.text.lower():
        # It takes mail of strangers for its own people only: no email of ours would go out.
        return "mail_sender"
    found = _ENHANCED.match(reply.text)
    match (int(found[1]), int(found[2])) if found else (0, 0):
        case (1, 7 | 8):
            return "mail_sender"
        case (1, _):
            return "hard_bounce"
        case (2, _):
            return "soft_bounce"
        case (4, 5):
            return "mail_quota"
    return "mail_refused"
