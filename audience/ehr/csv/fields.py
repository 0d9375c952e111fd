"""The files of a CSV drop and their columns, under the headings that such systems give them."""

import re
from typing import NamedTuple

_SIGNS = re.compile(r"[\W_]+")


class Field(NamedTuple):
    """What is read from a column. `synonyms`: usual headings, the surest ones first.

    `instead`: a required field is not missed where one of these is there.
    `joint`: several columns may be mapped to it, and their values are put together with this; '' = only one may.
    """

    name: str
    label: str
    synonyms: tuple[str, ...]
    is_required: bool = False
    instead: tuple[str, ...] = ()
    joint: str = ""


class Kind(NamedTuple):
    """One sort of file. `words`: what the names of such files have in them; `type`: what its records are called."""

    name: str
    label: str
    type: str
    words: tuple[str, ...]
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)

    @property
    def required(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.is_required)

    def named(self, heading: str) -> tuple[str, int]:
        """The field that a column of this heading is usually for, and how sure that is (0 most); '' when unknown."""
        return _NAMED[self.name].get(plain(heading), ("", 0))


def plain(heading: str) -> str:
    """A heading without case, blanks and signs: “Acct. #” and “acct number” are one."""
    return _SIGNS.sub("", heading.lower().replace("#", " number"))


def _numbered(*stems: str, most: int = 12) -> tuple[str, ...]:
    return tuple(f"{stem} {number}" for stem in stems for number in range(1, most + 1))


_PATIENT_ID = (
    "patient id", "patient number", "patient no", "patient code", "patient key", "pat id", "pat number", "pt id",
    "pt number", "chart number", "chart no", "chart id", "chart", "account number", "account no", "account id",
    "account",
    "acct number", "acct no", "acct", "acct id", "mrn", "medical record number", "file number", "client id",
    "person id",
    "ehr patient id",
)  # fmt: skip
_PATIENT = Field("patient", "Patient id", (*_PATIENT_ID, "patient"), True)
_CHANGED = Field(
    "changed_at",
    "Last changed",
    ("last changed", "last modified", "modified", "date modified", "modified date", "modified at", "last updated",
     "updated", "updated at", "updated on", "last update", "last edited"),
)  # fmt: skip
_PROVIDER = Field(
    "provider",
    "Provider",
    ("provider", "provider name", "primary provider", "default provider", "assigned provider", "treating provider",
     "rendering provider", "doctor", "primary doctor", "treating doctor", "doctor name", "physician", "chiropractor",
     "attending", "practitioner", "resource"),
)  # fmt: skip
_ATTORNEY = Field("attorney", "Attorney", ("attorney", "attorney name", "lawyer", "law firm", "legal counsel"))
_PACKAGE = Field(
    "care_package",
    "Care package",
    ("care package", "package", "package name", "treatment package", "care plan", "care plan name", "membership"),
)
_FEES = Field(
    "fee_schedule", "Fee schedule", ("fee schedule", "fee sched", "fee schedule name", "fee table", "price schedule")
)
_CASE_TYPES = ("case type", "type of case", "patient case type", "financial class")
_CASE = Field("case", "Case id", ("case id", "case number", "case no", "case"))
_INSURERS = (
    "insurance", "insurance company", "insurance company name", "insurance name", "insurance carrier", "insurer",
    "carrier", "carrier name", "payer", "payor", "payer name", "ins company", "ins co", "primary insurance",
    "primary insurance company", "primary insurance name", "primary ins", "primary carrier", "primary payer",
)  # fmt: skip
_INSURER = Field(
    "insurer",
    "Insurance company",
    (*_INSURERS, "secondary insurance", "secondary insurance company", "secondary ins", "tertiary insurance",
     *_numbered("insurance", "insurance company", "ins", most=3)),
    joint="\n",
)  # fmt: skip
_PLAN = Field("plan", "Insurance plan", ("insurance plan", "plan", "plan name", "insurance plan name", "policy type"))
_DIAGNOSES = Field(
    "diagnoses",
    "Diagnoses",
    ("diagnosis", "diagnoses", "diagnosis code", "diagnosis codes", "dx", "dx code", "dx codes", "icd", "icd10",
     "icd 10",
     "icd code", "icd codes", "icd10 code", "icd10 codes", "primary diagnosis", "secondary diagnosis",
     *_numbered("diagnosis", "diagnosis code", "dx", "icd", "diag")),
    joint="\n",
)  # fmt: skip
_VOID = Field("is_void", "Voided", ("void", "voided", "is void", "deleted", "is deleted", "reversed"))
_DAY_BEGUN = ("start", "start date", "starts on", "begin date", "effective date", "effective", "date opened", "opened")
_DAY_OVER = ("end", "end date", "ends on", "date closed", "closed", "close date", "closed date", "termination date")

