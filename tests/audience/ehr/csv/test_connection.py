"""A drop folder of CSV files as a connection, and the commands as a person runs them."""

import json
import os
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audience.ehr.csv import mapping
from audience.ehr.csv.guess import guess
from audience.ehr.dry_run import DryRun, dry_run, dry_run_connection
from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.read import FolderReader
from audience.ehr.live.sync import ask, work
from audience.ehr.live.trouble import Patience, Refused
from audience.ehr.run import AlreadyRunning, alone, import_folder
from audience.models import EhrConnection, EhrSync, Patient, Provider
from tests.audience.ehr import exports
from tests.audience.ehr.csv.drops import appointment, patient, rejections, write
from tests.audience.ehr.outcome import state
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def connection(northside, settings, tmp_path) -> EhrConnection:
    settings.EHR_DROP_FOLDER = str(tmp_path)
    (tmp_path / "northside" / "export").mkdir(parents=True)
    with practice_scope(northside):
        return EhrConnection.objects.create(kind="csv", name="Drop", source="drop", folder="export")


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "northside" / "export"


def settle(folder: Path, seconds: float = 3600) -> None:
    """As if every file had been written so long ago."""
    for file in folder.iterdir():
        os.utime(file, (time.time() - seconds,) * 2)


def sync(practice, connection) -> EhrSync:
    with practice_scope(practice):
        pk = ask(connection).pk
    work(practice, connection.pk, Patience(0))
    with practice_scope(practice):
        connection.refresh_from_db()
        return EhrSync.objects.select_related("import_run").get(pk=pk)


def change(practice, connection, **fields) -> None:
    with practice_scope(practice):
        EhrConnection.objects.filter(pk=connection.pk).update(**fields)
        connection.refresh_from_db()


def statuses(practice) -> dict[str, str]:
    with practice_scope(practice):
        return dict(Patient.objects.values_list("external_id", "status"))


def test_a_drop_is_read_when_files_have_changed_or_are_to_be_read_in_another_way(northside, connection, folder):
    write(folder, "patients.csv", patient("p1", DOB="3/4/1984"))
    settle(folder)
    first = sync(northside, connection)
    assert (first.state, first.import_run.counts["Patient"]["new"]) == ("done", 1)
    doubt = "No date tells whether the month or the day stands first. They are read month first: March 4 is 3/4/2026;"
    assert connection.problem.startswith(doubt), "what may be read in two ways is said"
    assert sync(northside, connection).import_run is None
    assert connection.problem.startswith(doubt)
    with practice_scope(northside):
        mapping.save(connection, guess(folder).mapping.as_json() | {"dates": "dmy"})
    assert sync(northside, connection).import_run.counts["Patient"]["changed"] == 1
    assert connection.problem == ""
    write(folder, "patients.csv", patient("p2"))
    assert not sync(northside, connection).is_over, "it may still be written"


def test_whether_a_drop_has_everybody_is_said_by_the_connection(northside, connection, folder):
    write(folder, "patients.csv", patient("p1"), patient("p2"))
    settle(folder)
    sync(northside, connection)
    write(folder, "patients.csv", patient("p1"))
    settle(folder, 1800)
    sync(northside, connection)
    assert statuses(northside) == {"p1": "active", "p2": "active"}
    change(northside, connection, is_snapshot=True)
    foreseen = dry_run_connection(northside, connection)
    assert foreseen.sentence == "1 patient would come: 1 as they are. 1 would become inactive."
    assert statuses(northside) == {"p1": "active", "p2": "active"}
    sync(northside, connection)
    assert statuses(northside) == {"p1": "active", "p2": "inactive"}


def test_a_link_out_of_the_folder_is_not_followed(northside, connection, folder, tmp_path):
    write(tmp_path / "southside", "theirs.csv", patient("theirs"))
    (folder / "patients.csv").symlink_to(tmp_path / "southside" / "theirs.csv")
    assert sync(northside, connection).state == "done"
    assert statuses(northside) == {}


def test_a_mapping_that_cannot_be_used_is_said(northside, connection, folder):
    write(folder, "patients.csv", patient())
    settle(folder)
    change(northside, connection, mapping={"dates": "?"})
    words = "The column mapping cannot be used. “dates” is “?”; it can be “mdy”, “dmy”, “ymd”."
    assert sync(northside, connection).problem == words
    with pytest.raises(Refused, match="cannot be used"):
        dry_run_connection(northside, connection)


