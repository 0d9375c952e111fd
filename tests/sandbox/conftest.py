"""One sandbox process for the session; each test has an account, numbers and a domain of its own in it."""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from twilio.rest import Client

from tests.sandbox.receiver import Receiver
from tests.sandbox.running import RunningSandbox, start_sandbox, twilio_client
from trackstat.sandbox.client import SandboxClient

_lines = itertools.count(1000)


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory) -> Iterator[RunningSandbox]:
    server = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    # A receiver that has gone with its test is not tried again for minutes.
    server.client.set_pace(retry=0.001)
    yield server
    server.stop()


@pytest.fixture
def sandbox(sandbox_server) -> Iterator[SandboxClient]:
    """The control API, put back to normal afterwards."""
    client = sandbox_server.client
    pace = client.pace()
    yield client
    client.set_faults([])
    client.set_line_types([])
    client.set_clock(0)
    client.set_pace(**pace)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@dataclass
class Line:
    """A practice's account at the carrier."""

    sid: str
    token: str
    number: str
    service: str
    service_number: str
    url: str

    @property
    def twilio(self) -> Client:
        return twilio_client(self.url, self.sid, self.token)


def a_number(area: str = "617") -> str:
    return f"+1{area}201{next(_lines)}"


def a_line(server: RunningSandbox, receiver: Receiver | None = None, **more) -> Line:
    line = Line(
        sid="AC" + secrets.token_hex(16),
        token=secrets.token_hex(16),
        number=a_number(),
        service="MG" + secrets.token_hex(16),
        service_number=a_number(),
        url=server.url,
    )
    server.client.register_account(
        line.sid,
        line.token,
        sms_url=f"{receiver.url}/inbound?practice=north" if receiver else "",
        numbers=[line.number],
        services={line.service: [line.service_number]},
        **more,
    )
    return line


@pytest.fixture
def line(sandbox, sandbox_server, receiver) -> Line:
    return a_line(sandbox_server, receiver)


@pytest.fixture
def phone() -> str:
    """A patient's phone nobody else has."""
    return a_number("415")
