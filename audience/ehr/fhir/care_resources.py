"""The fields used of resources about care: conditions, procedures, cases (see `resources`)."""

from audience.ehr.fhir.resources import Concept, Extension, Identifier, Meta, Part, Period, Reference


class Condition(Part):
    id: str | None = None
    meta: Meta | None = None
    clinical_status: Concept | None = None
    verification_status: Concept | None = None
    code: Concept | None = None
    subject: Reference | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    recorded_date: str | None = None


class Procedure(Part):
    id: str | None = None
    meta: Meta | None = None
    status: str | None = None
    code: Concept | None = None
    subject: Reference | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None


class EpisodeDiagnosis(Part):
    condition: Reference | None = None


class EpisodeOfCare(Part):
    id: str | None = None
    meta: Meta | None = None
    identifier: list[Identifier] | None = None
    extension: list[Extension] | None = None
    status: str | None = None
    type: list[Concept] | None = None
    diagnosis: list[EpisodeDiagnosis] | None = None
    patient: Reference | None = None
    period: Period | None = None
    account: list[Reference] | None = None


class Account(Part):
    id: str | None = None
    meta: Meta | None = None
    identifier: list[Identifier] | None = None
    extension: list[Extension] | None = None
    status: str | None = None
    type: Concept | None = None
    subject: list[Reference] | None = None
    service_period: Period | None = None


CARE = {"Condition": Condition, "Procedure": Procedure, "EpisodeOfCare": EpisodeOfCare, "Account": Account}
