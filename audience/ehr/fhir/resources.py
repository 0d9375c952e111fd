"""The fields of FHIR R4 resources that are used here, and no others (hl7.org/fhir/R4).

msgspec skips what is not named, which makes reading several times faster than any full model of the standard. Optional
fields also take `null`, which the standard forbids and exports contain.
"""

import msgspec


class Part(msgspec.Struct, rename="camel", gc=False):
    """What all these have in common: JSON names in camelCase, and no cycles for the garbage collector to look for."""


class Head(Part):
    resource_type: str
    id: str | None = None


class Meta(Part):
    last_updated: str | None = None


class Period(Part):
    start: str | None = None
    end: str | None = None


class Identifier(Part):
    system: str | None = None
    value: str | None = None


class Reference(Part):
    reference: str | None = None
    type: str | None = None
    identifier: Identifier | None = None
    display: str | None = None


class Coding(Part):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Concept(Part):
    coding: list[Coding] | None = None
    text: str | None = None


class Extension(Part):
    url: str
    value_string: str | None = None
    value_code: str | None = None
    value_boolean: bool | None = None
    value_coding: Coding | None = None
    value_codeable_concept: Concept | None = None
    value_reference: Reference | None = None


class HumanName(Part):
    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: list[str | None] | None = None
    prefix: list[str | None] | None = None
    suffix: list[str | None] | None = None
    period: Period | None = None


class ContactPoint(Part):
    system: str | None = None
    value: str | None = None
    use: str | None = None
    rank: int | None = None
    period: Period | None = None


class Address(Part):
    use: str | None = None
    type: str | None = None
    line: list[str | None] | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    period: Period | None = None


class PatientLink(Part):
    type: str | None = None
    other: Reference | None = None


class PatientContact(Part):
    relationship: list[Concept] | None = None
    name: HumanName | None = None
    organization: Reference | None = None


class Patient(Part):
    id: str | None = None
    meta: Meta | None = None
    identifier: list[Identifier] | None = None
    extension: list[Extension] | None = None
    active: bool | None = None
    name: list[HumanName] | None = None
    telecom: list[ContactPoint] | None = None
    gender: str | None = None
    birth_date: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    address: list[Address] | None = None
    general_practitioner: list[Reference] | None = None
    link: list[PatientLink] | None = None
    contact: list[PatientContact] | None = None


class Practitioner(Part):
    id: str | None = None
    identifier: list[Identifier] | None = None
    name: list[HumanName] | None = None


class PractitionerRole(Part):
    id: str | None = None
    identifier: list[Identifier] | None = None
    practitioner: Reference | None = None


class Place(Part):
    """An Organization or a Location."""

    id: str | None = None
    identifier: list[Identifier] | None = None
    name: str | None = None
    alias: list[str | None] | None = None


class Participant(Part):
    """Of an appointment (`actor`) or of an encounter (`individual`)."""

    type: list[Concept] | None = None
    actor: Reference | None = None
    individual: Reference | None = None


class Contained(Part):
    """A resource inside another one, as far as its name matters."""

    id: str | None = None
    name: str | list[HumanName] | None = None


class Appointment(Part):
    id: str | None = None
    meta: Meta | None = None
    contained: list[Contained] | None = None
    status: str | None = None
    service_type: list[Concept] | None = None
    appointment_type: Concept | None = None
    reason_code: list[Concept] | None = None
    start: str | None = None
    end: str | None = None
    minutes_duration: int | None = None
    supporting_information: list[Reference] | None = None
    participant: list[Participant] | None = None


class EncounterLocation(Part):
    location: Reference | None = None


class Encounter(Part):
    id: str | None = None
    meta: Meta | None = None
    contained: list[Contained] | None = None
    status: str | None = None
    type: list[Concept] | None = None
    service_type: Concept | None = None
    reason_code: list[Concept] | None = None
    subject: Reference | None = None
    appointment: list[Reference] | None = None
    episode_of_care: list[Reference] | None = None
    account: list[Reference] | None = None
    participant: list[Participant] | None = None
    location: list[EncounterLocation] | None = None
    period: Period | None = None
    service_provider: Reference | None = None


class Request(Part):
    method: str | None = None
    url: str | None = None


class Entry(Part):
    full_url: str | None = None
    request: Request | None = None
    # Empty where there is none; a union with None would not take objects.
    resource: msgspec.Raw = msgspec.Raw()


class Bundle(Part):
    entry: list[Entry] | None = None
