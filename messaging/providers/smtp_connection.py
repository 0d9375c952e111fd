"""One open connection to a mail server, which knows whether any byte of an email's content left."""

import select
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic

from django.conf import settings
from django.core.mail import DNS_NAME

TLS_FROM_THE_START = 465


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect and who signs in (an empty `user`: nobody). Only the sandbox is spoken to in clear."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    in_clear: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said at which step: greeting, ehlo, tls, auth, mail, rcpt, data or content."""

    step: str
    code: int
    text: bytes


class Stopped(Exception):
    """The server's reply ended the way to an open connection."""

    def __init__(self, step: str, code: int, text: bytes | str = b""):
        super().__init__(step, code)
        self.reply = Reply(step, code, text.encode(errors="replace") if isinstance(text, str) else text)


class _Plain(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        connected = socket.create_connection((host, port), settings.PROVIDER_CONNECT_TIMEOUT)
        connected.settimeout(timeout)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected


class _Secure(smtplib.SMTP_SSL, _Plain):
    pass


class Connection:
    """Opened when made. Raises Stopped where the server says no, OSError and SMTPException where it does not answer."""

    def __init__(self, server: Server):
        self.begun = False
        self._smtp = self._greeted(server)
        try:
            self._introduced()
            if not server.in_clear and server.port != TLS_FROM_THE_START:
                self._secured()
            if server.user:
                self._signed_in(server)
        except BaseException:
            self.drop()
            raise

    def _greeted(self, server: Server) -> smtplib.SMTP:
        where, wait = (server.host, server.port, str(DNS_NAME)), settings.PROVIDER_READ_TIMEOUT
        try:
            if not server.in_clear and server.port == TLS_FROM_THE_START:
                return _Secure(*where, timeout=wait, context=trust())
            return _Plain(*where, timeout=wait)
        except smtplib.SMTPConnectError as error:
            raise Stopped("greeting", error.smtp_code, error.smtp_error) from error

    def _introduced(self) -> None:
        code, text = self._smtp.ehlo()
        if code != 250:
            raise Stopped("ehlo", code, text)

    def _secured(self) -> None:
        if not self._smtp.has_extn("starttls"):
            raise Stopped("tls", 500)
        code, text = self._smtp.starttls(context=trust())
        if code != 220:
            raise Stopped("tls", code, text)
        self._introduced()

    def _signed_in(self, server: Server) -> None:
        try:
            self._smtp.login(server.user, server.password)
        except smtplib.SMTPAuthenticationError as error:
            raise Stopped("auth", error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPNotSupportedError, UnicodeError) as error:
            raise Stopped("auth", 504) from error

    def hand_over(self, sender: str, recipient: str, content: bytes, until: float) -> Reply:
        """The reply that decided. `content`: lines ended by CRLF; it is not begun after `until` (of `monotonic()`).

        Raises OSError and SMTPException where none came; `begun` then says whether the server may have the email.
        """
        self.begun = False
        for step, words, go_on in (
            ("mail", f"FROM:<{sender}>", 2),
            ("rcpt", f"TO:<{recipient}>", 2),
            ("data", "", 3),
        ):
            code, text = self._smtp.docmd(step, words)
            if code // 100 != go_on:
                return Reply(step, code, text)
        if monotonic() > until:
            raise TimeoutError
        self.begun = True
        self._smtp.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return Reply("content", *self._smtp.getreply())

    def reset(self) -> bool:
        """Whether the next email may follow after one that was not taken."""
        with suppress(OSError, smtplib.SMTPException):
            return self._smtp.docmd("rset")[0] == 250
        return False

    def is_open(self) -> bool:
        """Nothing is said between two emails, so whatever can be read now is the server's farewell."""
        if self._smtp.sock is None:
            return False
        readable = select.poll()
        readable.register(self._smtp.sock, select.POLLIN)
        return not readable.poll(0)

    def leave(self) -> None:
        """Politely, and without waiting for the answer: everything that counts has been answered."""
        with suppress(OSError, smtplib.SMTPException):
            self._smtp.putcmd("quit")
        self.drop()

    def drop(self) -> None:
        self._smtp.close()


@lru_cache(maxsize=1)
def trust() -> ssl.SSLContext:
    """The authorities of this machine; the certificate must be the server's. Reading them takes 20 ms."""
    return ssl.create_default_context()
