"""People and visits as FHIR R4 resources, with the habits real exports have."""

from datetime import UTC, datetime
from random import Random

from trackstat.seed.generator.people import Person
from trackstat.seed.generator.practices import PracticePlan, Provider
from trackstat.seed.generator.visits import Visit

_NPI = "http://hl7.org/fhir/sid/us-npi"
STATUS_EXTENSION = "https://ehr.example/fhir/StructureDefinition/patient-status"
_WRITTEN = ("({a}) {b}-{c}", "{a}-{b}-{c}", "{a}{b}{c}", "+1 {a} {b} {c}", "{a}.{b}.{c}")


def patient(person: Person, plan: PracticePlan, random: Random) -> dict:
    names: list[dict] = [{"use": "official", "family": person.last_name, "given": [person.first_name]}]
    if person.nickname:
        names.append({"use": "nickname", "given": [person.nickname]})
    resource = {
        "resourceType": "Patient",
        "id": person.id,
        "identifier": [{"system": f"https://ehr.example/{plan.slug}/mrn", "value": f"M{person.id[4:]}"}],
        "active": not person.status,
        "name": names,
        "telecom": list(_telecom(person, random)),
        "gender": person.sex,
        "birthDate": person.birth_date.isoformat(),
        "address": [
            {
                "use": "home",
                "line": person.address.split(", "),
                "city": person.city,
                "state": person.state,
                "postalCode": person.postal_code,
                "country": "US",
            }
        ],
        "generalPractitioner": [{"reference": f"Practitioner/{person.provider}"}],
    }
    if person.status:
        resource["extension"] = [{"url": STATUS_EXTENSION, "valueString": person.status}]
    if person.status == "Deceased":
        resource["deceasedBoolean"] = True
    return resource


def _telecom(person: Person, random: Random):
    def written(number: str) -> str:
        return random.choice(_WRITTEN).format(a=number[2:5], b=number[5:8], c=number[8:])

    if person.home_phone:
        yield {"system": "phone", "use": "home", "value": written(person.home_phone)}
    if person.cell:
        yield {"system": "phone", "use": "mobile", "value": written(person.cell), "rank": 1}
    if person.work_phone:
        extension = f" x{random.randint(10, 499)}" if random.random() < 0.4 else ""
        yield {"system": "phone", "use": "work", "value": written(person.work_phone) + extension}
    if person.email:
        yield {"system": "email", "value": person.email if random.random() < 0.9 else person.email.title()}


def practitioner(provider: Provider, number: int) -> dict:
    name = {"family": provider.last_name, "given": [provider.first_name], "suffix": [provider.suffix]}
    return {
        "resourceType": "Practitioner",
        "id": provider.id,
        "identifier": [{"system": _NPI, "value": f"99999999{number:02d}"}],
        "active": True,
        "name": [name | ({"prefix": [provider.prefix]} if provider.prefix else {})],
        "gender": provider.gender,
    }


def location(name: str, number: int, plan: PracticePlan) -> dict:
    return {
        "resourceType": "Location",
        "id": f"loc-{number}",
        "status": "active",
        "name": name,
        "managingOrganization": {"reference": "Organization/org-1", "display": plan.name},
    }


def organization(plan: PracticePlan) -> dict:
    return {"resourceType": "Organization", "id": "org-1", "active": True, "name": plan.name}


def appointment(visit: Visit) -> dict:
    resource = {
        "resourceType": "Appointment",
        "id": visit.id,
        "status": visit.status,
        "appointmentType": {"text": visit.purpose},
        "start": _instant(visit.starts_at),
        "end": _instant(visit.ends_at),
        "participant": [
            {"actor": {"reference": f"Patient/{visit.patient}"}, "status": "accepted"},
            {"actor": {"reference": f"Practitioner/{visit.provider}"}, "status": "accepted"},
            {"actor": {"reference": f"Location/{visit.location}"}, "status": "accepted"},
        ],
    }
    if visit.status == "cancelled":
        resource["cancelationReason"] = {"text": "Patient"}
    return resource


def encounter(visit: Visit, came_at: datetime) -> dict:
    return {
        "resourceType": "Encounter",
        "id": f"enc-{visit.id.removeprefix('appt-')}",
        "status": "finished" if visit.status == "fulfilled" else "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [{"text": visit.purpose}],
        "subject": {"reference": f"Patient/{visit.patient}"},
        "appointment": [{"reference": f"Appointment/{visit.id}"}],
        "participant": [{"individual": {"reference": f"Practitioner/{visit.provider}"}}],
        "period": {"start": _instant(came_at)},
        "location": [{"location": {"reference": f"Location/{visit.location}"}}],
    }


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
