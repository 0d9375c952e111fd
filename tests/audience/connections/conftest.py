"""Olive, the Administrator, at the pages of her practice's connections."""

import datetime as dt
from dataclasses import dataclass

import pytest
from django.test import Client

from audience.ehr.live.keys import give_key
from audience.models import EhrConnection, EhrSync, ImportRun
from tests.audience.live.conftest import clinic, installation, no_sleep, sandbox, sandbox_server
from trackstat.clock import now
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

__all__ = ["clinic", "installation", "no_sleep", "sandbox", "sandbox_server"]

SERVER = {
    "name": "ChiroCloud",
    "base_url": "https://fhir.chirocloud.example/r4",
    "client_id": "trackstat",
    "export_level": "patient",
    "polled_types": ["Appointment"],
    "algorithm": "ES384",
    "every": "60",
}
ROOT = "/northside/settings/connections/"


@dataclass
class Desk:
    client: Client
    practice: Practice

    def get(self, where: str = "", **data) -> str:
        return self.client.get(ROOT + where, data).text

    def post(self, where: str, data: dict | None = None, follow: bool = True):
        return self.client.post(ROOT + where, data or {}, follow=follow)

    def connections(self) -> list[EhrConnection]:
        with practice_scope(self.practice):
            return list(EhrConnection.objects.order_by("pk"))

    def syncs(self) -> list[EhrSync]:
        with practice_scope(self.practice):
            return list(EhrSync.objects.order_by("pk"))


@pytest.fixture
def olive(people, northside) -> Desk:
    return desk(people.olive, northside)


def desk(person, practice) -> Desk:
    client = Client()
    client.force_login(person)
    return Desk(client, practice)


@pytest.fixture
def server(northside) -> EhrConnection:
    """A connection to a FHIR server that nobody asks in these tests."""
    with practice_scope(northside):
        made = EhrConnection(
            kind="fhir",
            name="ChiroCloud",
            source="chirocloud",
            base_url=SERVER["base_url"],
            client_id="trackstat",
            algorithm="ES384",
            every_minutes=60,
            marker="2026-11-01T10:00:00Z",
        )
        give_key(made)
        made.save()
    return made


def add_run(connection: EhrConnection, minutes_ago: int = 5, **fields) -> EhrSync:
    """Within the practice."""
    at = now() - dt.timedelta(minutes=minutes_ago)
    run = ImportRun.objects.create(
        source=connection.source, state="done", finished_at=at, counts={"Patient": {"read": 3, "new": 2, "rejected": 1}}
    )
    given = {"state": "done", "started_at": at, "finished_at": at + dt.timedelta(seconds=9), "import_run": run}
    return EhrSync.objects.create(connection=connection, **given | fields)
