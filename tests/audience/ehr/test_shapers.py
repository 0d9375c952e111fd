"""Shapers shape pieces of a large export: the same comes of it as without them, whatever becomes of them."""

import datetime as dt
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from audience.ehr import words
from audience.ehr.counts import Counts
from audience.ehr.fhir import folder as folders
from audience.ehr.fhir import shapers
from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.read import FolderReader
from audience.ehr.packing import TABLES
from audience.ehr.reading import Reading
from audience.ehr.staging import rows, staging
from audience.models import Appointment, Patient, Payment
from tests.audience.ehr.exports import appointment, benefit, patient, write
from tests.audience.ehr.mutations import damage, whole

READING = Reading(dt.date(2026, 11, 21), ZoneInfo("America/New_York"))
# What each entry states, too, because entries are numbered otherwise.
STATED = """
    SELECT e.external_id, to_jsonb(f) - 'entry' FROM ehr_entry e
    JOIN {} f USING (entry) ORDER BY e.file, e.line, e.external_id, (to_jsonb(f) - 'entry')::text"""


@pytest.fixture
def pieces(monkeypatch):
    """Small ones, for shapers to have several of each file."""
    monkeypatch.setattr(folders, "_PIECE", 4000)
    monkeypatch.setattr(folders, "MOST_UNREADABLE", 300)


@pytest.fixture
def with_shapers(monkeypatch):
    """Says which pieces shapers have shaped; they are called at once."""
    monkeypatch.setattr(shapers, "WORTH_SHAPERS", 0)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    answers = []

    def note(piece, future):
        answers.append(future.result() if future else None)
        return piece, answers[-1]

    monkeypatch.setattr(shapers, "_answer", note)
    return answers


def read(folder: Path, report=lambda progress: None) -> dict:
    """Everything that is staged of a folder, with the counts."""
    with staging() as tables:
        counts = Counts()
        not_read = FolderReader(Folder(folder)).read(READING, tables, counts, report)
        tables.flush()
        found = {"read": counts.as_json(), "not read": dict(not_read)}
        for table in TABLES.values():
            found[table] = rows(f"SELECT r FROM (SELECT (to_jsonb(t) - 'entry')::text FROM {table} t) x(r) ORDER BY r")
        for facts in ("ehr_diagnosis", "ehr_service", "ehr_payment", "ehr_coverage"):
            found[f"{facts} of"] = rows(STATED.format(facts))
    return found


@pytest.mark.django_db
def test_damaged_exports_become_the_same_with_shapers_as_without(tmp_path, pieces, monkeypatch, request):
    for number in range(20):
        how, damaged = damage(random.Random(number), whole(f"m{number}-"))
        folder = tmp_path / f"{number}-{how}"
        folder.mkdir()
        for name, body in damaged.items():
            (folder / name).write_bytes(body)
    write(tmp_path, *["{}"] * 290, patient("late"), *["[]"] * 320, patient("too late"), name="unreadable.ndjson")
    write(tmp_path, *["x"] * 299, patient("just"), *["\n" * 20] * 14, patient("again"), name="blank.ndjson")
    (tmp_path / "broken.ndjson.gz").write_bytes(gzip.compress(b'{"resourceType":"Slot","id":"1"}\n' * 5000)[:-20])
    bundle = {"resourceType": "Bundle", "entry": [{"resource": benefit(f"b{n}")} for n in range(200)]}
    (tmp_path / "bundle.json").write_text(json.dumps(bundle, indent=1))

    alone = read(tmp_path)
    answers = request.getfixturevalue("with_shapers")
    assert read(tmp_path) == alone
    assert sum(answer is not None for answer in answers) > 60
    reasons = str(alone["ehr_rejection"])
    assert all(why in reasons for why in (folders.reasons.NO_RECORDS, folders.reasons.BROKEN_GZIP))
    assert ("just" in str(alone["ehr_patient"]), "too late" in str(alone["ehr_patient"])) == (True, False)


