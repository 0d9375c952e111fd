"""A FHIR Patient as the flat record that is staged."""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from audience.ehr import clean
from audience.ehr.fhir import names, references
from audience.ehr.fhir.entries import patient_key
from audience.ehr.fhir.extensions import marketing_ok, own_field
from audience.ehr.fhir.resources import Address, Concept, ContactPoint, Patient, PatientContact, Period, Reference
from audience.ehr.records import Origin, StagedMerge, StagedPatient
from audience.ehr.words import ATTORNEYS, SEX, InactiveReason, inactive_reason

_PHONE_SYSTEMS = ("phone", "sms")
_LAST_RANK = 1_000_000


def patient(found: Patient, origin: Origin, on: date, zone: ZoneInfo, external_id: str) -> StagedPatient:
    """`on` is the practice's date: contact points that ended before it are not used."""
    first, preferred, last = names.person(found.name)
    home = _address(found.address, on)
    land = clean.country(home.country)
    cell, home_phone, work_phone = _phones(found.telecom, on, land if len(land) == 2 else "US")
    reason = _inactive_reason(found)
    provider, provider_name = _provider(found.general_practitioner)
    return StagedPatient(
        *origin,
        clean.moment(found.meta.last_updated if found.meta else None, "meta.lastUpdated", zone),
        external_id,
        first,
        preferred,
        last,
        clean.day(found.birth_date, "birthDate"),
        SEX.get((found.gender or "").lower(), "unknown"),
        cell,
        home_phone,
        work_phone,
        _email(found.telecom, on),
        clean.printable(", ".join(line for line in home.line or () if line), 200),
        clean.printable(home.city or "", 80),
        clean.state(home.state, land),
        clean.postal_code(home.postal_code, land),
        land,
        not reason,
        reason,
        provider,
        provider_name,
        own_field(found.extension, "attorney") or _attorney(found.contact),
        own_field(found.extension, "care_package"),
        own_field(found.extension, "fee_schedule"),
        own_field(found.extension, "referral_source"),
        marketing_ok(found.extension),
    )


def merges(found: Patient, external_id: str) -> Iterator[StagedMerge]:
    """Which record replaces which, told by either of them. Records that are only about the same person stay two."""
    for link in found.link or ():
        if other := patient_key(link.other):
            if link.type == "replaced-by":
                yield StagedMerge(external_id, other)
            elif link.type == "replaces":
                yield StagedMerge(other, external_id)


def _inactive_reason(found: Patient) -> str:
    """Why a patient is not active; empty for an active one. What is certain outranks what is only a word."""
    if found.deceased_boolean or found.deceased_date_time:
        return InactiveReason.DECEASED
    if any(link.type == "replaced-by" for link in found.link or ()):
        return InactiveReason.ARCHIVED
    if reason := inactive_reason(own_field(found.extension, "status")):
        return reason
    return InactiveReason.INACTIVE if found.active is False else ""


def _current(points: list[ContactPoint] | None, on: date) -> Iterator[ContactPoint]:
    """Contact points in use today, the preferred ones first."""
    usable = (p for p in points or () if p.value and p.use != "old" and not _over(p.period, on))
    return iter(sorted(usable, key=lambda point: point.rank or _LAST_RANK))


def _over(period: Period | None, on: date) -> bool:
    end = period.end if period else None
    # ISO dates of equal precision compare as text, and a year or a month alone ends with its last day.
    return bool(end) and end[:10] < on.isoformat()[: len(end[:10])]


def _phones(points: list[ContactPoint] | None, on: date, region: str) -> tuple[str, str, str]:
    """Cell, home and work number. Only what the EHR itself calls mobile (or a texting number) is a cell."""
    cell = home = work = ""
    for point in _current(points, on):
        if point.system not in _PHONE_SYSTEMS:
            continue
        for number, textable in clean.phones(point.value, region):
            if point.use == "mobile" or point.system == "sms":
                if textable:
                    cell = cell or number
                else:
                    work = work or number
            elif point.use == "work":
                work = work or number
            else:
                home = home or number
    return cell, home, work


def _email(points: list[ContactPoint] | None, on: date) -> str:
    found = [p for p in _current(points, on) if p.system == "email"]
    found.sort(key=lambda point: (point.rank or _LAST_RANK, point.use == "work"))
    return next((address for point in found for address in clean.emails(point.value)), "")


def _address(addresses: list[Address] | None, on: date) -> Address:
    """Where the patient lives, which is what the time zone is told from; a postbox only when there is nothing else."""
    usable = [a for a in addresses or () if a.use not in ("old", "billing") and not _over(a.period, on)]
    order = {"home": 0, None: 1, "temp": 2, "work": 3}
    usable.sort(key=lambda address: (address.type == "postal", order.get(address.use, 4)))
    return usable[0] if usable else Address()


def _provider(practitioners: list[Reference] | None) -> tuple[str, str]:
    for reference in practitioners or ():
        kind, key = references.target(reference)
        if kind in ("Practitioner", "PractitionerRole") and (key or reference.display):
            return f"{kind}/{key}" if key else "", names.display(reference, None)
    return "", ""


def _attorney(contacts: list[PatientContact] | None) -> str:
    """Where the EHR keeps the attorney among the people to call."""
    for contact in contacts or ():
        said = {word.lower() for concept in contact.relationship or () for word in _words(concept)}
        if said & ATTORNEYS:
            of = names.full([contact.name]) if contact.name else ""
            if found := of or names.display(contact.organization, None):
                return found
    return ""


def _words(concept: Concept) -> Iterator[str]:
    yield concept.text or ""
    for coding in concept.coding or ():
        yield coding.display or ""
        yield coding.code or ""
