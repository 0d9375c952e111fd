"""Small exports for tests: resources as dictionaries, written as the files an EHR would send."""

import gzip
import json
import os
from pathlib import Path

import pytest

from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.stage import stage
from audience.ehr.reading import Reading
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


CPT, ICD10, SNOMED = (
    "http://www.ama-assn.org/go/cpt",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://snomed.info/sct",
)


def code(system: str, *codes: str) -> dict:
    return {"coding": [{"system": system, "code": one} for one in codes]}


def own(name: str, value: str | bool) -> dict:
    """A field of the EHR's own."""
    kind = "valueBoolean" if isinstance(value, bool) else "valueString"
    return {"url": f"https://ehr.example/fhir/StructureDefinition/{name}", kind: value}


def condition(id="c1", patient="Patient/p1", status="active", *codes: str, **fields) -> dict:
    return {
        "resourceType": "Condition",
        "id": id,
        "clinicalStatus": code("http://terminology.hl7.org/CodeSystem/condition-clinical", status),
        "code": code(ICD10, *(codes or ("M54.5",))),
        "subject": {"reference": patient},
        "onsetDateTime": "2026-09-01",
    } | fields


def claim(id="b1", patient="Patient/p1", cpt=("98940",), **fields) -> dict:
    return {
        "resourceType": "Claim",
        "id": id,
        "status": "active",
        "use": "claim",
        "patient": {"reference": patient},
        "created": "2026-10-06",
        "insurer": {"display": "BlueCross"},
        "item": [{"productOrService": code(CPT, one), "servicedDate": "2026-10-05"} for one in cpt],
    } | fields


def benefit(id="x1", patient="Patient/p1", amount: float = 40.5, **fields) -> dict:
    return {
        "resourceType": "ExplanationOfBenefit",
        "id": id,
        "status": "active",
        "use": "claim",
        "patient": {"reference": patient},
        "created": "2026-10-20",
        "payment": {"amount": {"value": amount, "currency": "USD"}, "date": "2026-10-21"},
    } | fields


def coverage(id="v1", patient="Patient/p1", company="Aetna", **fields) -> dict:
    return {
        "resourceType": "Coverage",
        "id": id,
        "status": "active",
        "beneficiary": {"reference": patient},
        "payor": [{"display": company}],
    } | fields


def episode(id="k1", patient="Patient/p1", status="active", **fields) -> dict:
    return {
        "resourceType": "EpisodeOfCare",
        "id": id,
        "status": status,
        "type": [{"text": "Auto accident"}],
        "patient": {"reference": patient},
        "period": {"start": "2026-08-01"},
    } | fields


def deleted(*urls: str) -> dict:
    """A `deleted` bundle of a bulk export."""
    entries = [{"request": {"method": "DELETE", "url": url}} for url in urls]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


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
