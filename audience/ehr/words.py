"""Every EHR's own words, mapped in this one place.

An unknown word never decides anything by itself: what the standard fields say then stands.
"""

import re

from audience.models import Appointment, Patient

AppointmentStatus = Appointment.Status
InactiveReason = Patient.InactiveReason

# What the EHR lists but nobody has booked, or booked by a slip.
NO_APPOINTMENT = ""

# FHIR R4 Appointment.status; "pending" is booked for the patient and only lacks a participant's answer.
APPOINTMENT_STATUS: dict[str, str] = {
    "booked": AppointmentStatus.SCHEDULED,
    "pending": AppointmentStatus.SCHEDULED,
    "arrived": AppointmentStatus.CHECKED_IN,
    "checked-in": AppointmentStatus.CHECKED_IN,
    "fulfilled": AppointmentStatus.CHECKED_IN,
    "noshow": AppointmentStatus.MISSED,
    "cancelled": AppointmentStatus.CANCELLED,
    "entered-in-error": NO_APPOINTMENT,
    "proposed": NO_APPOINTMENT,
    "waitlist": NO_APPOINTMENT,
}

# FHIR R4 Encounter.status; a planned encounter is no visit yet and its appointment, if there is one, says more.
ENCOUNTER_STATUS: dict[str, str] = {
    "arrived": AppointmentStatus.CHECKED_IN,
    "triaged": AppointmentStatus.CHECKED_IN,
    "in-progress": AppointmentStatus.CHECKED_IN,
    "onleave": AppointmentStatus.CHECKED_IN,
    "finished": AppointmentStatus.CHECKED_IN,
    "planned": NO_APPOINTMENT,
    "cancelled": NO_APPOINTMENT,
    "entered-in-error": NO_APPOINTMENT,
    "unknown": NO_APPOINTMENT,
}

SEX = {sex.value: sex.value for sex in Patient.Sex} | {"m": Patient.Sex.MALE.value, "f": Patient.Sex.FEMALE.value}

# What a patient's status field may say where the EHR has one beside FHIR's `active`.
INACTIVE_WORDS: dict[str, str] = {
    "discharged": InactiveReason.DISCHARGED,
    "dismissed": InactiveReason.DISCHARGED,
    "released": InactiveReason.DISCHARGED,
    "terminated": InactiveReason.DISCHARGED,
    "transferred": InactiveReason.DISCHARGED,
    "archived": InactiveReason.ARCHIVED,
    "archive": InactiveReason.ARCHIVED,
    "purged": InactiveReason.ARCHIVED,
    "deceased": InactiveReason.DECEASED,
    "dead": InactiveReason.DECEASED,
    "died": InactiveReason.DECEASED,
    "expired": InactiveReason.DECEASED,
    "inactive": InactiveReason.INACTIVE,
    "in-active": InactiveReason.INACTIVE,
    "not active": InactiveReason.INACTIVE,
    "dormant": InactiveReason.INACTIVE,
    "moved": InactiveReason.INACTIVE,
    "merged": InactiveReason.ARCHIVED,
    "duplicate": InactiveReason.ARCHIVED,
}

# HL7 table 0276, which many systems fill with whole sentences.
APPOINTMENT_TYPES = {
    "CHECKUP": "Checkup",
    "EMERGENCY": "Emergency",
    "FOLLOWUP": "Follow-up",
    "ROUTINE": "Routine",
    "WALKIN": "Walk-in",
}

# What front desks type when the field must not stay empty.
PLACEHOLDER_EMAIL = re.compile(
    r"^(none|no|na|n\.a|n/a|nomail|noemail|no-email|no\.email|declined|refused|unknown|test)@"
    r"|@(none|na|noemail|nomail|no|declined|refused|unknown)\.(com|net|org)$"
)

STATES = {
    "alabama": "AL", "alaska": "AK", "arizona": "AZ", "arkansas": "AR", "california": "CA", "colorado": "CO",
    "connecticut": "CT", "delaware": "DE", "district of columbia": "DC", "florida": "FL", "georgia": "GA",
    "hawaii": "HI", "idaho": "ID", "illinois": "IL", "indiana": "IN", "iowa": "IA", "kansas": "KS", "kentucky": "KY",
    "louisiana": "LA", "maine": "ME", "maryland": "MD", "massachusetts": "MA", "michigan": "MI", "minnesota": "MN",
    "mississippi": "MS", "missouri": "MO", "montana": "MT", "nebraska": "NE", "nevada": "NV", "new hampshire": "NH",
    "new jersey": "NJ", "new mexico": "NM", "new york": "NY", "north carolina": "NC", "north dakota": "ND",
    "ohio": "OH", "oklahoma": "OK", "oregon": "OR", "pennsylvania": "PA", "puerto rico": "PR", "rhode island": "RI",
    "south carolina": "SC", "south dakota": "SD", "tennessee": "TN", "texas": "TX", "utah": "UT", "vermont": "VT",
    "virginia": "VA", "washington": "WA", "west virginia": "WV", "wisconsin": "WI", "wyoming": "WY",
}  # fmt: skip

UNITED_STATES = {"", "US", "USA", "U.S.", "U.S.A.", "UNITED STATES", "UNITED STATES OF AMERICA"}


def inactive_reason(word: str) -> str:
    """What one EHR's word for a patient's status means here; empty when it does not say "inactive"."""
    return INACTIVE_WORDS.get(word.strip().lower(), "")
