"""Syncing with a FHIR server over HTTP: what is asked, what arrives, and from where the next sync asks."""

import json

import jwt
import pytest
import requests
from django.db import connection as database

from audience.ehr.fhir import stage
from audience.ehr.live import server
from audience.ehr.live.keys import give_key, key_set
from audience.ehr.live.server import TYPES
from audience.models import Appointment, EhrConnection, EhrSync, ImportRun
from tests.audience.ehr.exports import appointment, encounter, patient
from tests.audience.live.conftest import LATER, changed, connect
from trackstat.tenancy.scope import practice_scope


def test_everything_that_importing_reads_is_asked_for():
    assert set(TYPES) == set(stage._SHAPES)


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_first_sync_brings_everybody_with_the_appointments_that_the_export_leaves_out(
    northside, sandbox, installation, tmp_path, algorithm
):
    clinic = connect(northside, sandbox, tmp_path / "ehr", algorithm)
    sync = clinic.sync()
    assert (sync.state, sync.problem, sync.files) == ("done", "", 1)
    assert sync.import_run.counts["Patient"]["new"] == 2
    assert sync.import_run.counts["Appointment"]["new"] == 1
    with practice_scope(northside):
        assert Appointment.objects.get().patient.external_id == "p1"
    assert (clinic.connection.state, clinic.connection.problem) == ("working", "")
    assert clinic.connection.last_began_at == sync.started_at
    assert clinic.connection.last_ended_at >= sync.started_at
    assert clinic.connection.marker == sync.marker != ""
    (export,) = clinic.facts("ehr.export")
    assert (export["since"], set(export["types"])) == (None, set(TYPES))
    assert len(clinic.facts("ehr.dropped")) == 1, "the export is taken back at the end"
    assert clinic.sandbox.ehr(clinic.name)["exports"] == []
    assert list((tmp_path / "work").glob("*")) == [], "nothing stays on the disk"


def test_the_next_sync_asks_only_for_what_has_changed(clinic):
    first = clinic.sync()
    clinic.has(changed(patient("p3"), LATER), changed(appointment("a2", "Patient/p2"), LATER), file="new.ndjson")
    second = clinic.sync()
    assert clinic.facts("ehr.export")[1]["since"] == first.marker
    assert f"gt{first.marker}" in clinic.facts("ehr.search")[1]["query"]
    read = {kind: counts["read"] for kind, counts in second.import_run.counts.items()}
    assert read == {"Patient": 1, "Appointment": 1}
    assert set(clinic.patients()) == {"p1", "p2", "p3"}
    assert clinic.connection.marker == second.marker > first.marker


def test_where_nothing_has_changed_nothing_is_imported_and_the_next_sync_still_goes_on_from_here(clinic):
    first = clinic.sync()
    second = clinic.sync()
    assert (second.state, second.import_run) == ("done", None)
    assert clinic.connection.marker == second.marker > first.marker
    with practice_scope(clinic.practice):
        assert ImportRun.objects.count() == 1


def test_whom_the_ehr_deleted_becomes_inactive(clinic):
    clinic.sync()
    clinic.sandbox.delete_in_ehr(clinic.name, ["Patient/p2"])
    assert clinic.sync().state == "done"
    assert clinic.patients() == {"p1": "active", "p2": "inactive"}


def test_from_the_start_asks_for_everything_again(clinic):
    clinic.sync()
    sync = clinic.sync(from_start=True)
    assert [fact["since"] for fact in clinic.facts("ehr.export")] == [None, None]
    assert sync.import_run.counts["Patient"]["unchanged"] == 2


def test_an_export_that_has_appointments_is_not_polled_for_them(clinic):
    clinic.behave(left_out=[])
    assert clinic.sync().import_run.counts["Appointment"]["new"] == 1
    assert clinic.facts("ehr.search") == []


def test_a_group_is_exported(clinic):
    clinic.behave(groups=["our patients"])
    clinic.set(export_level=EhrConnection.Level.GROUP, group_id="our patients")
    assert clinic.sync().state == "done"
    clinic.set(group_id="others")
    sync = clinic.sync()
    assert (sync.state, sync.problem) == ("failed", "127.0.0.1 answers 404 when asked for an export: not-found")


