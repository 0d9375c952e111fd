"""Small exports for tests: resources as dictionaries, written as the files an EHR would send."""

import gzip
import json
import os
from pathlib import Path

import pytest

from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.stage import Reading, stage
from audience.ehr.records import Rejection

SAMPLE_DATA = "TRACKSTAT_SAMPLE_DATA"


def sample_data(folder: str) -> Path:
    """A folder of the real data; skips, naming the variable, where the machine does not have it."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    found = Path(os.environ.get(SAMPLE_DATA) or beside) / folder
    if not found.is_dir():
        pytest.skip(f"{SAMPLE_DATA} does not name a folder with {folder} (see docs/ehr.md)")
    return found


def patient(id="p1", **fields) -> dict:
    return {
        "resourceType": "Patient",
        "id": id,
        "name": [{"use": "official", "family": "Alvarez", "given": ["Ana"]}],
        "birthDate": "1984-03-12",
        "gender": "female",
        "telecom": [
            {"system": "phone", "use": "mobile", "value": "(617) 555-0111"},
            {"system": "email", "value": "ana@mailbox.example"},
        ],
        "address": [
            {"line": ["5 Elm Street"], "city": "Boston", "state": "MA", "postalCode": "02118", "country": "US"}
        ],
    } | fields


def appointment(id="a1", patient="Patient/p1", status="fulfilled", start="2026-10-05T14:00:00Z", **fields) -> dict:
    return {
        "resourceType": "Appointment",
        "id": id,
        "status": status,
        "start": start,
        "appointmentType": {"text": "Adjustment"},
        "participant": [{"actor": {"reference": patient}, "status": "accepted"}],
    } | fields


def encounter(id="e1", patient="Patient/p1", status="finished", start="2026-10-05T13:55:00Z", **fields) -> dict:
    return {
        "resourceType": "Encounter",
        "id": id,
        "status": status,
        "class": {"code": "AMB"},
        "subject": {"reference": patient},
        "period": {"start": start},
    } | fields


def write(folder: Path, *resources: dict | bytes | str, name: str = "export.ndjson") -> Path:
    """One resource a line; bytes and text are written as they are. Names ending in .gz are compressed."""
    lines = [json.dumps(one) if isinstance(one, dict) else one for one in resources]
    body = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + b"\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
    return folder


def staged(folder: Path, reading: Reading, **limits) -> tuple[list, list[Rejection]]:
    """What reading alone makes of a folder: staged records and rejections."""
    records, rejections = [], []
    for found in Folder(folder, **limits).read():
        result = found if isinstance(found, Rejection) else stage(found, reading)
        (rejections.append if isinstance(result, Rejection) else records.extend)(result)
    return records, rejections
