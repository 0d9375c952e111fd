"""Sending for real: committed rows, the real sandbox process, and the clock at noon of a Tuesday."""

import datetime as dt
import secrets
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from audience.models import Channel, ContactPoint
from messaging.dispatch import Counts, dispatch_lane
from messaging.models import Message, SendingIdentity
from tests.factories import EmailIdentityFactory, MessageFactory, PatientFactory, TextIdentityFactory
from tests.sandbox.conftest import a_number, sandbox, sandbox_server
from trackstat.tenancy.scope import practice_scope

__all__ = ["sandbox", "sandbox_server"]

NOON = dt.datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("America/New_York"))


@pytest.fixture
def noon(clock):
    clock.at(NOON)
    return clock


@pytest.fixture
def at_the_sandbox(settings, sandbox_server):
    settings.TWILIO_API_URL = sandbox_server.url
    settings.MAILGUN_API_URL = f"{sandbox_server.url}/v3"
    return settings


def a_text_identity(server, **fields) -> SendingIdentity:
    """A text number of the practice in scope, known to the sandbox. Call in `practice_scope`."""
    identity = TextIdentityFactory(address=a_number(), account="AC" + secrets.token_hex(16), **fields)
    services = {identity.messaging_service: [identity.address]} if identity.messaging_service else {}
    server.client.register_account(identity.account, "auth-token", numbers=[identity.address], services=services)
    return identity


def an_email_identity(server, **fields) -> SendingIdentity:
    domain = f"mail-{secrets.token_hex(4)}.example"
    identity = EmailIdentityFactory(address=f"hello@{domain}", account=domain, **fields)
    server.client.register_domain(domain, "key-secret", "signing-key")
    return identity


@pytest.fixture
def text_line(transactional_db, northside, sandbox_server, at_the_sandbox, noon) -> SendingIdentity:
    with practice_scope(northside):
        return a_text_identity(sandbox_server)


@pytest.fixture
def mail_line(transactional_db, northside, sandbox_server, at_the_sandbox, noon) -> SendingIdentity:
    with practice_scope(northside):
        return an_email_identity(sandbox_server)


@pytest.fixture
def due(northside) -> Callable[..., list[Message]]:
    """`due(identity, 3, …)`: that many due texts to patients of their own."""

    def make(identity: SendingIdentity, number: int = 1, **fields) -> list[Message]:
        with practice_scope(northside):
            return [
                MessageFactory(
                    identity=identity,
                    patient=fields.get("patient") or PatientFactory(cell=a_number("415")),
                    **{name: value for name, value in fields.items() if name != "patient"},
                )
                for _ in range(number)
            ]

    return make


@pytest.fixture
def run(northside) -> Callable[[SendingIdentity], Counts]:
    return lambda identity: dispatch_lane(northside.pk, identity.pk)


@pytest.fixture
def states(northside) -> Callable[[], list[str]]:
    def read() -> list[str]:
        with practice_scope(northside):
            return list(Message.objects.order_by("pk").values_list("state", flat=True))

    return read


def point_of(message: Message) -> ContactPoint:
    return ContactPoint.objects.get(channel=Channel(message.channel), address=message.to_address)
