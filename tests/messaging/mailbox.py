"""Emails by SMTP to the sandbox's mailbox."""

import secrets
from collections.abc import Callable

import pytest

from audience.models import Channel
from messaging.models import Message, SendingIdentity
from tests.factories import ContentFactory, EmailIdentityFactory, MessageFactory, PatientFactory
from tests.sandbox.running import RunningSandbox
from trackstat.tenancy.scope import practice_scope


def leads_to(settings, host: str, port: int) -> None:
    """Where EMAIL_HOST and EMAIL_PORT lead; the test runner has taken them out of the settings."""
    backend = "django.core.mail.backends.locmem.EmailBackend"
    settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"host": host, "port": port}}}


def an_smtp_identity(server: RunningSandbox, **fields) -> SendingIdentity:
    """Of the practice in scope."""
    fields = {
        "provider": SendingIdentity.Provider.SMTP,
        "address": f"hello@smtp-{secrets.token_hex(4)}.example",
        "account": f"{server.smtp_host}:{server.smtp_port}",
        "secret": "user:password",
        **fields,
    }
    return EmailIdentityFactory(**fields)


@pytest.fixture
def at_the_mailbox(settings, sandbox_server):
    settings.SANDBOX_URL = sandbox_server.url
    leads_to(settings, sandbox_server.smtp_host, sandbox_server.smtp_port)
    return settings


@pytest.fixture
def smtp_line(transactional_db, northside, sandbox_server, at_the_mailbox, noon) -> SendingIdentity:
    with practice_scope(northside):
        return an_smtp_identity(sandbox_server)


@pytest.fixture
def mail_due(northside, smtp_line) -> Callable[..., list[Message]]:
    """`mail_due("ana@mail.example", …)`: one due email to each address; without any, to somebody of its own."""

    def make(*addresses: str) -> list[Message]:
        with practice_scope(northside):
            return [
                MessageFactory(
                    channel=Channel.EMAIL,
                    identity=smtp_line,
                    patient=PatientFactory(email=address),
                    content=ContentFactory(channel=Channel.EMAIL, subject="See you soon", body="Hi Ana, it is time."),
                    merge_values={"PracticeName": "Northside", "PracticeAddress": "1 Main Street"},
                    body="",
                )
                for address in addresses or [f"{secrets.token_hex(8)}@mail.example"]
            ]

    return make
