"""A row of the appointments' file as the record that is staged. A visit is one whose patient was checked in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from audience.ehr import clean
from audience.ehr.csv import values
from audience.ehr.csv.care import identified
from audience.ehr.csv.cells import Cells
from audience.ehr.csv.words import APPOINTMENT, said_yes
from audience.ehr.records import Origin, Rejected, Staged, StagedAppointment
from audience.ehr.words import NO_APPOINTMENT, AppointmentStatus

# The longest a visit is believed to last.
_LONGEST = timedelta(days=1)


def appointment(row: Cells, origin: Origin) -> Iterator[Staged]:
    external_id = identified(row)
    patient = identified(row, "patient")
    on, time_of_day = (row["starts_at"], row["starts_time"]) if row.has("starts_at") else (row["starts_time"], "")
    starts_at = values.moment(on, time_of_day, "The start", row.ways)
    status = APPOINTMENT[row.meaning("status")]
    if starts_at is None and status != NO_APPOINTMENT:
        raise Rejected("The appointment has no start")
    came, checked_in_at = _check_in(row, starts_at)
    if came and status in (AppointmentStatus.SCHEDULED, AppointmentStatus.MISSED):
        status = AppointmentStatus.CHECKED_IN
    case = clean.printable(row["case"], 120)
    yield StagedAppointment(
        *origin,
        row.changed_at(),
        "Appointment",
        f"Appointment/{external_id}",
        patient,
        "" if status else "Its status says that it is none",
        status,
        starts_at,
        _ends_at(row, starts_at),
        checked_in_at if status == AppointmentStatus.CHECKED_IN else None,
        row.words("purpose"),
        "",
        row.words("provider"),
        "",
        row.words("location"),
        "",
        f"Case/{case}" if case else "",
    )


def _check_in(row: Cells, starts_at: datetime | None) -> tuple[bool, datetime | None]:
    """Whether the patient came, and when, where the column has more than a yes."""
    said = row["checked_in_at"].strip()
    yes = said_yes(said)
    if yes is not None:
        return yes, None
    return True, _moment(row, said, starts_at, "The check-in")


def _ends_at(row: Cells, starts_at: datetime | None) -> datetime | None:
    if starts_at is None:
        return None
    ends_at = _moment(row, row["ends_at"].strip(), starts_at, "The end") if row["ends_at"].strip() else None
    if ends_at is None:
        lasts = _lasts(row["minutes"])
        ends_at = starts_at + lasts if lasts else None
    return ends_at if ends_at and timedelta(0) <= ends_at - starts_at <= _LONGEST else None


@lru_cache(maxsize=1000)
def _lasts(said: str) -> timedelta | None:
    """“15” or “15 min”."""
    minutes = clean.printable(said).split(" ")[0]
    return timedelta(minutes=int(minutes)) if minutes.isdecimal() and len(minutes) < 5 else None


def _moment(row: Cells, said: str, starts_at: datetime | None, what: str) -> datetime | None:
    """A time alone is one of the appointment's day."""
    alone = values.time_only(said)
    if alone is None or starts_at is None:
        return values.moment(said, "", what, row.ways)
    on = starts_at.astimezone(row.ways.zone).date()
    return datetime.combine(on, alone, row.ways.zone).astimezone(UTC)
