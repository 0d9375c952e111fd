"""300 damaged exports: every record is applied or rejected with a reason, no patient is half there, and the undamaged
export afterwards mends everything.

Several damaged exports, each with ids of its own, come in one import, because an import costs more than its records.
TRACKSTAT_MUTATIONS=3000 damages more of them, TRACKSTAT_MUTATIONS_SEED=8 another way.
"""

import gzip
import os
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from django.db.models import F

from audience import rollups
from audience.ehr.fhir import folder as folders
from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.read import FolderReader
from audience.ehr.run import import_export
from audience.ehr.staging import rows
from audience.models import Appointment, Case, ContactPoint, Diagnosis, ImportRejection, ImportRun, Patient
from tests.audience.ehr.exports import sample_data
from tests.audience.ehr.mutations import SECRET, Files, damage, whole
from tests.audience.ehr.outcome import ROLLUPS, state, written
from trackstat.tenancy.scope import practice_scope

EXPORTS = int(os.environ.get("TRACKSTAT_MUTATIONS", "300"))
SEED = int(os.environ.get("TRACKSTAT_MUTATIONS_SEED", "7"))
AT_ONCE = 100
# What stands in no reason: a patient's data, Python's and the database's own words.
UNFIT = re.compile(rf"{SECRET}|Traceback|Error|Exception|<|object at|psycopg|msgspec|None|Ana|617")
# Only their names are kept, and only where something refers to them.
NAMES = ("Practitioner", "PractitionerRole", "Location", "Organization")
ACCOUNTED = ("new", "changed", "unchanged", "joined", "left_out", "repeated", "rejected")


@pytest.fixture
def limits(monkeypatch):
    """As many times smaller than in production as the damage is."""
    monkeypatch.setattr(folders, "LONGEST_SKIP", 4_000_000)
    monkeypatch.setattr(folders, "UNPACKED_AT_LEAST", 500_000)
    monkeypatch.setattr(folders, "MOST_UNREADABLE", 500)


@pytest.mark.parametrize("first", range(0, EXPORTS, AT_ONCE))
def test_each_record_of_a_damaged_export_is_taken_or_refused_and_a_whole_export_mends_it(
    northside, southside, tmp_path, limits, first
):
    for number in range(first, min(first + AT_ONCE, EXPORTS)):
        files = whole(f"m{number}-")
        how, damaged = damage(random.Random(SEED * 1_000_000 + number), files)
        _write(tmp_path / "damaged" / f"{number}-{how}", damaged)
        _write(tmp_path / "whole" / f"{number}", files)
    _import(northside, tmp_path / "damaged")
    _mended(northside, southside, tmp_path / "whole")


def test_each_record_of_a_damaged_real_export_is_taken_or_refused_and_the_real_one_mends_it(
    northside, southside, tmp_path, limits
):
    found = sample_data("synthea-2019-60-patients-with-claims")
    lines = {file.name.removesuffix(".gz"): gzip.decompress(file.read_bytes()).splitlines() for file in found.iterdir()}
    lines = {name: some for name, some in lines.items() if name.endswith(".ndjson")}
    patients = [re.search(rb'"id":"([0-9a-f-]{36})"', line)[1] for line in lines["Patient.ndjson"][:8]]
    for number, patient in enumerate(patients):
        dice = random.Random(SEED * 1_000 + number)
        files = {name: b"\n".join(line for line in some if patient in line) + b"\n" for name, some in lines.items()}
        files["b.ndjson.gz"] = gzip.compress(files.pop("Claim.ndjson"), 1)
        damaged = files
        for _ in range(5):
            _, damaged = damage(dice, damaged)
        _write(tmp_path / "damaged" / f"{number}", damaged)
        _write(tmp_path / "whole" / f"{number}", files)
    _import(northside, tmp_path / "damaged")
    _mended(northside, southside, tmp_path / "whole")


def test_each_record_of_the_official_examples_damaged_is_taken_or_refused(northside, southside, tmp_path, limits):
    files = {
        file.name: file.read_bytes() for file in sample_data("hl7-r4-examples").iterdir() if file.suffix == ".json"
    }
    for number in range(4):
        dice = random.Random(SEED * 1_000 + number)
        damaged = {}
        for name, body in files.items():
            _, parts = damage(dice, {"b.ndjson.gz": gzip.compress(body, 1), name: body})
            damaged[name] = parts[name]
        _write(tmp_path / f"{number}", damaged)
        _import(northside, tmp_path / f"{number}")
    _write(tmp_path / "whole", files)
    _mended(northside, southside, tmp_path / "whole")


