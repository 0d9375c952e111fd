"""A folder that the EHR drops its exports into, as a connection."""

import datetime as dt
import os
import time
from pathlib import Path

import pytest

from audience.ehr.live.keys import give_key
from audience.models import EhrConnection
from tests.audience.ehr.exports import patient, write
from tests.audience.live.conftest import Clinic
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def drop(northside, installation) -> Clinic:
    folder = Path(installation.EHR_DROP_FOLDER) / "northside" / "export"
    folder.mkdir(parents=True)
    with practice_scope(northside):
        connection = EhrConnection.objects.create(kind="folder", name="Drop", source="drop", folder="export")
    return Clinic(northside, connection, None, folder, "drop")


def lies_there(folder: Path, seconds: float = 3600) -> None:
    """As if every file had been written so long ago."""
    for file in folder.iterdir():
        os.utime(file, (time.time() - seconds,) * 2)


def test_a_folder_is_read_once_and_again_when_it_has_changed(drop):
    lies_there(write(drop.folder, patient("p1")))
    first = drop.sync()
    assert (first.state, first.import_run.counts["Patient"]["new"]) == ("done", 1)
    second = drop.sync()
    assert (second.state, second.import_run, second.marker) == ("done", None, first.marker)
    lies_there(write(drop.folder, patient("p2"), name="more.ndjson"), 1800)
    third = drop.sync()
    assert third.import_run.counts["Patient"]["new"] == 1
    assert set(drop.patients()) == {"p1", "p2"}


def test_what_is_still_being_written_is_left_for_later(drop):
    lies_there(write(drop.folder, patient("p1")), 5)
    sync = drop.sync()
    assert (sync.is_over, sync.problem, sync.tries, sync.import_run) == (False, "", 0, None)
    assert sync.next_at > sync.started_at + dt.timedelta(seconds=30)
    lies_there(drop.folder)
    assert drop.sync().state == "done"


@pytest.mark.parametrize("folder", ["../southside/export", "..", "/etc", "../northside-other"])
def test_nothing_outside_of_the_practices_own_folder_is_read(drop, installation, folder):
    for other in ("southside/export", "northside-other"):
        lies_there(write(Path(installation.EHR_DROP_FOLDER) / other, patient("theirs")))
    drop.set(folder=folder)
    sync = drop.sync()
    assert (sync.state, sync.problem) == ("failed", "The folder lies outside of the practice's drop folder")
    assert drop.patients() == {}


def test_a_link_out_of_the_folder_is_outside(drop, installation):
    elsewhere = write(Path(installation.EHR_DROP_FOLDER) / "southside", patient("theirs"))
    lies_there(elsewhere)
    (drop.folder.parent / "link").symlink_to(elsewhere)
    drop.set(folder="link")
    assert drop.sync().problem == "The folder lies outside of the practice's drop folder"


def test_a_folder_that_is_not_there_and_an_installation_without_one_are_said(drop, installation):
    drop.set(folder="nowhere")
    assert drop.sync().problem == "There is no folder northside/nowhere in the drop folder"
    installation.EHR_DROP_FOLDER = ""
    assert drop.sync().problem == "No drop folder is set up on this installation (EHR_DROP_FOLDER)"


def test_downloads_are_not_put_where_others_can_read_them(northside, installation, tmp_path):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o755)
    installation.EHR_WORK_FOLDER = str(open_to_all)
    with practice_scope(northside):
        connection = EhrConnection(
            kind="fhir", name="Server", source="fhir", base_url="https://ehr.example/fhir", client_id="trackstat"
        )
        connection.algorithm = "ES384"
        give_key(connection)
        connection.save()
    sync = Clinic(northside, connection, None, tmp_path, "server").sync()
    assert sync.problem == f"{open_to_all} can be read by others on this machine: patients' data are not put there"