def test_a_dry_run_of_fhir_files_counts_as_the_import_would_and_writes_nothing(northside, tmp_path):
    export = exports.write(
        tmp_path, exports.patient("p1"), exports.patient("p2"), exports.appointment(), exports.encounter(),
        exports.claim(), exports.condition(), exports.coverage(), exports.episode(),
        exports.appointment("a9", "Patient/x"),
    )  # fmt: skip
    for again in (False, True):
        before = state(northside)
        foreseen = dry_run(northside, FolderReader(Folder(export)), "fhir", is_snapshot=again)
        assert state(northside) == before
        with practice_scope(northside):
            assert Provider.objects.count() == len(before["choices"][0])
        assert DryRun.of_json(json.loads(json.dumps(foreseen.as_json()))) == foreseen
        run = import_folder(northside, export, is_snapshot=again)
        assert (foreseen.counts, foreseen.left_out) == (run.counts, run.left_out)
        assert sum(one.number for one in foreseen.rejections) == len(rejections(northside, run)) == (not again)
        exports.write(export, exports.patient("p2", gender="male"), exports.deleted("Appointment/a1", "Patient/p1"),
                      exports.condition("c1", "Patient/p1", "active", "M99.1"))  # fmt: skip


def test_a_dry_run_waits_for_no_import_and_lets_none_begin(northside, tmp_path):
    export = exports.write(tmp_path, exports.patient())
    with alone(northside, "fhir"):
        pass
    seen = []

    def report(progress):
        if progress.step == "Comparing" and not seen:
            seen.append(progress)
            with pytest.raises(AlreadyRunning):
                _elsewhere(northside)

    dry_run(northside, FolderReader(Folder(export)), "fhir", report)
    assert seen


def _elsewhere(practice) -> None:
    """As another process, whose connection is another one."""
    from tests.conftest import owner_connection

    key = f"ehr import {practice.pk} fhir"
    with owner_connection() as owner:
        if not owner.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key]).fetchone()[0]:
            raise AlreadyRunning


def run(*arguments) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("ehr_import", *map(str, arguments), stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def test_the_command_tells_csv_files_by_their_names_and_says_what_it_would_do(northside, tmp_path):
    write(tmp_path, "patients.csv", patient(), patient("p2", DOB="4/31/1999"))
    write(tmp_path, "appointments.csv", appointment())
    out, _ = run("northside", tmp_path, "--dry-run")
    assert "Nothing was changed. 1 patient would come: 1 new. 1 record would be rejected." in out
    assert statuses(northside) == {}
    out, _ = run("northside", tmp_path)
    assert ["Patient", "2", "1", "1"] in [line.split() for line in out.splitlines()]
    assert "1 rejected: The birth date is not a date, month first\n    patients.csv:3 Patient p2" in out
    with practice_scope(northside):
        assert Patient.objects.get().source == "csv"


def test_the_command_proposes_a_mapping_and_uses_a_saved_one(northside, connection, folder, tmp_path):
    write(folder, "people.csv", {"Nr": "7", "Patient Name": "Ana Alvarez", "DOB": "3/4/1984"})
    proposed, said = run("northside", folder, "--propose")
    assert "people.csv: It is not clear what this file holds" in said
    own = json.loads(proposed)
    own["files"] = {"patients": {"pattern": "people*", "columns": {"id": ["Nr"], "name": ["Patient Name"]}}}
    (tmp_path / "mapping.json").write_text(json.dumps(own))
    run("northside", folder, "--mapping", tmp_path / "mapping.json", "--source", "drop")
    assert statuses(northside) == {"7": "active"}
    write(folder, "people.csv", {"Nr": "8", "Patient Name": "Bo Li"})
    with practice_scope(northside):
        mapping.save(connection, own)
    run("northside", folder, "--source", "drop")
    assert set(statuses(northside)) == {"7", "8"}
    (tmp_path / "mapping.json").write_text("{")
    with pytest.raises(CommandError, match="is no mapping"):
        run("northside", folder, "--mapping", tmp_path / "mapping.json")
