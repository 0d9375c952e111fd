"""What the EHR's kinds of records are called at a practice's desk."""

WORDS = {
    "Patient": "Patients",
    "Appointment": "Appointments",
    "Encounter": "Visits",
    "EpisodeOfCare": "Cases",
    "Case": "Cases",
    "Account": "Accounts",
    "Condition": "Diagnoses",
    "Diagnosis": "Diagnoses",
    "Service": "Services",
    "Procedure": "Procedures",
    "ChargeItem": "Charges",
    "Claim": "Bills",
    "ExplanationOfBenefit": "Insurance statements",
    "Coverage": "Insurance cards",
    "Payment": "Payments",
    "Invoice": "Invoices",
    "PaymentNotice": "Payment notices",
    "Practitioner": "Providers",
    "PractitionerRole": "Providers' roles",
    "Organization": "Organizations",
    "Location": "Locations",
    "OptOut": "Opt-outs",
    "": "Lines that cannot be read",
}
# In this order; what has no words here comes after.
_ORDER = {kind: number for number, kind in enumerate(WORDS)}


def words(kind: str) -> str:
    return WORDS.get(kind, kind)


def place(kind: str) -> tuple[int, str]:
    """For sorting: patients first, what nobody needs at the end."""
    return _ORDER.get(kind, len(_ORDER)) if kind else len(_ORDER) + 1, kind
