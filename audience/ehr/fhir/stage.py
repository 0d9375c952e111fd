"""From a resource's bytes to the staged records it stands for."""

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from audience.ehr.clean import printable, text
from audience.ehr.fhir import names, reasons, references
from audience.ehr.fhir.appointments import appointment, encounter
from audience.ehr.fhir.folder import Resource
from audience.ehr.fhir.patients import patient
from audience.ehr.fhir.resources import READ, Identifier
from audience.ehr.records import Origin, Rejected, Rejection, Staged, StagedAlias, StagedPlace

_decoders = {kind: msgspec.json.Decoder(shape) for kind, shape in READ.items()}
# Nobody points at a patient by these, and they are better not held anywhere.
_PRIVATE_SYSTEMS = ("us-ssn", "2.16.840.1.113883.4.1", "passport", "2.16.840.1.113883.4.3")


class Reading(NamedTuple):
    """What a reading depends on besides the files: the practice's date and its time zone."""

    on: date
    zone: ZoneInfo


def is_read(resource_type: str) -> bool:
    """Whether resources of this type are used; the others are counted and reported."""
    return resource_type in READ


def stage(resource: Resource, reading: Reading) -> list[Staged] | Rejection:
    """The records of one resource, or why it cannot be taken. Only for types that `is_read`."""
    kind = resource.resource_type
    try:
        return list(_records(resource, kind, reading))
    except Rejected as refusal:
        reason = str(refusal)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
        reason = reasons.unreadable(error)
    return Rejection(resource.file, resource.line, kind, resource.external_id, reason)


def _records(resource: Resource, kind: str, reading: Reading):
    found = _decoders[kind].decode(resource.body)
    external_id = text(found.id or resource.full_url.removeprefix("urn:uuid:"), "id", 180)
    if not external_id:
        raise Rejected(reasons.NO_ID)
    origin = Origin(resource.file, resource.line)
    match kind:
        case "Patient":
            yield patient(found, origin, reading.on, reading.zone, external_id)
        case "Appointment":
            yield appointment(found, origin, reading.zone, external_id)
        case "Encounter":
            yield encounter(found, origin, reading.zone, external_id)
        case "Practitioner":
            yield StagedPlace(kind, external_id, names.full(found.name))
        case "PractitionerRole":
            of, key = references.target(found.practitioner)
            name = names.display(found.practitioner, None)
            yield StagedPlace(kind, external_id, name)
            if of == "Practitioner" and key:
                yield StagedAlias("PractitionerRole", external_id, key)
        case "Organization" | "Location":
            yield StagedPlace(
                kind, external_id, printable(found.name or next(filter(None, found.alias or ()), ""), 200)
            )
    if resource.full_url.startswith("urn:") and resource.full_url.removeprefix("urn:uuid:") != external_id:
        yield StagedAlias(kind, resource.full_url, external_id)
    for identifier in getattr(found, "identifier", None) or ():
        if alias := _alias(identifier):
            yield StagedAlias(kind, alias, external_id)


def _alias(identifier: Identifier) -> str:
    if any(private in (identifier.system or "") for private in _PRIVATE_SYSTEMS):
        return ""
    return references.alias(identifier)