def test_without_bulk_export_everything_is_polled_page_by_page(clinic):
    clinic.set(export_level=EhrConnection.Level.NONE, polled_types=["Patient", "Appointment", "Encounter"])
    clinic.behave(page=1)
    clinic.has(changed(encounter("e1", "Patient/p2")), file="visits.ndjson")
    sync = clinic.sync()
    assert {kind: counts["new"] for kind, counts in sync.import_run.counts.items()} == {
        "Patient": 2,
        "Appointment": 1,
        "Encounter": 1,
    }
    assert clinic.facts("ehr.export") == []
    assert [fact["start"] for fact in clinic.facts("ehr.search") if fact["type"] == "Patient"] == [0, 1]
    clinic.has(changed(patient("p9"), LATER), file="new.ndjson")
    again = clinic.sync()
    assert {kind: counts["read"] for kind, counts in again.import_run.counts.items()} == {"Patient": 1}


def test_a_search_in_many_lines_still_becomes_one_line_a_record(clinic):
    clinic.set(export_level=EhrConnection.Level.NONE, polled_types=["Patient"])
    (clinic.folder / "all.ndjson").unlink()
    (clinic.folder / "p.json").write_text(json.dumps(changed(patient("p7")), indent=2))
    assert clinic.sync().import_run.counts["Patient"]["new"] == 1


def test_what_is_not_granted_is_refused_in_words_and_nothing_moves_on(clinic):
    clients = {"trackstat": {"jwks": key_set(clinic.connection), "scopes": ["system/Patient.read"]}}
    clinic.behave(clients=clients)
    sync = clinic.sync()
    assert (sync.state, sync.problem) == ("failed", "The EHR does not allow us to read Appointment")
    assert (clinic.connection.state, clinic.connection.problem) == ("failing", sync.problem)
    assert clinic.connection.marker == ""
    assert clinic.patients() == {}, "nothing is imported without the rest"
    clinic.set(polled_types=[])
    assert clinic.sync().state == "done"
    assert clinic.facts("ehr.export")[-1]["types"] == ["Patient"]
    assert clinic.connection.problem == ""


@pytest.mark.parametrize(
    ("supported", "capabilities", "asked"),
    [
        ([], [], "system/Patient.read system/Practitioner.read"),
        ([], ["permission-v2"], "system/Patient.rs system/Practitioner.rs"),
        (["system/*.read"], ["permission-v2"], "system/*.read"),
        (["system/*.*"], ["permission-v2"], "system/*.rs"),
        (
            ["launch", "system/Encounter.cruds", "system/Patient.read"],
            [],
            "system/Patient.read system/Encounter.rs",
        ),
    ],
)
def test_only_reading_is_asked_for_and_as_the_server_spells_it(supported, capabilities, asked):
    found = server._scope(server._Smart("/token", capabilities, supported))
    assert found == asked or (not supported and found.startswith(asked) and len(found.split()) == len(TYPES))


def test_a_key_the_ehr_does_not_know_is_refused_in_words(clinic):
    with practice_scope(clinic.practice):
        give_key(clinic.connection)
        clinic.connection.save()
    sync = clinic.sync()
    assert sync.state == "failed"
    assert "does not let us sign in: invalid_client: no registered key has this kid" in sync.problem


def test_a_private_key_is_not_kept_in_clear_and_the_key_set_has_the_public_one_only(clinic):
    stored = clinic.connection.encrypted_private_key
    assert "PRIVATE KEY" in clinic.connection.private_key
    assert "PRIVATE" not in stored
    for algorithm in ("RS384", "ES384"):
        clinic.connection.algorithm = algorithm
        give_key(clinic.connection)
        (key,) = key_set(clinic.connection)["keys"]
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
        assert jwt.PyJWK(key).algorithm_name == algorithm


def test_no_transaction_is_open_while_the_ehr_is_spoken_to(clinic, monkeypatch):
    before, depths = len(database.savepoint_ids), []
    send = requests.Session.send

    def noted(self, request, **how):
        depths.append(len(database.savepoint_ids))
        return send(self, request, **how)

    monkeypatch.setattr(requests.Session, "send", noted)
    clinic.sync()
    assert len(depths) >= 7
    assert set(depths) == {before}


def test_one_practice_sees_nothing_of_anothers_connections(clinic, southside):
    clinic.sync()
    with practice_scope(southside):
        assert not EhrConnection.objects.exists()
        assert not EhrSync.objects.exists()
