"""Emails handed over by SMTP on one connection, beside smtplib sending bytes that were built before."""

import smtplib
import subprocess
import sys
import time
import uuid

from tests.bench.measure import Figure, interleaved, load

ROUNDS, NUMBER = 3, 2_000
TARGET = 0.5
SENDER = "hello@northside.example"


def figure() -> Figure:
    """Needs Django set up on servers of its own. Both sides speak to a sink in a process of its own."""
    from django.conf import settings
    from django.test import override_settings

    sink = subprocess.Popen([sys.executable, "-m", "tests.bench.sink"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(sink.stdout.readline())
        mailers = {"default": {**settings.MAILERS["default"]}}
        mailers["default"]["OPTIONS"] = mailers["default"]["OPTIONS"] | {"host": "127.0.0.1", "port": port}
        with override_settings(MAILERS=mailers, SANDBOX_URL="http://127.0.0.1:1"):
            outgoing = [_email() for _ in range(NUMBER)]
            built = _built(outgoing)
            found = interleaved(ROUNDS, ours=lambda: _ours(outgoing), prebuilt=lambda: _prebuilt(port, outgoing, built))
    finally:
        sink.kill()
        sink.wait()
    note = f"{NUMBER:,} emails of {len(built[0]):,} bytes a round, median of {ROUNDS}; {load()}"
    return Figure("emails over SMTP", found["ours"], found["prebuilt"], "emails/s", TARGET, note=note)


def _identity():
    from messaging.models import SendingIdentity

    return SendingIdentity(
        provider="smtp", channel="email", address=SENDER, from_name="Northside Chiropractic", account="sandbox:25",
        is_sandbox=True,
    )  # fmt: skip


def _email():
    from messaging.email_body import email
    from messaging.providers.base import Outgoing

    values = {"PatientFirstName": "Zoë", "PracticeName": "Northside", "PracticeAddress": "1 Main Street, Boston"}
    paragraph = "<p>Hi {{PatientFirstName|there}}, we have missed you. It’s time for a check-up with Dr. Müller.</p>"
    mail = email("We miss you, {{PatientFirstName|there}}", paragraph * 20, values, uuid.uuid4().hex[:16])
    to = f"{uuid.uuid4().hex}@mail.example"
    return Outgoing(uuid.uuid4(), to, mail.text, mail.subject, mail.html, mail.headers)


def _built(outgoing) -> list[bytes]:
    from messaging.providers.mime import Skeleton

    skeleton = Skeleton("Northside Chiropractic", SENDER, "")
    return [skeleton.render(each) for each in outgoing]


def _ours(outgoing) -> float:
    from messaging import providers
    from messaging.providers.base import Accepted

    began = time.perf_counter()
    with providers.of(_identity()) as provider:
        for each in outgoing:
            assert isinstance(provider.send(each), Accepted)
    return len(outgoing) / (time.perf_counter() - began)


def _prebuilt(port: int, outgoing, built: list[bytes]) -> float:
    began = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port, local_hostname="bench") as connection:
        for each, message in zip(outgoing, built, strict=True):
            connection.sendmail(SENDER, [each.to], message)
    return len(outgoing) / (time.perf_counter() - began)
