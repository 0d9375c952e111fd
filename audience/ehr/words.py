"""Every EHR's own words, mapped in this one place.

An unknown word never decides anything by itself: what the standard fields say then stands.
"""

import re


# The models' own values, written out: `fhir/shaper.py` maps words without Django.
class AppointmentStatus:
    SCHEDULED = "scheduled"
    CHECKED_IN = "checked_in"
    MISSED = "missed"
    CANCELLED = "cancelled"


class InactiveReason:
    INACTIVE = "inactive"
    DISCHARGED = "discharged"
    ARCHIVED = "archived"
    DECEASED = "deceased"


class Sex:
    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class Payer:
    INSURER = "insurer"
    PATIENT = "patient"


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

SEX = {
    "female": Sex.FEMALE,
    "male": Sex.MALE,
    "other": Sex.OTHER,
    "unknown": Sex.UNKNOWN,
    "f": Sex.FEMALE,
    "m": Sex.MALE,
}

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

# Why a record makes nothing here, by its status; '' = it counts.
IN_ERROR = "It was entered in error"
DELETED = "It was deleted"
_NOT_DONE = "It was not done"

PROCEDURE_STATUS: dict[str, str] = {
    "completed": "",
    "in-progress": "",
    "preparation": "It is not done yet",
    "on-hold": "It is not done yet",
    "not-done": _NOT_DONE,
    "stopped": _NOT_DONE,
    "entered-in-error": IN_ERROR,
    "unknown": "Its status is unknown",
}
CHARGE_STATUS: dict[str, str] = {
    "billable": "",
    "not-billable": "",
    "billed": "",
    "planned": "It is not done yet",
    "aborted": _NOT_DONE,
    "entered-in-error": IN_ERROR,
    "unknown": "Its status is unknown",
}
# Claim, ExplanationOfBenefit, Coverage, PaymentNotice.
BILL_STATUS: dict[str, str] = {
    "active": "",
    "cancelled": "It is cancelled",
    "draft": "It is a draft",
    "entered-in-error": IN_ERROR,
}
BILL_USE: dict[str, str] = {
    "preauthorization": "It only asks what would be paid",
    "predetermination": "It only asks what would be paid",
}
INVOICE_STATUS: dict[str, str] = {
    "balanced": "",
    "issued": "It is not paid yet",
    "draft": "It is a draft",
    "cancelled": "It is cancelled",
    "entered-in-error": IN_ERROR,
}
PAID = {"paid", "cleared"}
PAID_BY_PATIENT = {"paidbypatient", "patientpaid", "patient-paid"}
US_DOLLARS = {"", "USD"}

# Whether a case is open, and why it is none.
EPISODE_STATUS: dict[str, tuple[bool, str]] = {
    "planned": (True, ""),
    "active": (True, ""),
    "onhold": (True, ""),
    "finished": (False, ""),
    "waitlist": (False, "It is on a waiting list"),
    "cancelled": (False, "It is cancelled"),
    "entered-in-error": (False, IN_ERROR),
}
ACCOUNT_STATUS: dict[str, tuple[bool, str]] = {
    "active": (True, ""),
    "on-hold": (True, ""),
    "unknown": (True, ""),
    "inactive": (False, ""),
    "entered-in-error": (False, IN_ERROR),
}
# HL7 v3 ActCode: accounts that say what is owed, not what somebody is treated for.
PLAIN_ACCOUNTS = {"PBILLACCT", "ACCTRECEIVABLE", "AR", "CASH", "CC", "CREDITCARD", "DDA", "DEBITCARD", "PA", "SVNG"}

# Condition.verificationStatus and clinicalStatus.
NOT_TRUE: dict[str, str] = {"refuted": "It was refuted", "entered-in-error": IN_ERROR}
OVER = {"inactive", "remission", "resolved"}

# The code systems' many addresses, and the short name each is kept under.
CODE_SYSTEMS: dict[str, str] = {
    "http://www.ama-assn.org/go/cpt": "cpt",
    "urn:oid:2.16.840.1.113883.6.12": "cpt",
    "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": "hcpcs",
    "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": "hcpcs",
    "https://www.cms.gov/medicare/coding/medhcpcsgeninfo": "hcpcs",
    "urn:oid:2.16.840.1.113883.6.285": "hcpcs",
    "http://www.ada.org/cdt": "cdt",
    "urn:oid:2.16.840.1.113883.6.13": "cdt",
    "http://hl7.org/fhir/sid/icd-10-cm": "icd10",
    "urn:oid:2.16.840.1.113883.6.90": "icd10",
    "http://hl7.org/fhir/sid/icd-10": "icd10-who",
    "http://hl7.org/fhir/sid/icd-10-pcs": "icd10-pcs",
    "http://www.cms.gov/Medicare/Coding/ICD10": "icd10-pcs",
    "http://hl7.org/fhir/sid/icd-9-cm": "icd9",
    "urn:oid:2.16.840.1.113883.6.103": "icd9",
    "http://snomed.info/sct": "snomed",
    "urn:oid:2.16.840.1.113883.6.96": "snomed",
    "http://hl7.org/fhir/sid/cvx": "cvx",
    "http://loinc.org": "loinc",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "rxnorm",
}
# Systems whose codes are written with and without a dot.
ICD = {"icd10", "icd10-who"}

# How the addresses of the EHR's own fields end, in lower case and without - and _.
OWN_FIELDS: dict[str, tuple[str, ...]] = {
    "status": ("patientstatus",),
    "attorney": ("attorney", "lawyer"),
    "care_package": ("carepackage", "treatmentpackage"),
    "fee_schedule": ("feeschedule",),
    "referral_source": ("referralsource", "referredby"),
    "case_type": ("casetype",),
}
MARKETING_FIELDS = ("marketing", "marketingok", "marketingoptin", "allowmarketing", "marketingconsent")
NO_MARKETING_FIELDS = ("marketingoptout", "nomarketing", "donotmarket")
YES_OR_NO = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}
ATTORNEYS = {"attorney", "lawyer", "legal counsel", "attorney at law"}

# What stands for an insurance company where there is none.
SELF_PAYING = {"no_insurance", "no insurance", "none", "self", "self pay", "self-pay", "selfpay", "cash", "uninsured"}

# Resources that are not read, and why.
NOT_READ: dict[str, str] = {
    "AppointmentResponse": "the appointment itself says who comes",
    "HealthcareService": "what the practice offers is not kept",
    "PaymentReconciliation": "its parts stand in the bills",
    "RelatedPerson": "nobody but patients is written to",
    "Schedule": "free times are not kept",
    "Slot": "free times are not kept",
}
NOT_READ_OTHERWISE = "clinical content is not kept"

UNITED_STATES = {"", "US", "USA", "U.S.", "U.S.A.", "UNITED STATES", "UNITED STATES OF AMERICA"}


def inactive_reason(word: str) -> str:
    """What one EHR's word for a patient's status means here; empty when it does not say "inactive"."""
    return INACTIVE_WORDS.get(word.strip().lower(), "")


def yes_or_no(word: str) -> bool | None:
    """None for a word that is neither."""
    return YES_OR_NO.get(word.strip().lower())