PATIENTS = Kind(
    "patients",
    "Patients",
    "Patient",
    ("patient", "demographic"),
    (
        Field("id", "Patient id", (*_PATIENT_ID, "external id", "id"), True),
        Field("last_name", "Last name", ("last name", "last", "lname", "surname", "family name", "patient last name",
                                         "pt last name"), True, ("name",)),
        Field("first_name", "First name", ("first name", "first", "fname", "given name", "forename",
                                           "patient first name", "pt first name")),
        Field("name", "Whole name", ("name", "patient name", "full name", "patient full name", "patient", "pt name",
                                     "last first", "name last first")),
        Field("preferred_name", "Preferred name", ("preferred name", "preferred first name", "nickname", "nick name",
                                                   "goes by", "known as", "preferred")),
        Field("birth_date", "Birth date", ("dob", "date of birth", "birth date", "birthday", "patient dob", "pt dob",
                                           "birthdate", "born")),
        Field("sex", "Sex", ("sex", "gender", "patient sex", "patient gender", "m f")),
        Field("cell", "Cell phone", ("cell", "cell phone", "cell number", "cell phone number", "cellular", "mobile",
                                     "mobile phone", "mobile number", "mobile phone number", "patient cell",
                                     "text number",
                                     "sms", "sms number", "phone cell", "phone mobile")),
        Field("home_phone", "Home phone", ("home phone", "home", "home number", "home phone number", "phone home",
                                           "home telephone", "hphone")),
        Field("work_phone", "Work phone", ("work phone", "work", "work number", "work phone number", "phone work",
                                           "business phone", "office phone", "wphone")),
        Field("phone", "Phone of any sort", ("phone", "phones", "phone number", "phone numbers", "telephone",
                                             "primary phone", "contact number", "tel", "main phone"), joint="\n"),
        Field("email", "Email", ("email", "email address", "e mail", "e mail address", "patient email",
                                 "email 1", "primary email")),
        Field("address", "Street", ("address", "street", "street address", "home address", "address line", "addr",
                                    "address 1", "address line 1", "addr 1", "street 1", "address 2",
                                    "address line 2", "addr 2", "street 2", "apt", "unit", "suite"),
              joint=", "),
        Field("city", "City", ("city", "town", "home city")),
        Field("state", "State", ("state", "st", "home state", "province", "state province")),
        Field("postal_code", "Zip code", ("zip", "zip code", "zipcode", "postal code", "postcode", "home zip",
                                          "zip postal code")),
        Field("country", "Country", ("country", "country code")),
        Field("status", "Active or not", ("status", "patient status", "active", "is active", "active status",
                                          "active inactive", "active y n", "patient active", "account status")),
        Field("is_inactive", "Inactive", ("inactive", "is inactive", "inactive y n", "patient inactive")),
        Field("deceased", "Deceased", ("deceased", "is deceased", "deceased date", "date of death", "death date",
                                       "deceased on", "dod")),
        _PROVIDER,
        _ATTORNEY,
        _PACKAGE,
        _FEES,
        Field("referral_source", "Referral source", ("referral source", "referral", "referred by", "referring source",
                                                     "referral type", "how heard", "how did you hear about us",
                                                     "source",
                                                     "marketing source", "referral name")),
        Field("marketing_ok", "Marketing allowed", ("marketing", "marketing ok", "patient marketing",
              "allow marketing",
                                                    "marketing allowed", "marketing opt in", "marketing consent",
                                                    "accepts marketing", "ok to market", "send marketing",
                                                    "include in marketing", "receive marketing")),
        Field("no_marketing", "No marketing", ("no marketing", "marketing opt out", "do not market", "opt out",
                                               "opted out", "marketing opted out", "opt out of marketing",
                                               "exclude from marketing", "do not contact for marketing")),
        Field("case_type", "Case type", _CASE_TYPES),
        _INSURER,
        _PLAN,
        _DIAGNOSES,
        _CHANGED,
    ),
)  # fmt: skip

