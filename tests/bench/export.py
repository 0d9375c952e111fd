"""A made-up bulk export of any size, written as fast as the disk takes it: the same for the same size, nobody's data.

A patient comes with a case, a policy, two diagnoses, ten appointments, and with an encounter, a claim and a benefit for
each of the seven that were kept. Resources carry what real ones do, most of which is not read.
"""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

_STATUSES = [b"fulfilled"] * 7 + [b"noshow", b"cancelled", b"booked"]
_KEPT = _STATUSES.count(b"fulfilled")
_BUFFER = 1024 * 1024
_FIRST = [b"Ana", b"Ben", b"Cleo", b"Dmitri", b"Eve", "Zoë".encode(), b"Mary Ann", b"Liam"]
_ZIPS = [b"02118", b"10027", b"60614", b"80202", b"94110", b"33130", b"73301", b"98101"]
_PURPOSES = [b"Adjustment", b"Massage Therapy", b"Re-Exam", b"Spinal Decompression"]
_CODES = [(b"98940", b"CMT, 1-2 regions"), (b"98941", b"CMT, 3-4 regions"), (b"97110", b"Therapeutic exercises")]
_DIAGNOSES = [(b"M54.50", b"Low back pain"), (b"M54.2", b"Cervicalgia"), (b"M99.03", b"Segmental dysfunction")]
_FIRST_MONDAY = dt.datetime(2021, 1, 4, 9, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
_PLACES = {"Practitioner": 12, "Location": 3, "Organization": 8}


def write(folder: Path, size: int) -> int:
    """Writes NDJSON files of `size` bytes together, or a patient more; answers how many resources there are."""
    folder.mkdir(parents=True)
    files = {kind: (folder / f"{kind}.000.ndjson").open("wb", _BUFFER) for kind in (*_PLACES, *_TEMPLATES)}
    written = resources = number = 0
    for kind, count in _PLACES.items():
        for n in range(count):
            files[kind].write(
                json.dumps({"resourceType": kind, "id": f"{n}", "name": _name_of(kind, n)}).encode() + b"\n"
            )
            resources += 1
    while written < size:
        for kind, line in _patient(number):
            written += files[kind].write(line)
            resources += 1
        number += 1
    for file in files.values():
        file.close()
    return resources


def _patient(n: int) -> Iterator[tuple[str, bytes]]:
    began = _FIRST_MONDAY + dt.timedelta(days=n % 1900, minutes=15 * (n % 28))
    common = {
        b"n": n, b"first": _FIRST[n % 8], b"sex": b"female" if n % 2 else b"male", b"area": 201 + n % 700,
        b"exchange": 201 + n // 700 % 700, b"line": n % 10_000, b"year": 1940 + n % 70, b"month": 1 + n % 12,
        b"day": 1 + n % 28, b"house": n % 900, b"zip": _ZIPS[n % 8], b"provider": n % 12, b"location": n % 3,
        b"company": n % 8, b"began": _day(began),
    }  # fmt: skip
    for kind in ("Patient", "Coverage", "EpisodeOfCare"):
        yield kind, _TEMPLATES[kind] % common
    for k in range(2):
        code, name = _DIAGNOSES[(n + k) % 3]
        yield "Condition", _TEMPLATES["Condition"] % (common | {b"k": k, b"code": code, b"name": name})
    for k, status in enumerate(_STATUSES):
        start = began + dt.timedelta(days=7 * k)
        (one, one_name), (two, two_name) = _CODES[n % 3], _CODES[(n + 1 + k % 2) % 3]
        visit = common | {
            b"k": k, b"status": status, b"purpose": _PURPOSES[(n + k) % 4], b"start": _moment(start),
            b"end": _moment(start + dt.timedelta(minutes=15)), b"on": _day(start), b"one": one, b"one_name": one_name,
            b"two": two, b"two_name": two_name, b"dollars": 35 + n % 60, b"cents": n % 100,
        }  # fmt: skip
        for kind in _OF_A_VISIT if k < _KEPT else _OF_A_VISIT[:1]:
            yield kind, _TEMPLATES[kind] % visit


def _name_of(kind: str, n: int) -> str | list[dict]:
    return [{"prefix": ["Dr."], "family": f"Number {n}"}] if kind == "Practitioner" else f"{kind} {n}"


def _day(moment: dt.datetime) -> bytes:
    return moment.date().isoformat().encode()


def _moment(moment: dt.datetime) -> bytes:
    return moment.isoformat().encode()


def _template(resource: dict) -> bytes:
    """A line whose strings name what goes in; amounts lose their quotation marks."""
    line = json.dumps(resource, separators=(",", ":")).encode() + b"\n"
    return line.replace(b'"%(dollars)', b"%(dollars)").replace(b'%(cents)02d"', b"%(cents)02d")


_OF_A_VISIT = ("Appointment", "Encounter", "Claim", "ExplanationOfBenefit")
_HL7 = "http://terminology.hl7.org/CodeSystem"


def _resource(kind: str, number: str, **fields) -> dict:
    """`number`: of the visit or the diagnosis, where it has one."""
    end = f"{len(kind):012x}"
    meta = {
        "versionId": "3",
        "lastUpdated": "2026-09-14T08:21:36.514-05:00",
        "profile": [f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{kind.lower()}"],
    }
    return {"resourceType": kind, "id": f"%(n)08x-{number}-4000-8000-{end}", "meta": meta, **fields}


def _to(kind: str, number: str = "0000") -> dict:
    return {"reference": f"{kind}/%(n)08x-{number}-4000-8000-{len(kind):012x}"}


def _code(system: str, code: str, display: str = "") -> dict:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": display} if display else {})


def _item(number: int, which: str) -> dict:
    money = {"value": "%(dollars)d.%(cents)02d", "currency": "USD"}
    return {
        "sequence": number,
        "diagnosisSequence": [1],
        "category": _code("https://bluebutton.cms.gov/resources/variables/line_cms_type_srvc_cd", "1", "Medical care"),
        "productOrService": _code("http://www.ama-assn.org/go/cpt", f"%({which})s", f"%({which}_name)s"),
        "servicedDate": "%(on)s",
        "locationCodeableConcept": _code(f"{_HL7}/ex-serviceplace", "11", "Office"),
        "unitPrice": money,
        "net": money,
        "encounter": [_to("Encounter", _VISIT)],
    }


_VISIT, _NONE = "%(k)04x", "0000"
_DOCTOR = {"reference": "Practitioner/%(provider)d"}
_PERIOD = {"start": "%(start)s", "end": "%(end)s"}
_MONEY = {"value": "%(dollars)d.%(cents)02d", "currency": "USD"}
_BILL = {
    "status": "active",
    "type": _code(f"{_HL7}/claim-type", "professional"),
    "use": "claim",
    "patient": _to("Patient"),
    "billablePeriod": {"start": "%(on)s", "end": "%(on)s"},
    "created": "%(start)s",
    "insurer": {"reference": "Organization/%(company)d"},
    "provider": _DOCTOR,
    "priority": _code(f"{_HL7}/processpriority", "normal"),
    "careTeam": [{"sequence": 1, "provider": _DOCTOR, "role": _code(f"{_HL7}/claimcareteamrole", "primary")}],
    "diagnosis": [{"sequence": 1, "diagnosisReference": _to("Condition")}],
    "insurance": [{"sequence": 1, "focal": True, "coverage": _to("Coverage")}],
    "item": [_item(1, "one"), _item(2, "two")],
}
_TEMPLATES = {
    found["resourceType"]: _template(found)
    for found in (
        _resource(
            "Patient",
            _NONE,
            text={"status": "generated", "div": '<div xmlns=\\"http://www.w3.org/1999/xhtml\\">%(first)s</div>'},
            extension=[
                {
                    "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
                    "extension": [{"url": "text", "valueString": "White"}],
                },
                {"url": "https://ehr.example/fhir/StructureDefinition/patient-status", "valueString": "Active"},
            ],
            identifier=[{"type": _code(f"{_HL7}/v2-0203", "MR"), "system": "https://ehr.example", "value": "M%(n)d"}],
            active=True,
            name=[{"use": "official", "family": "Number %(n)d", "given": ["%(first)s", "Q."]}],
            telecom=[
                {"system": "phone", "use": "mobile", "value": "(%(area)03d) %(exchange)03d-%(line)04d", "rank": 1},
                {"system": "phone", "use": "home", "value": "%(area)03d-%(exchange)03d-%(line)04d"},
                {"system": "email", "value": "patient%(n)d@mail.example"},
            ],
            gender="%(sex)s",
            birthDate="%(year)04d-%(month)02d-%(day)02d",
            address=[
                {
                    "use": "home",
                    "line": ["%(house)d Elm Street", "Apt. 2"],
                    "city": "Boston",
                    "state": "Massachusetts",
                    "postalCode": "%(zip)s",
                    "country": "US",
                }
            ],
            maritalStatus=_code(f"{_HL7}/v3-MaritalStatus", "M", "Married"),
            communication=[{"language": _code("urn:ietf:bcp:47", "en-US", "English")}],
            generalPractitioner=[_DOCTOR],
        ),
        _resource(
            "Coverage",
            _NONE,
            status="active",
            type=_code(f"{_HL7}/v3-ActCode", "EHCPOL", "PPO"),
            subscriberId="S%(n)d",
            beneficiary=_to("Patient"),
            period={"start": "%(began)s"},
            payor=[{"reference": "Organization/%(company)d"}],
        ),
        _resource(
            "EpisodeOfCare",
            _NONE,
            status="active",
            type=[{"text": "Personal injury"}],
            diagnosis=[{"condition": _to("Condition")}],
            patient=_to("Patient"),
            period={"start": "%(began)s"},
            careManager=_DOCTOR,
        ),
        _resource(
            "Condition",
            _VISIT,
            clinicalStatus=_code(f"{_HL7}/condition-clinical", "active"),
            verificationStatus=_code(f"{_HL7}/condition-ver-status", "confirmed"),
            category=[_code(f"{_HL7}/condition-category", "encounter-diagnosis", "Encounter Diagnosis")],
            code=_code("http://hl7.org/fhir/sid/icd-10-cm", "%(code)s", "%(name)s"),
            subject=_to("Patient"),
            onsetDateTime="%(began)s",
            recordedDate="%(began)s",
        ),
        _resource(
            "Appointment",
            _VISIT,
            status="%(status)s",
            serviceCategory=[_code(f"{_HL7}/service-category", "8", "Counselling")],
            appointmentType={"text": "%(purpose)s"},
            start="%(start)s",
            end="%(end)s",
            minutesDuration=15,
            created="%(on)s",
            participant=[
                {"actor": _to("Patient"), "required": "required", "status": "accepted"},
                {"actor": _DOCTOR, "required": "required", "status": "accepted"},
                {"actor": {"reference": "Location/%(location)d"}, "status": "accepted"},
            ],
        ),
        _resource(
            "Encounter",
            _VISIT,
            status="finished",
            **{"class": {"system": f"{_HL7}/v3-ActCode", "code": "AMB", "display": "ambulatory"}},
            type=[_code("http://snomed.info/sct", "185349003", "%(purpose)s")],
            subject=_to("Patient"),
            episodeOfCare=[_to("EpisodeOfCare")],
            appointment=[_to("Appointment", _VISIT)],
            participant=[{"type": [_code(f"{_HL7}/v3-ParticipationType", "ATND")], "individual": _DOCTOR}],
            period=_PERIOD,
            location=[{"location": {"reference": "Location/%(location)d"}, "status": "completed"}],
            serviceProvider={"reference": "Organization/0"},
        ),
        _resource("Claim", _VISIT, **_BILL, total=_MONEY),
        _resource(
            "ExplanationOfBenefit",
            _VISIT,
            **_BILL,
            claim=_to("Claim", _VISIT),
            outcome="complete",
            total=[
                {"category": _code(f"{_HL7}/adjudication", "submitted", "Submitted Amount"), "amount": _MONEY},
                {"category": _code(f"{_HL7}/adjudication", "benefit", "Benefit Amount"), "amount": _MONEY},
            ],
            payment={"type": _code(f"{_HL7}/ex-paymenttype", "complete"), "date": "%(on)s", "amount": _MONEY},
        ),
    )
}
