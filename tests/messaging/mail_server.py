"""A mail server that answers each step as told, to see on which side of the line a failure falls."""

import datetime as dt
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

GOOD = {
    "greeting": "220 ready",
    "ehlo": "250 here",
    "mail": "250 2.1.0 fine",
    "rcpt": "250 2.1.5 fine",
    "data": "354 go on",
    "content": "250 2.0.0 taken",
    "rset": "250 2.0.0 empty",
    "auth": "235 2.7.0 welcome",
    "starttls": "220 go on",
    "quit": "221 bye",
}


class MailServer:
    """`answers[step]` is a reply, DROP or STALL; a list of them is used up, one a time."""

    DROP, STALL = "<drop>", "<stall>"

    def __init__(self, *extensions: str, tls: ssl.SSLContext | None = None, from_the_start: bool = False):
        self.answers: dict[str, str | list[str]] = {}
        # Emails as they came over the wire, and (connection, step) in the order they came.
        self.contents: list[bytes] = []
        self.steps: list[tuple[int, str]] = []
        self._extensions, self._tls, self._from_the_start = extensions, tls, from_the_start
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Wakes accept(), which closing alone does not.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.hang_up()

    def hang_up(self, farewell: bytes = b"") -> None:
        for connection in self._open:
            with suppress(OSError):
                connection.sendall(farewell)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[connection, self.connections], daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError):
            if self._from_the_start:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            self._say(connection, number, "greeting")
            lines = connection.makefile("rb")
            while line := lines.readline():
                step = line.split()[0].decode().lower()
                self._say(connection, number, step)
                if step == "starttls":
                    connection = self._tls.wrap_socket(connection, server_side=True)
                    self._open.append(connection)
                    lines = connection.makefile("rb")
                if step == "data" and self.steps[-1] == (number, "data") and "data" not in self.answers:
                    content = b""
                    while not content.endswith(b"\r\n.\r\n"):
                        content += lines.readline()
                    self.contents.append(content)
                    self._say(connection, number, "content")

    def _say(self, connection: socket.socket, number: int, step: str) -> None:
        self.steps.append((number, step))
        answer = self.answers.get(step, GOOD.get(step, "502 what?"))
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else GOOD[step]
        if answer == self.DROP:
            connection.shutdown(socket.SHUT_RDWR)
            raise OSError
        if answer == self.STALL:
            time.sleep(5)
            return
        if step == "ehlo" and answer == GOOD["ehlo"]:
            answer = "\r\n".join([f"250-{each}" for each in ("here", *self._extensions)] + ["250 HELP"])
        connection.sendall(answer.encode() + b"\r\n")


@lru_cache(maxsize=4)
def certificate(folder: Path, host: str = "localhost") -> Path:
    """Key and certificate of `host` in one file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    plain = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file
