"""What an EHR said, flat and cleaned, on its way into the practice's tables: where every way in ends.

A record is one row of a temporary table of the same columns (`staging` derives the table from the annotations), so
every adapter fills the same few shapes, in any order, and everything behind them is shared:

* `StagedPatient`, `StagedAppointment`, `StagedCase`: one row each here, changed when the EHR's record changes.
* `StagedEntry`: any other record about a patient (a bill, a diagnosis, a policy). The facts that it states follow it
  directly: `StagedDiagnosis`, `StagedService`, `StagedPayment`, `StagedCoverage`. What an entry states replaces all
  that the entry of this id stated before; one without facts takes everything back.
* `StagedPlace`, `StagedAlias`: names of providers, locations and companies; other names of records.
* `StagedMerge`, `StagedGone`, `StagedCaseDiagnosis`: what the EHR says of records as such.
* `StagedOptOut`: a number or mailbox that wants no more messages.

Keys that end in `_key` name another record of the same export, not yet looked up: the EHR's id, or an alias of it (see
`StagedAlias`). Texts are '' where there is nothing. `external_id` of all but patients and places is `Type/id`, unique
within the connection. `left_out` says in plain words why a record makes nothing here ('' = it does): such a record only
takes back what was there of it.
"""

from datetime import date, datetime
from typing import NamedTuple


class Rejected(Exception):
    """A record that cannot be taken; the message tells the vendor why, in plain words and without patient data."""


class Rejection(NamedTuple):
    """One record that was not taken, and where it stands."""

    file: str
    line: int
    resource_type: str
    external_id: str
    reason: str


class Origin(NamedTuple):
    """Where a record was read: file name, line (from 1) and, in a bundle, still the line of the bundle."""

    file: str
    line: int


class StagedPatient(NamedTuple):
    file: str
    line: int
    changed_at: datetime | None
    external_id: str
    first_name: str
    preferred_name: str
    last_name: str
    birth_date: date | None
    sex: str
    cell: str
    home_phone: str
    work_phone: str
    email: str
    address: str
    city: str
    state: str
    postal_code: str
    country: str
    is_active: bool
    inactive_reason: str
    provider_key: str
    provider_name: str
    attorney: str
    care_package: str
    fee_schedule: str
    referral_source: str
    marketing_ok: bool | None


class StagedAppointment(NamedTuple):
    """An appointment, or a visit known only from its encounter.

    `status` is a value of `Appointment.Status`, or empty when the EHR says that this is no appointment (a wish, a
    waiting list, a slip): such a row never makes an appointment, it only cancels one that was there before.
    """

    file: str
    line: int
    changed_at: datetime | None
    resource_type: str
    external_id: str
    patient_key: str
    left_out: str
    status: str
    starts_at: datetime | None
    ends_at: datetime | None
    checked_in_at: datetime | None
    purpose: str
    provider_key: str
    provider_name: str
    location_key: str
    location_name: str
    appointment_key: str
    case_key: str


class StagedCase(NamedTuple):
    """A course of care. Where it names its `account_key`, an account staged under that id is not a second case."""

    file: str
    line: int
    changed_at: datetime | None
    resource_type: str
    external_id: str
    patient_key: str
    left_out: str
    is_active: bool
    case_type: str
    attorney: str
    care_package: str
    fee_schedule: str
    starts_on: date | None
    ends_on: date | None
    account_key: str


class StagedCaseDiagnosis(NamedTuple):
    """That a diagnosis (`external_id` of its entry) belongs to a case; ids, not yet looked up."""

    case_key: str
    diagnosis_key: str


class StagedEntry(NamedTuple):
    """A record about a patient, whose facts follow it.

    `about_key`: the bill (`Type/id`) that a payment is for. Without a `patient_key` the patient is that bill's.
    """

    file: str
    line: int
    changed_at: datetime | None
    resource_type: str
    external_id: str
    patient_key: str
    left_out: str
    about_key: str


class StagedDiagnosis(NamedTuple):
    """`system` is a short name of `words.CODE_SYSTEMS`, or the system's address; once a code in an entry."""

    system: str
    code: str
    name: str
    is_active: bool
    since: date | None


class StagedService(NamedTuple):
    """Once a code and day (the practice's local date) in an entry."""

    system: str
    code: str
    name: str
    visit_on: date


class StagedPayment(NamedTuple):
    """`payer` is a value of `Payment.Payer`, once in an entry; US cents."""

    payer: str
    amount_cents: int
    paid_on: date | None


class StagedCoverage(NamedTuple):
    """An insurance company; with `billed_on`, only a bill of that day names it (see `Coverage`)."""

    insurer_key: str
    insurer_name: str
    plan: str
    is_active: bool
    starts_on: date | None
    ends_on: date | None
    billed_on: date | None


class StagedPlace(NamedTuple):
    """A provider, a location or a company (`kind`), by name."""

    kind: str
    external_id: str
    name: str


class StagedAlias(NamedTuple):
    """Another name under which references reach a record: `?system|value` of an identifier, or a bundle's urn."""

    kind: str
    alias: str
    external_id: str


class StagedMerge(NamedTuple):
    """The EHR replaced one patient's record by another."""

    old_key: str
    new_key: str


class StagedGone(NamedTuple):
    """The EHR deleted this patient's record."""

    patient_key: str


class StagedOptOut(NamedTuple):
    """Somebody does not want messages of `purpose` (a `ConsentEvent.Purpose`) by `channel` any more, since `at`.

    Without an `address` the patient's own are meant. Not `is_dated`: the list has no date, and `at` is the list's.
    """

    file: str
    line: int
    patient_key: str
    channel: str
    address: str
    purpose: str
    at: datetime
    is_dated: bool
    wording: str


Fact = StagedDiagnosis | StagedService | StagedPayment | StagedCoverage
Staged = (
    StagedPatient
    | StagedAppointment
    | StagedCase
    | StagedCaseDiagnosis
    | StagedEntry
    | Fact
    | StagedPlace
    | StagedAlias
    | StagedMerge
    | StagedGone
    | StagedOptOut
)