def _mended(practice, other, whole_exports: Path) -> None:
    """The undamaged exports make of `practice` what they make of `other`, where nothing was before."""
    for one in (practice, other):
        with practice_scope(one):
            one.settings.time_zone = "America/New_York"
            one.settings.save()
    _import(practice, whole_exports)
    _import(other, whole_exports)
    assert _not_mended(state(practice), state(other)) == []
    assert written(_import(practice, whole_exports)) == 0


def _write(folder: Path, files: Files) -> None:
    folder.mkdir(parents=True)
    for name, body in files.items():
        (folder / name).write_bytes(body)


def _import(practice, folder: Path) -> ImportRun:
    """Whatever is in the folder: the import ends, accounts for everything, and leaves only whole patients."""
    reader = FolderReader(Folder(folder, longest_line=3_000_000, largest_document=4_000_000))
    run = import_export(practice, reader, "ehr")
    assert (run.state, run.error) == (ImportRun.State.DONE, "")
    for kind, counts in run.counts.items():
        accounted = sum(counts.get(what, 0) for what in ACCOUNTED)
        assert counts["read"] == accounted or (kind in NAMES and counts["read"] >= accounted), (kind, counts)
    with practice_scope(practice):
        reasons = Counter(ImportRejection.objects.filter(run=run).values_list("reason", flat=True))
        assert sum(reasons.values()) == min(10_000, sum(counts.get("rejected", 0) for counts in run.counts.values()))
        assert not [reason for reason in reasons if not reason or UNFIT.search(reason)]
        _only_whole_patients()
    assert rollups.rebuild(practice) == 0
    assert not rows("SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'")
    return run


def _only_whole_patients() -> None:
    """What is there of a patient agrees with what else is there of the same patient."""
    for model in (Appointment, Diagnosis):
        assert not model.objects.exclude(case=None).exclude(case__patient=F("patient")).exists()
    strangers = [
        (external_id, of)
        for model in (Appointment, Case)
        for external_id, of in model.objects.values_list("external_id", "patient__external_id")
        if _export(external_id) and _export(external_id) != _export(of)
    ]
    assert not strangers, "nobody has what came with another export"
    for channel, column in (("text", "cell"), ("email", "email")):
        addresses = ContactPoint.objects.filter(channel=channel).values("address")
        assert not Patient.everyone.exclude(**{column: ""}).exclude(**{f"{column}__in": addresses}).exists()


def _export(external_id: str) -> str:
    found = re.match(r"(?:\w+/)?(m\d+)-p", external_id)
    return found[1] if found else ""


def _not_mended(found: dict[str, list], clean: dict[str, list]) -> list[tuple]:
    """Where `found` lacks what `clean` has, or has more under an id of `clean`.

    Ids that only the damage had made stay; so do, by design, names of codes, choices, and what bills together say.
    """
    wrong: list[tuple] = []
    for table, keep in _COMPARED.items():
        there, wanted = _by_id(found[table], keep), _by_id(clean[table], keep)
        for external_id, what in wanted.items():
            if external_id.startswith("Bills/"):
                if not {row[:3] for row in what} <= {row[:3] for row in there[external_id]}:
                    wrong.append((table, external_id, "lacks a company"))
            elif there[external_id] != what:
                wrong.append((table, there[external_id] ^ what))
    visits = {row[0] for row in found["appointments"] if row[2] != "cancelled"}
    joined = {f"Encounter/{row[0].removeprefix('Appointment/')[:-1]}e" for row in clean["appointments"]}
    wrong += [("appointments", visit, "is a second visit") for visit in visits & joined]
    for choices, wanted_choices in zip(found["choices"], clean["choices"], strict=True):
        wrong += [("choices", name) for name in set(wanted_choices) - set(choices)]
    return wrong


def _without(*columns: int):
    return lambda row: tuple(value for number, value in enumerate(row) if number not in columns)


_COMPARED = {
    "patients": lambda row: row[: -len(ROLLUPS)],
    "appointments": _without(),
    "cases": _without(),
    "diagnoses": _without(4),
    "services": _without(4),
    "payments": _without(),
    "coverages": _without(),
}


def _by_id(found: list[tuple], keep) -> defaultdict[str, set]:
    by_id: defaultdict[str, set] = defaultdict(set)
    for row in found:
        by_id[row[0]].add(keep(row))
    return by_id
