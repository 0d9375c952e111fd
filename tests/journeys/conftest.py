"""Journeys through the running product. They share one stack; each has a practice of its own in it."""

import datetime as dt
import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest
from django.conf import global_settings
from django.core.management import call_command
from django.test import override_settings

from audience.models import Appointment, Patient, PatientTag
from audience.rollups import rebuild
from messaging.models import SendingIdentity
from tests.conftest import owner_connection
from tests.factories import AppointmentFactory, EmailIdentityFactory, PatientFactory, TagFactory, TextIdentityFactory
from tests.journeys.stack import Stack
from tests.journeys.walk import Walk
from trackstat.clock import now
from trackstat.sandbox.client import SandboxClient
from trackstat.tenancy.models import Membership, Practice, PracticeSettings, User
from trackstat.tenancy.roles import seed_roles
from trackstat.tenancy.scope import practice_scope

PASSWORD = "correct horse 9 battery"
# Nobody's quiet hours, whatever the time is really.
NOON = dt.datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("America/New_York"))
_lines = itertools.count(2000)


@pytest.fixture(scope="package")
def stack(django_db_setup, tmp_path_factory) -> Iterator[Stack]:
    """Gone before anything outside this folder is tested: its workers would send other tests' messages."""
    _move_clock(NOON - dt.datetime.now(dt.UTC))
    stack = Stack(tmp_path_factory.mktemp("journeys"))
    try:
        with override_settings(**stack.addresses, PASSWORD_HASHERS=global_settings.PASSWORD_HASHERS):
            yield stack
    finally:
        stack.close()
        _move_clock(dt.timedelta())


@dataclass
class Office:
    """A practice of a journey, its people and its line."""

    practice: Practice
    email: str
    number: str
    domain: str
    sandbox: SandboxClient
    since: int

    @property
    def name(self) -> str:
        return self.practice.name

    @contextmanager
    def data(self) -> Iterator[None]:
        with practice_scope(self.practice):
            yield

    def patient(self, first_name: str, months_ago: float = 10, ahead_days: int = 0, tag: str = "", **fields) -> Patient:
        """Seen `months_ago`; booked again in `ahead_days` if that is not 0."""
        n = next(_lines)
        given = {"cell": f"+1415201{n}", "email": f"{first_name.lower()}{n}@mail.example", "last_name": f"Patient{n}"}
        patient = PatientFactory(first_name=first_name, **(given | fields))
        seen = now() - dt.timedelta(days=30.4 * months_ago)
        AppointmentFactory(patient=patient, starts_at=seen)
        if ahead_days:
            booked = now() + dt.timedelta(days=ahead_days)
            AppointmentFactory(patient=patient, starts_at=booked, status=Appointment.Status.SCHEDULED)
        if tag:
            carried = TagFactory(name=tag, always_excluded=tag == "not qualified")
            PatientTag.objects.create(patient=patient, tag=carried)
        return patient

    def fill(self, people: int) -> list[Patient]:
        """So many to write to, and others who must be left out, each for a reason of their own."""
        with self.data():
            names = ["Ana", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gia", "Hugo", "Ines", "Jon", "Kim", "Leo"]
            wanted = [self.patient(names[i % len(names)] + ("" if i < len(names) else str(i))) for i in range(people)]
            # So many that those are not the whole practice.
            for _ in range(1 + people // 3):
                self.patient("Recent", months_ago=1)
            self.patient("Longago", months_ago=40)
            self.patient("Booked", ahead_days=9)
            self.patient("Unqualified", tag="not qualified")
            self.patient("Phoneless", cell="")
            rebuild(self.practice)
        return wanted

    def ledger(self, kind: str) -> list[dict]:
        """What the sandbox has noted since this journey began."""
        return self.sandbox.ledger(kind, self.since)


@pytest.fixture
def office(stack, transactional_db) -> Iterator[Office]:
    """A practice with a text number, a mail domain and Uma, who may send campaigns."""
    word = secrets.token_hex(3)
    practice = Practice.objects.create(name=f"Harbor Wellness {word}", slug=f"harbor-{word}")
    domain, number = f"mail-{word}.example", f"+1617201{next(_lines)}"
    with practice_scope(practice):
        PracticeSettings.objects.create(
            practice=practice,
            time_zone="America/New_York",
            phone="+16175550100",
            address_line="1 Main Street",
            city="Boston",
            state="MA",
            postal_code="02118",
            attested_at=dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
            attested_by="Olive Owner",
            attested_wording="I agree to receive texts about offers and news.",
        )
        role = seed_roles()["User Plus"]
        uma = User.objects.create_user(f"uma@{word}.example", PASSWORD, name="Uma")
        Membership.objects.create(user=uma, role=role)
        TextIdentityFactory(address=number, account="AC" + secrets.token_hex(16), messaging_service="")
        EmailIdentityFactory(address=f"hello@{domain}", account=domain, from_name=practice.name)
        assert SendingIdentity.objects.count() == 2
    call_command("sandbox_register", verbosity=0)
    yield Office(practice, uma.email, number, domain, stack.sandbox, stack.sandbox.health()["ledger"])
    stack.slowly(0)


@pytest.fixture
def walk(chromium, stack, office, request) -> Iterator[Walk]:
    walk = Walk(chromium, stack.url, request.node.name)
    yield walk
    walk.close()


def _move_clock(shift: dt.timedelta) -> None:
    with owner_connection() as owner:
        owner.execute("UPDATE trackstat.clock SET shift = %s", [shift])