APPOINTMENTS = Kind(
    "appointments",
    "Appointments",
    "Appointment",
    ("appointment", "appt", "schedule", "visit", "booking"),
    (
        Field("id", "Appointment id", ("appointment id", "appointment number", "appointment no", "appt id",
                                       "appt number", "appt no", "visit id", "visit number", "booking id",
                                       "schedule id",
                                       "external id", "id"), True),
        _PATIENT,
        Field("starts_at", "Start", ("appointment date", "appointment date time", "appointment datetime", "appt date",
                                     "appt date time", "appt datetime", "start date", "visit date", "scheduled date",
                                     "scheduled for", "schedule date", "date time", "datetime", "date"), True,
              ("starts_time",)),
        # Some call the whole moment so, and have no other column for it.
        Field("starts_time", "Time of the start", ("start time", "appointment time", "appointment start time",
                                                   "appt time", "scheduled time", "visit time", "schedule time", "time",
                                                   "start", "starts at", "start date time", "start datetime",
                                                   "scheduled start", "appointment start")),
        Field("ends_at", "End", ("end", "ends at", "end date", "end date time", "end datetime", "end time",
                                 "scheduled end", "appointment end", "appointment end time", "appt end")),
        Field("minutes", "Minutes", ("minutes", "duration", "duration minutes", "duration min", "length",
              "appt length",
                                     "appointment length", "appointment duration", "mins")),
        Field("status", "Status", ("status", "appointment status", "appt status", "visit status", "disposition",
                                   "check in status"), True, ("checked_in_at",)),
        Field("checked_in_at", "Check-in", ("check in", "checked in", "check in time", "check in at", "checked in at",
                                            "checked in time", "check in date time", "arrival", "arrival time",
                                            "arrived",
                                            "arrived at", "time in", "sign in time")),
        Field("purpose", "Purpose", ("purpose", "appointment purpose", "appointment type", "appt type", "type",
                                     "visit type", "reason", "visit reason", "appointment reason", "reason for visit",
                                     "service", "description")),
        _PROVIDER,
        Field("location", "Location", ("location", "location name", "office", "clinic", "facility", "site", "branch")),
        _CASE,
        _CHANGED,
    ),
)  # fmt: skip

CASES = Kind(
    "cases",
    "Cases",
    "Case",
    ("case", "episode"),
    (
        Field("id", "Case id", ("case id", "case number", "case no", "external id", "case", "id")),
        _PATIENT,
        Field("case_type", "Case type", (*_CASE_TYPES, "type", "case name", "case description"), True),
        Field("status", "Open or closed", ("status", "case status", "active", "is active", "open", "is open",
                                           "open closed")),
        _ATTORNEY,
        _PACKAGE,
        _FEES,
        Field("starts_on", "First day", (*_DAY_BEGUN, "open date", "opened on", "case date", "case start date")),
        Field("ends_on", "Last day", (*_DAY_OVER, "closed on", "discharge date", "case end date")),
        _INSURER,
        _PLAN,
        _DIAGNOSES,
        _CHANGED,
    ),
)  # fmt: skip

DIAGNOSES = Kind(
    "diagnoses",
    "Diagnoses",
    "Diagnosis",
    ("diagnos", "icd", "dx"),
    (
        Field("id", "Diagnosis id", ("diagnosis id", "dx id", "external id", "record id", "id")),
        _PATIENT,
        Field("code", "Code", ("code", "diagnosis code", "diagnosis", "dx", "dx code", "icd", "icd10", "icd 10",
              "icd code",
                               "icd10 code"), True),
        Field("name", "Name", ("name", "description", "diagnosis name", "diagnosis description", "dx description",
                               "dx name", "code description")),
        Field("since", "Since", ("since", "date", "diagnosis date", "onset", "onset date", "date of onset",
              *_DAY_BEGUN)),
        Field("ends_on", "Until", (*_DAY_OVER, "resolved", "resolved date", "until")),
        Field("status", "Active or not", ("status", "diagnosis status", "active", "is active")),
        _CASE,
        _CHANGED,
    ),
)  # fmt: skip

