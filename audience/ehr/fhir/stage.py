"""From a resource's bytes to the staged records it stands for."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from audience.ehr.clean import printable, text
from audience.ehr.fhir import billing, care, names, reasons, references
from audience.ehr.fhir.appointments import appointment, encounter
from audience.ehr.fhir.billing_resources import BILLING
from audience.ehr.fhir.care_resources import CARE
from audience.ehr.fhir.folder import Deletion, Resource
from audience.ehr.fhir.patients import merges, patient
from audience.ehr.fhir.resources import (
    Appointment,
    Encounter,
    Identifier,
    Patient,
    Place,
    Practitioner,
    PractitionerRole,
)
from audience.ehr.reading import Reading
from audience.ehr.records import (
    Origin,
    Rejected,
    Rejection,
    Staged,
    StagedAlias,
    StagedAppointment,
    StagedCase,
    StagedEntry,
    StagedGone,
    StagedPlace,
)
from audience.ehr.words import DELETED, NO_APPOINTMENT

_SHAPES: dict[str, Any] = {
    "Patient": Patient,
    "Practitioner": Practitioner,
    "PractitionerRole": PractitionerRole,
    "Organization": Place,
    "Location": Place,
    "Appointment": Appointment,
    "Encounter": Encounter,
    **CARE,
    **BILLING,
}
_decoders = {kind: msgspec.json.Decoder(shape) for kind, shape in _SHAPES.items()}
# Types whose identifiers others may name them by.
_IDENTIFIED = {kind for kind, shape in _SHAPES.items() if "identifier" in shape.__struct_fields__}
# Nobody points at a patient by these, and they are better not held anywhere.
_PRIVATE_SYSTEMS = ("us-ssn", "2.16.840.1.113883.4.1", "passport", "2.16.840.1.113883.4.3")


def is_read(resource_type: str) -> bool:
    """Whether resources of this type are used; the others are counted and reported."""
    return resource_type in _SHAPES


def stage(found: Resource | Deletion, reading: Reading) -> list[Staged] | Rejection:
    """The records of one resource, or why it cannot be taken. Only for types that `is_read`."""
    kind = found.resource_type
    try:
        if isinstance(found, Deletion):
            return list(_taken_back(found))
        return _records(found, kind, reading)
    except Rejected as refusal:
        reason = str(refusal)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError, ArithmeticError) as error:
        reason = reasons.unreadable(error)
    return Rejection(found.file, found.line, kind, found.external_id, reason)


def _records(resource: Resource, kind: str, reading: Reading) -> list[Staged]:
    found = _decoders[kind].decode(resource.body)
    full_url = resource.full_url
    external_id = text(found.id or full_url.removeprefix("urn:uuid:"), "id", 170)
    if not external_id:
        raise Rejected(reasons.NO_ID)
    records = list(_MAPPINGS[kind](found, Origin(resource.file, resource.line), reading, external_id))
    if full_url.startswith("urn:") and full_url.removeprefix("urn:uuid:") != external_id:
        records.append(StagedAlias(kind, full_url, external_id))
    if kind in _IDENTIFIED:
        for identifier in found.identifier or ():
            if alias := _alias(identifier):
                records.append(StagedAlias(kind, alias, external_id))
    return records


def _patient(found: Patient, origin: Origin, reading: Reading, external_id: str) -> Iterator[Staged]:
    yield patient(found, origin, reading.on, reading.zone, external_id)
    yield from merges(found, external_id)


def _practitioner(found: Practitioner, origin: Origin, reading: Reading, external_id: str) -> Iterator[Staged]:
    yield StagedPlace("Practitioner", external_id, names.full(found.name))


def _role(found: PractitionerRole, origin: Origin, reading: Reading, external_id: str) -> Iterator[Staged]:
    of, key = references.target(found.practitioner)
    yield StagedPlace("PractitionerRole", external_id, names.display(found.practitioner, None))
    if of == "Practitioner" and key:
        yield StagedAlias("PractitionerRole", external_id, key)


type Mapping = Callable[[Any, Origin, Reading, str], Iterable[Staged]]


def _place(kind: str) -> Mapping:
    def records(found: Place, origin: Origin, reading: Reading, external_id: str) -> Iterator[Staged]:
        yield StagedPlace(kind, external_id, printable(found.name or next(filter(None, found.alias or ()), ""), 200))

    return records


def _one(record: Callable[[Any, Origin, ZoneInfo, str], Staged]) -> Mapping:
    return lambda found, origin, reading, external_id: (record(found, origin, reading.zone, external_id),)


def _many(records: Callable[[Any, Origin, ZoneInfo, str], Iterable[Staged]]) -> Mapping:
    return lambda found, origin, reading, external_id: records(found, origin, reading.zone, external_id)


_MAPPINGS: dict[str, Mapping] = {
    "Patient": _patient,
    "Practitioner": _practitioner,
    "PractitionerRole": _role,
    "Organization": _place("Organization"),
    "Location": _place("Location"),
    "Appointment": _one(appointment),
    "Encounter": _one(encounter),
    "Condition": _many(care.condition),
    "Procedure": _many(care.procedure),
    "EpisodeOfCare": _many(care.episode),
    "Account": _many(care.account),
    "Claim": _many(billing.claim),
    "ExplanationOfBenefit": _many(billing.benefit),
    "Coverage": _many(billing.coverage),
    "ChargeItem": _many(billing.charge_item),
    "Invoice": _many(billing.invoice),
    "PaymentNotice": _many(billing.payment_notice),
}


def _taken_back(found: Deletion) -> Iterator[Staged]:
    """What a deleted resource leaves: a record that takes back what was there of it. Names of places stay."""
    kind, key = found.resource_type, f"{found.resource_type}/{found.external_id}"
    head = (found.file, found.line, None, kind, key, "", DELETED)
    match kind:
        case "Patient":
            yield StagedGone(found.external_id)
        case "Appointment" | "Encounter":
            yield StagedAppointment(*head, NO_APPOINTMENT, None, None, None, "", "", "", "", "", "", "")
        case "EpisodeOfCare" | "Account":
            yield StagedCase(*head, False, "", "", "", "", None, None, "")
        case "Practitioner" | "PractitionerRole" | "Organization" | "Location":
            return
        case _:
            yield StagedEntry(*head, "")


def _alias(identifier: Identifier) -> str:
    if any(private in (identifier.system or "") for private in _PRIVATE_SYSTEMS):
        return ""
    return references.alias(identifier)
