"""What an EHR said, flat and cleaned, on its way into the practice's tables.

A record is one row of a temporary table of the same columns (`staging` derives the table from the annotations), so
every adapter fills the same few shapes. Keys that end in `_key` name another record of the same export, not yet looked
up: the EHR's id, or an alias of it (see `StagedAlias`).
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


class StagedPlace(NamedTuple):
    """A provider or a location (`kind`), by name."""

    kind: str
    external_id: str
    name: str


class StagedAlias(NamedTuple):
    """Another name under which references reach a record: `?system|value` of an identifier, or a bundle's urn."""

    kind: str
    alias: str
    external_id: str


Staged = StagedPatient | StagedAppointment | StagedPlace | StagedAlias
