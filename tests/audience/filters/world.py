"""A practice full of awkward patients, as rows in the database and as plain rows for the reference."""

import datetime as dt
import random

from audience.models import Appointment, AppointmentPurpose, ContactPoint, Patient, PatientTag, Provider, Tag
from audience.rollups import rebuild
from tests.audience.filters.charts import choices, columns, fill
from tests.audience.filters.reference import Booked, Row

TAGS = ["VIP", "Gold", "moved", "not qualified"]


def build(practice, now: dt.datetime, clock, size: int = 120, seed: int = 7) -> dict[int, Row]:
    """Patient id → plain row. Rollups stand as they were eight hours before `now`, so some next visits have passed."""
    dice = random.Random(seed)
    today = now.astimezone(practice.tz).date()
    tags = [Tag.objects.create(name=name, always_excluded=name == "not qualified") for name in TAGS]
    made = choices()
    rows, patients, appointments, carried = [], [], [], []
    points: dict[tuple[str, str], ContactPoint] = {}
    for n in range(size):
        row = _row(dice, today, now, n)
        rows.append(row)
        patients.append(
            Patient(
                source="test",
                external_id=f"P{n}",
                first_name=f"First{n}",
                last_name=f"Last{n % 40}",
                birth_date=row.birth_date,
                sex=row.sex,
                status=row.status,
                inactive_reason=row.reason,
                cell=row.cell,
                email=row.email,
                address_line="5 Elm Street" if row.has_address else "",
                **columns(dice, row, made),
            )
        )
        for channel, address in (("text", row.cell), ("email", row.email)):
            if address and (channel, address) not in points:
                points[channel, address] = _point(dice, channel, address, now)
    Patient.objects.bulk_create(patients)
    other = ContactPoint(channel="text", address="+16175559999")
    ContactPoint.objects.bulk_create([*points.values(), other])
    for row, patient in zip(rows, patients, strict=True):
        row.tags = {tag.pk for tag in tags if dice.random() < 0.25}
        carried += [PatientTag(patient=patient, tag_id=tag) for tag in row.tags]
        appointments += _appointments(dice, row, patient, practice, len(appointments), made)
        for channel, address in (("text", row.cell), ("email", row.email)):
            if address:
                point = points[channel, address]
                row.points[channel] = (
                    point.validity,
                    bool(point.all_opted_out_at),
                    bool(point.announcement_opted_out_at),
                    bool(point.appointment_opted_out_at),
                )
        row.point = points.get(("text", row.cell)) or other
    PatientTag.objects.bulk_create(carried)
    Appointment.objects.bulk_create(appointments)
    for row in rows:
        row.everyone = rows
    fill(dice, rows, patients, made, now, practice.tz)
    clock.at(now - dt.timedelta(hours=8))
    rebuild(practice)
    clock.at(now)
    return {patient.pk: row for row, patient in zip(rows, patients, strict=True)}


def _row(dice, today, now, n) -> Row:
    status = dice.choice(["active", "active", "active", "inactive"])
    row = Row(
        birth_date=dice.choice([None, *[_birth_date(dice, today)] * 7]),
        sex=dice.choice(["female", "male", "other", "unknown"]),
        status=status,
        reason=dice.choice(["inactive", "discharged", "archived", "deceased"]) if status == "inactive" else "",
        # Every third shares a phone and mailbox with the one before.
        cell=dice.choice(["", f"+1617555{n - n % 3:04d}", f"+1617555{n - n % 3:04d}"]),
        email=dice.choice(["", f"family{n - n % 3}@mail.example"]),
        has_address=dice.random() < 0.8,
    )
    for _ in range(dice.choice([0, 1, 1, 2, 5])):
        row.visits.append(today - dt.timedelta(days=_days(dice)))
    for _ in range(dice.choice([0, 0, 1, 2, 3])):
        row.booked.append(_booked(dice, today, now))
    return row


def _days(dice) -> int:
    """Around the ends of ranges: months, years, yesterday, today."""
    return max(0, dice.choice([0, 1, 2, 7, 28, 30, 31, 59, 60, 181, 182, 183, 184, 365, 366, 547, 548, 550, 900]))


def _booked(dice, today, now) -> dt.datetime:
    """Just passed, just ahead, on either side of midnight, next week and far off."""
    if dice.random() < 0.4:
        return now + dt.timedelta(minutes=dice.choice([-420, -61, -1, 0, 1, 30, 90, 300]))
    day = now + dt.timedelta(days=dice.choice([1, 2, 6, 7, 8, 28, 30, 31, 45, 90, 365]))
    return day.replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=dice.randrange(-23, 24))


def _birth_date(dice, today) -> dt.date:
    if dice.random() < 0.25:
        return dt.date(dice.choice([1960, 1984, 2004, 2008, 2020]), 2, 29)
    year = today.year - dice.choice([0, 1, 5, 17, 18, 19, 30, 64, 65, 66, 99])
    start = today.replace(year=year, day=min(today.day, 28))
    return start + dt.timedelta(days=dice.choice([-400, -2, -1, 0, 1, 2, 40]))


def _point(dice, channel, address, now) -> ContactPoint:
    def perhaps():
        return now if dice.random() < 0.15 else None

    return ContactPoint(
        channel=channel,
        address=address,
        validity=dice.choice(["unknown", "ok", "ok", "ok", "landline", "invalid", "suppressed"]),
        all_opted_out_at=perhaps(),
        announcement_opted_out_at=perhaps(),
        appointment_opted_out_at=perhaps(),
    )


def _appointments(dice, row, patient, practice, n, made):
    stored = []

    def book(status, starts_at, day):
        booked = Booked(
            status, starts_at, day, _perhaps(dice, made[AppointmentPurpose]), _perhaps(dice, made[Provider])
        )
        row.appointments.append(booked)
        stored.append(_appointment(patient, booked, n + len(stored)))

    for day in row.visits:
        book("checked_in", dt.datetime.combine(day, dt.time(10), practice.tz), day)
    for moment in row.booked:
        book("scheduled", moment, moment.astimezone(practice.tz).date())
    # What must count neither as a visit nor as a booking.
    if dice.random() < 0.5:
        book("cancelled", *_any(dice, practice))
    if dice.random() < 0.5:
        book("missed", *_any(dice, practice))
    return stored


def _perhaps(dice, ids):
    return dice.choice([None, *ids, *ids])


def _any(dice, practice):
    moment = dt.datetime(2026, 6, 1, 15, tzinfo=dt.UTC) + dt.timedelta(days=dice.randrange(-700, 700))
    return moment, moment.astimezone(practice.tz).date()


def _appointment(patient, booked, n):
    return Appointment(
        patient=patient,
        source="test",
        external_id=f"A{patient.pk}-{n}",
        status=booked.status,
        starts_at=booked.at,
        starts_on=booked.on,
        purpose_id=booked.purpose,
        provider_id=booked.provider,
    )
