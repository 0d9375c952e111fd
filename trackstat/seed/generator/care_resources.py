"""Care and money as FHIR R4 resources."""

from collections.abc import Iterator

from trackstat.seed.generator.care import Care, Service

_CPT = "http://www.ama-assn.org/go/cpt"
_ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
_OWN = "https://ehr.example/fhir/StructureDefinition/"


def episode(care: Care) -> dict:
    number = care.patient.removeprefix("pat-")
    resource = {
        "resourceType": "EpisodeOfCare",
        "id": f"case-{number}",
        "status": "finished" if care.ended else "active",
        "type": [{"text": care.case_type}],
        "diagnosis": [{"condition": {"reference": f"Condition/{_condition_id(care, n)}"}} for n in _places(care)],
        "patient": {"reference": f"Patient/{care.patient}"},
        "period": {"start": care.began.isoformat()} | ({"end": care.ended.isoformat()} if care.ended else {}),
    }
    own = {"attorney": care.attorney, "care-package": care.package, "fee-schedule": care.fee_schedule}
    said = [{"url": _OWN + name, "valueString": value} for name, value in own.items() if value]
    return resource | ({"extension": said} if said else {})


def conditions(care: Care) -> Iterator[dict]:
    for place, (code, name) in enumerate(care.diagnoses):
        yield {
            "resourceType": "Condition",
            "id": _condition_id(care, place),
            "clinicalStatus": {"coding": [{"code": "resolved" if care.ended else "active"}]},
            "verificationStatus": {"coding": [{"code": "confirmed"}]},
            "code": {"coding": [{"system": _ICD10, "code": code, "display": name}], "text": name},
            "subject": {"reference": f"Patient/{care.patient}"},
            "onsetDateTime": care.began.isoformat(),
        }


def coverage(care: Care) -> dict:
    return {
        "resourceType": "Coverage",
        "id": f"cov-{care.patient.removeprefix('pat-')}",
        "status": "active",
        "beneficiary": {"reference": f"Patient/{care.patient}"},
        "payor": [{"display": care.company}],
        "period": {"start": care.began.isoformat()},
    }


def charge(service: Service) -> dict:
    return {
        "resourceType": "ChargeItem",
        "id": f"charge-{service.id}",
        "status": "billed",
        "code": {"coding": [{"system": _CPT, "code": service.code, "display": service.name}]},
        "subject": {"reference": f"Patient/{service.patient}"},
        "occurrenceDateTime": service.on.isoformat(),
    }


def invoice(service: Service) -> dict:
    return {
        "resourceType": "Invoice",
        "id": f"inv-{service.id}",
        "status": "balanced",
        "subject": {"reference": f"Patient/{service.patient}"},
        "date": service.on.isoformat(),
        "totalGross": {"value": service.paid, "currency": "USD"},
    }


def referral(source: str) -> dict:
    return {"url": f"{_OWN}referral-source", "valueString": source}


def _condition_id(care: Care, place: int) -> str:
    return f"cond-{care.patient.removeprefix('pat-')}-{place + 1}"


def _places(care: Care) -> range:
    return range(len(care.diagnoses))
