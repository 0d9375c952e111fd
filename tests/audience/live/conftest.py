"""A practice connected to an EHR that the real sandbox process stands in for."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from audience.ehr.live.keys import give_key, key_set
from audience.ehr.live.sync import ask, work
from audience.ehr.live.trouble import Patience
from audience.models import EhrConnection, EhrSync, Patient
from tests.audience.ehr.exports import appointment, patient
from tests.sandbox.conftest import sandbox, sandbox_server
from trackstat.sandbox.client import SandboxClient
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

__all__ = ["sandbox", "sandbox_server"]

LONG_AGO, LATER = "2026-01-05T10:00:00Z", "2027-01-05T10:00:00Z"


def changed(resource: dict, at: str = LONG_AGO) -> dict:
    """The resource as last changed at a moment; all of them lie before the sandbox's time or after it."""
    return resource | {"meta": {"lastUpdated": at}}


@dataclass
class Clinic:
    """The EHR, and the connection to it."""

    practice: Practice
    connection: EhrConnection
    sandbox: SandboxClient
    folder: Path
    name: str
    manners: dict = field(default_factory=dict)

    def behave(self, **manners) -> None:
        """Registers the EHR anew."""
        self.manners |= manners
        clients = {self.connection.client_id: {"jwks": key_set(self.connection)}}
        said = {"polls": 1, "retry_after": 0, "clients": clients} | self.manners
        base = self.sandbox.register_ehr(self.name, str(self.folder), **said)["base_url"]
        self.set(base_url=base)

    def has(self, *resources: dict, file: str = "all.ndjson") -> None:
        (self.folder / file).write_text("".join(json.dumps(one) + "\n" for one in resources))

    def set(self, **fields) -> None:
        with practice_scope(self.practice):
            EhrConnection.objects.filter(pk=self.connection.pk).update(**fields)
        self.reload()

    def reload(self) -> EhrConnection:
        with practice_scope(self.practice):
            self.connection.refresh_from_db()
        return self.connection

    def sync(self, patience: float = 30, **how) -> EhrSync:
        """One call of a worker with something to do; the sync afterwards."""
        with practice_scope(self.practice):
            pk = ask(self.connection, **how).pk
        work(self.practice, self.connection.pk, Patience(patience))
        self.reload()
        with practice_scope(self.practice):
            return EhrSync.objects.select_related("import_run").get(pk=pk)

    def fault(self, where: str, action: str, **more) -> None:
        self.sandbox.set_faults([rule(self.name, where, action, **more)])

    def facts(self, kind: str) -> list[dict]:
        return [fact for fact in self.sandbox.ledger(kind) if fact.get("ehr", fact.get("subject")) == self.name]

    def patients(self) -> dict[str, str]:
        with practice_scope(self.practice):
            return dict(Patient.everyone.values_list("external_id", "status"))


def rule(ehr: str, where: str, action: str, match: dict | None = None, **more) -> dict:
    """A fault that the EHR's first such request meets, unless `match` says otherwise."""
    return {
        "where": where,
        "action": action,
        "match": {"to": f"^{ehr}$", **({"count": 1} if match is None else match)},
    } | more


def connect(practice: Practice, sandbox: SandboxClient, folder: Path, algorithm: str = "ES384") -> Clinic:
    name = f"ehr-{secrets.token_hex(4)}"
    folder.mkdir()
    with practice_scope(practice):
        connection = EhrConnection(
            kind="fhir",
            name="Clinic",
            source=name,
            base_url="https://ehr.example/fhir",
            client_id="trackstat",
            algorithm=algorithm,
        )
        give_key(connection)
        connection.save()
    clinic = Clinic(practice, connection, sandbox, folder, name)
    clinic.behave()
    clinic.has(changed(patient("p1")), changed(patient("p2")), changed(appointment("a1", "Patient/p1")))
    return clinic


@pytest.fixture
def installation(settings, sandbox_server, tmp_path):
    settings.SANDBOX_URL = sandbox_server.url
    settings.EHR_WORK_FOLDER = str(tmp_path / "work")
    settings.EHR_DROP_FOLDER = str(tmp_path / "drop")
    return settings


@pytest.fixture
def clinic(northside, sandbox, installation, tmp_path) -> Clinic:
    return connect(northside, sandbox, tmp_path / "ehr")


@pytest.fixture
def no_sleep(monkeypatch) -> Iterator[list[float]]:
    """Waits take no time, and are kept."""
    waits: list[float] = []
    monkeypatch.setattr("audience.ehr.live.trouble.time.sleep", waits.append)
    yield waits
