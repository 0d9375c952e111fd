"""A practice full of awkward patients, as rows in the database and as plain rows for the reference."""

import datetime as dt
import random

from audience.models import Appointment, ContactPoint, Patient, PatientTag, Tag
from audience.rollups import rebuild
from tests.audience.filters.reference import Row

TAGS = ["VIP", "Gold", "moved", "not qualified"]


def build(practice, now: dt.datetime, clock, size: int = 120, seed: int = 7) -> dict[int, Row]:
    """Patient id → plain row. Rollups stand as they were eight hours before `now`, so some next visits have passed."""
    dice = random.Random(seed)
    today = now.astimezone(practice.tz).date()
    tags = [Tag.objects.create(name=name, always_excluded=name == "not qualified") for name in TAGS]
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
                city="Boston",
            )
        )
        for channel, address in (("text", row.cell), ("email", row.email)):
            if address and (channel, address) not in points:
                points[channel, address] = _point(dice, channel, address, now)
    Patient.objects.bulk_create(patients)
    ContactPoint.objects.bulk_create(points.values())
    for row, patient in zip(rows, patients, strict=True):
        row.tags = {tag.pk for tag in tags if dice.random() < 0.25}
        carried += [PatientTag(patient=patient, tag_id=tag) for tag in row.tags]
        appointments += _appointments(dice, row, patient, practice, len(appointments))
        for channel, address in (("text", row.cell), ("email", row.email)):
            if address:
                point = points[channel, address]
                row.points[channel] = (
                    point.validity,
                    bool(point.all_opted_out_at),
                    bool(point.announcement_opted_out_at),
                    bool(point.appointment_opted_out_at),
                )
    PatientTag.objects.bulk_create(carried)
    Appointment.objects.bulk_create(appointments)
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


def _appointments(dice, row, patient, practice, n):
    made = []
    for day in row.visits:
        starts_at = dt.datetime.combine(day, dt.time(10), practice.tz)
        made.append(_appointment(patient, "checked_in", starts_at, day, n + len(made)))
    for moment in row.booked:
        made.append(_appointment(patient, "scheduled", moment, moment.astimezone(practice.tz).date(), n + len(made)))
    # What must count neither as a visit nor as a booking.
    if dice.random() < 0.5:
        made.append(_appointment(patient, "cancelled", *_any(dice, practice), n + len(made)))
    if dice.random() < 0.5:
        made.append(_appointment(patient, "missed", *_any(dice, practice), n + len(made)))
    return made


def _any(dice, practice):
    moment = dt.datetime(2026, 6, 1, 15, tzinfo=dt.UTC) + dt.timedelta(days=dice.randrange(-700, 700))
    return moment, moment.astimezone(practice.tz).date()


def _appointment(patient, status, starts_at, starts_on, n):
    return Appointment(
        patient=patient,
        source="test",
        external_id=f"A{patient.pk}-{n}",
        status=status,
        starts_at=starts_at,
        starts_on=starts_on,
    )


def any_value(dice: random.Random, key: str, today: dt.date) -> dict:
    """A valid value of a filter, picked at random."""
    if key in {"visit", "last_visit", "first_visit", "next_visit"}:
        return _any_range(dice, today, ahead=key == "next_visit")
    if key == "has_future_appointment":
        return {"has": dice.choice(["yes", "no"])}
    if key == "status":
        if dice.random() < 0.4:
            return {"status": "active"}
        reasons = [each for each in ("inactive", "discharged", "archived", "deceased") if dice.random() < 0.4]
        return {"status": "inactive"} | ({"reasons": reasons} if reasons else {})
    if key == "age":
        low, high = sorted([dice.choice([0, 17, 18, 19, 30, 65]), dice.choice([0, 17, 18, 64, 65, 66, 130])])
        return dice.choice([{"min": low}, {"max": high}, {"min": low, "max": high}])
    if key == "sex":
        return {"sex": dice.sample(["female", "male", "other", "unknown"], dice.randint(1, 4))}
    if key == "tags":
        tags = list(Tag.objects.values_list("pk", flat=True))
        return {"match": dice.choice(["any", "all", "none"]), "tags": dice.sample(tags, dice.randint(1, 3))}
    raise AssertionError(f"The property test knows no values for the filter {key}.")


def _any_range(dice, today, ahead):
    past = ["ago", "more_than_ago", "last", "between", "today", "yesterday", "this_month", "last_month"]
    future = ["next", "ahead", "more_than_ahead", "between", "today", "tomorrow", "this_month", "next_month"]
    kind = dice.choice(future if ahead else [*past, "this_year", "last_year"])
    if kind == "between":
        days = sorted(today + dt.timedelta(days=dice.randrange(-600, 400)) for _ in range(2))
        start, end = (each.isoformat() for each in days)
        return {"range": kind} | dice.choice([{"start": start}, {"end": end}, {"start": start, "end": end}])
    least, most = sorted([dice.choice([0, 1, 2, 6]), dice.choice([1, 7, 12, 18, 30])])
    unit = dice.choice(["days", "weeks", "months", "years"])
    needs = {
        "ago": {"least": least, "most": most, "unit": unit},
        "ahead": {"least": least, "most": most, "unit": unit},
        "more_than_ago": {"least": least, "unit": unit},
        "more_than_ahead": {"least": least, "unit": unit},
        "last": {"most": most, "unit": unit},
        "next": {"most": most, "unit": unit},
    }
    return {"range": kind} | needs.get(kind, {})