@pytest.mark.django_db
def test_the_entries_of_all_pieces_are_spread_over_the_hash_tables_that_join_them(tmp_path, pieces, with_shapers):
    """PostgreSQL folds the halves of a bigint: numbered badly, the joins of a large export take longest."""
    write(tmp_path, *(benefit(f"b{number}") for number in range(3000)))
    with staging() as tables:
        FolderReader(Folder(tmp_path)).read(READING, tables, Counts(), lambda progress: None)
        tables.flush()
        [(entries, numbers, hashes)] = rows(
            "SELECT count(*), count(DISTINCT entry), count(DISTINCT hashint8(entry)) FROM ehr_entry"
        )
    assert len(with_shapers) > 100
    assert (entries, numbers) == (3000, 3000)
    assert hashes > 2990


@pytest.mark.django_db
def test_where_no_shaper_can_be_started_the_import_goes_on_without(tmp_path, pieces, with_shapers, caplog, monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(shapers.subprocess, "Popen", refuse)
    write(tmp_path, *(appointment(f"a{number}") for number in range(300)))
    assert len(read(tmp_path)["ehr_appointment"]) == 300
    assert set(with_shapers) == {None}
    assert "could not be started" in caplog.text


@pytest.mark.django_db
def test_what_a_killed_shaper_had_is_shaped_without_it(tmp_path, pieces, with_shapers, caplog):
    write(tmp_path, *(appointment(f"a{number}") for number in range(3000)))
    killed = []

    def kill(progress) -> None:
        if not killed and progress.records > 500:
            killed.append(_children()[0])
            os.kill(killed[0], signal.SIGKILL)

    assert len(read(tmp_path, kill)["ehr_appointment"]) == 3000
    assert killed
    assert None in with_shapers
    assert "A shaper of an import has ended" in caplog.text
    assert not _children()


@pytest.mark.django_db
def test_shapers_end_when_reading_stops(tmp_path, pieces, with_shapers):
    write(tmp_path, *(appointment(f"a{number}") for number in range(3000)))

    def stop(progress) -> None:
        assert _children()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(tmp_path, stop)
    assert not _children()


@pytest.mark.django_db
def test_a_small_export_calls_nobody(tmp_path):
    write(tmp_path, *(appointment(f"a{number}") for number in range(3000)))
    seen = set()
    read(tmp_path, lambda progress: seen.update(_children()))
    assert not seen


READ = """
import datetime, os, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from audience.ehr.fhir import folder, shapers
from audience.ehr.reading import Reading
os.process_cpu_count = lambda: 2
shapers.WORTH_SHAPERS = 0
with shapers.Shapers(Reading(datetime.date(2026, 11, 21), ZoneInfo("America/New_York"))) as some:
    for piece, shaped in some.shaped(folder.Folder(Path(sys.argv[1])).pieces()):
        print(bool(shaped), flush=True)
        sys.stdin.read()
"""


def test_shapers_do_not_outlive_an_import_that_is_killed(tmp_path):
    write(tmp_path, *(appointment(f"a{number}") for number in range(20_000)))
    killed = subprocess.Popen(
        [sys.executable, "-c", READ, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout.readline() == "True\n"
    children = _children(killed.pid)
    assert len(children) == 2
    killed.kill()
    killed.communicate()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() and _state(child) != "Z" for child in children):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_words_are_the_models_own():
    for mine, theirs in (
        (words.AppointmentStatus, Appointment.Status),
        (words.InactiveReason, Patient.InactiveReason),
        (words.Sex, Patient.Sex),
        (words.Payer, Payment.Payer),
    ):
        named = {name: value for name, value in vars(mine).items() if name.isupper()}
        assert named == {one.name: one.value for one in theirs if one.value}


def test_a_shaper_needs_no_models_and_no_settings():
    code = "import sys, audience.ehr.fhir.shaper; print('audience.models' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={})
    assert said.stdout == "False\n"


def _children(of: int | None = None) -> list[int]:
    listed = Path(f"/proc/{of or os.getpid()}/task").glob("*/children")
    found = [int(child) for task in listed for child in task.read_text().split()]
    return [child for child in found if b"ehr.fhir.shaper" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