SERVICES = Kind(
    "services",
    "Services",
    "Service",
    ("service", "charge", "procedure", "cpt"),
    (
        Field("id", "Service id", ("service id", "charge id", "procedure id", "transaction id",
                                   "transaction number", "trans id", "line id", "line item id", "entry id",
                                   "external id", "id")),
        _PATIENT,
        Field("visit_on", "Day", ("service date", "date of service", "dos", "visit date", "charge date",
                                  "transaction date", "procedure date", "served on", "trans date", "date"), True),
        Field("code", "Code", ("code", "cpt", "cpt code", "service code", "procedure code", "proc code", "hcpcs",
                               "hcpcs code", "cpt hcpcs", "billing code", "procedure", "charge code"), True),
        Field("name", "Name", ("name", "description", "service", "service name", "service description",
                               "procedure description", "procedure name", "code description", "cpt description")),
        _VOID,
        _CHANGED,
    ),
)  # fmt: skip

PAYMENTS = Kind(
    "payments",
    "Payments",
    "Payment",
    ("payment", "receipt", "deposit"),
    (
        Field("id", "Payment id", ("payment id", "payment number", "payment no", "receipt id", "receipt number",
                                   "receipt no", "transaction id", "transaction number", "trans id", "entry id",
                                   "external id", "id")),
        _PATIENT,
        Field("paid_on", "Day", ("payment date", "paid date", "paid on", "date paid", "transaction date",
                                 "posted", "post date", "posted date", "posting date", "deposit date", "receipt date",
                                 "trans date", "date"), True),
        Field("amount", "Amount", ("amount", "payment amount", "amount paid", "paid amount", "payment", "paid",
              "total",
                                   "total paid", "payment total"), True),
        Field("payer", "Who paid", ("payer", "payor", "paid by", "payer type", "payment source", "payment type",
              "type",
                                    "source", "payment from")),
        _VOID,
        _CHANGED,
    ),
)  # fmt: skip

COVERAGES = Kind(
    "coverages",
    "Insurance",
    "Coverage",
    ("insurance", "coverage", "polic"),
    (
        Field("id", "Policy record id", ("coverage id", "policy id", "insurance id", "external id",
              "record id", "id")),
        _PATIENT,
        Field("insurer", "Insurance company", (*_INSURERS, "company", "company name", "name"), True),
        _PLAN,
        Field("starts_on", "First day", _DAY_BEGUN),
        Field("ends_on", "Last day", (*_DAY_OVER, "expiration date", "expires", "expiry date")),
        Field("status", "Active or not", ("status", "active", "is active", "policy status")),
        _CHANGED,
    ),
)  # fmt: skip

OPT_OUTS = Kind(
    "opt_outs",
    "Opt-outs",
    "OptOut",
    ("optout", "optedout", "unsubscri", "donotcontact", "donottext", "donotemail", "dnc", "suppress", "stoplist"),
    (
        Field("phone", "Phone", ("phone", "phone number", "cell", "cell phone", "cell number", "mobile",
              "mobile phone",
                                 "mobile number", "number", "sms", "sms number", "text number", "telephone", "contact",
                                 "to"), True, ("email", "patient")),
        Field("email", "Email", ("email", "email address", "e mail", "e mail address", "mailbox")),
        Field("patient", "Patient id", (*_PATIENT_ID, "patient", "id")),
        Field("channel", "Texts or email", ("channel", "method", "medium", "opt out channel", "contact method", "type",
                                            "opt out type", "message type")),
        Field("scope", "Of what", ("scope", "category", "applies to", "opt out of", "opted out of", "list", "purpose",
                                   "opt out scope")),
        Field("opted_out_at", "Date", ("opt out date", "opted out", "opted out at", "opted out on",
                                       "date opted out", "opt out", "opt out at", "opt out time", "unsubscribed",
                                       "unsubscribed at", "unsubscribe date", "unsubscribed on", "stop date",
                                       "timestamp",
                                       "date added", "added", "date", "created", "created at")),
        Field("note", "Note", ("note", "notes", "reason", "comment", "comments", "source", "message", "keyword",
              "how")),
    ),
)  # fmt: skip

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (PATIENTS, APPOINTMENTS, CASES, DIAGNOSES, SERVICES, PAYMENTS, COVERAGES, OPT_OUTS)
}
_NAMED: dict[str, dict[str, tuple[str, int]]] = {
    kind.name: {
        plain(synonym): (field.name, number) for field in kind.fields for number, synonym in enumerate(field.synonyms)
    }
    for kind in KINDS.values()
}
