"""What all records about a patient have in common: whose they are, whether they count, when they were changed."""

from zoneinfo import ZoneInfo

from audience.ehr import clean
from audience.ehr.fhir import references
from audience.ehr.fhir.resources import Meta, Reference
from audience.ehr.records import Origin, Rejected, StagedEntry


def entry(
    kind: str,
    found,
    subject: Reference | None,
    origin: Origin,
    zone: ZoneInfo,
    external_id: str,
    left_out: str,
    about_key: str = "",
) -> StagedEntry:
    """`found`: the resource. A record that is left out needs no patient: it only takes back what was there."""
    key = patient_key(subject)
    if not key and not left_out:
        raise Rejected("It names no patient")
    return StagedEntry(*origin, changed_at(found.meta, zone), kind, f"{kind}/{external_id}", key, left_out, about_key)


def patient_key(*subjects: Reference | None) -> str:
    """The first of these that is a patient; '' when none is."""
    for subject in subjects:
        kind, key = references.target(subject)
        if key and (kind == "Patient" or (not kind and key.startswith(("urn:", "?")))):
            return key
    return ""


def changed_at(meta: Meta | None, zone: ZoneInfo):
    return clean.moment(meta.last_updated, "meta.lastUpdated", zone) if meta else None


def meaning[T](word: str | None, known: dict[str, T]) -> T:
    """What a status says; raises Rejected for one that FHIR R4 does not know."""
    if not word:
        raise Rejected("The record has no status")
    if word not in known:
        raise Rejected("The status is none that FHIR R4 knows")
    return known[word]


def key_of(reference: Reference | None, kinds: tuple[str, ...]) -> str:
    """`Type/key` of what a reference names, if it is of one of these types."""
    kind, key = references.target(reference)
    return f"{kind}/{key}" if key and kind in kinds else ""
