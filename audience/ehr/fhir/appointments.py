"""FHIR Appointments and Encounters as the flat record that is staged."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from audience.ehr import clean
from audience.ehr.fhir import names, references
from audience.ehr.fhir.entries import changed_at, key_of, meaning
from audience.ehr.fhir.resources import Appointment, Contained, Encounter, Participant, Reference
from audience.ehr.records import Origin, Rejected, StagedAppointment
from audience.ehr.words import APPOINTMENT_STATUS, ENCOUNTER_STATUS, NO_APPOINTMENT

_PROVIDERS = ("Practitioner", "PractitionerRole")
# HL7 v3 ParticipationType: the one who sees the patient, before a referrer or an observer.
_ATTENDING = {"ATND": 0, "PPRF": 0, "CON": 2, "REF": 3, "SPRF": 1}
# The longest a visit is believed to last; an end further away is a slip of the keyboard or an inpatient stay.
_LONGEST = timedelta(days=1)
_NONE = timedelta(0)


def appointment(found: Appointment, origin: Origin, zone: ZoneInfo, external_id: str) -> StagedAppointment:
    status = meaning(found.status, APPOINTMENT_STATUS)
    starts_at = clean.moment(found.start, "start", zone)
    if status and starts_at is None:
        raise Rejected("The appointment has no start time")
    ends_at = clean.moment(found.end, "end", zone)
    if ends_at is None and starts_at and found.minutes_duration:
        ends_at = starts_at + timedelta(minutes=min(max(found.minutes_duration, 0), 24 * 60))
    actors = _targets([participant.actor for participant in _by_importance(found.participant)])
    return StagedAppointment(
        *origin,
        changed_at(found.meta, zone),
        "Appointment",
        f"Appointment/{external_id}",
        _patient(actors, status),
        _left_out(status, found.status),
        status,
        starts_at,
        _plausible_end(starts_at, ends_at),
        None,
        names.concept(found.appointment_type, *(found.service_type or ()), *(found.reason_code or ())),
        *_first(actors, _PROVIDERS, found.contained),
        *_first(actors, ("Location",), found.contained),
        "",
        _case(found.supporting_information),
    )


def encounter(found: Encounter, origin: Origin, zone: ZoneInfo, external_id: str) -> StagedAppointment:
    """A visit. Where the encounter names its appointment, `appointment_key` says so and the two become one."""
    status = meaning(found.status, ENCOUNTER_STATUS)
    starts_at = clean.moment(found.period.start if found.period else None, "period.start", zone)
    if status and starts_at is None:
        raise Rejected("The encounter has no start time")
    ends_at = clean.moment(found.period.end if found.period else None, "period.end", zone)
    people = _targets([participant.individual for participant in _by_importance(found.participant)])
    places = _targets([*(place.location for place in found.location or ()), found.service_provider])
    return StagedAppointment(
        *origin,
        changed_at(found.meta, zone),
        "Encounter",
        f"Encounter/{external_id}",
        _patient(_targets([found.subject]), status),
        _left_out(status, found.status),
        status,
        starts_at,
        _plausible_end(starts_at, ends_at),
        starts_at if status else None,
        names.concept(*(found.type or ()), found.service_type, *(found.reason_code or ())),
        *_first(people, _PROVIDERS, found.contained),
        *_first(places, ("Location", "Organization"), found.contained),
        next((f"Appointment/{key}" for _, key in map(references.target, found.appointment or ()) if key), ""),
        _case([*(found.episode_of_care or ()), *(found.account or ())]),
    )


def _by_importance(participants: list[Participant | None] | None) -> Iterable[Participant]:
    if not participants:
        return ()
    present = [one for one in participants if one]
    if len(present) < 2 or not any(one.type for one in present):
        return present

    def rank(participant: Participant) -> int:
        codes = (code.code for kind in participant.type or () for code in kind.coding or ())
        return min((_ATTENDING.get(code or "", 1) for code in codes), default=1)

    return sorted(present, key=rank)


def _left_out(status: str, word: str | None) -> str:
    return f"Its status is {word}" if status == NO_APPOINTMENT else ""


def _case(named: Iterable[Reference] | None) -> str:
    """An episode of care before an account, which may be no case at all."""
    return max([key_of(one, ("EpisodeOfCare", "Account")) for one in named or ()], default="")


type Target = tuple[str, str, Reference]


def _targets(found: Iterable[Reference | None]) -> list[Target]:
    """Kind, key and the reference itself, of those that are there."""
    return [(*references.target(one), one) for one in found if one is not None]


def _patient(actors: list[Target], status: str) -> str:
    for kind, key, _ in actors:
        if key and (kind == "Patient" or (not kind and key.startswith(("urn:", "?")) and len(actors) == 1)):
            return key
    if status == NO_APPOINTMENT:
        return ""
    raise Rejected("It names no patient")


def _first(actors: list[Target], kinds: tuple[str, ...], contained: list[Contained] | None) -> tuple[str, str]:
    """Key and name of the first of these kinds; the key carries its kind, because ids repeat between kinds."""
    for kind, key, actor in actors:
        if kind in kinds and (key or actor.display):
            name = names.display(actor, contained)
            return ("" if key.startswith("#") else f"{kind}/{key}" if key else ""), name
    return "", ""


def _plausible_end(starts_at: datetime | None, ends_at: datetime | None) -> datetime | None:
    if starts_at is None or ends_at is None:
        return None
    return ends_at if _NONE <= ends_at - starts_at <= _LONGEST else None
