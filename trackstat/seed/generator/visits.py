"""Courses of care: who comes how often, what is kept, missed and cancelled, and what is booked ahead.

A course is drawn for each patient (just started, in care, maintained, occasional, lapsed, never came), so that every
date filter finds somebody and "6 to 18 months since the last visit" finds many.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from trackstat.seed.generator.people import Person
from trackstat.seed.generator.practices import PracticePlan

# Purpose → minutes.
PURPOSES = {
    "New Patient Exam": 45,
    "Report of Findings": 30,
    "Adjustment": 15,
    "Re-Exam": 30,
    "Massage Therapy": 60,
    "Spinal Decompression": 30,
    "X-Ray": 20,
    "Wellness Checkup": 20,
    "Workshop": 60,
}
_COURSES = {"new": 5, "care": 16, "maintained": 18, "occasional": 16, "lapsed": 38, "never": 3, "booked first": 4}
_LEFT = {"lapsed": 90, "occasional": 7, "never": 3}
_OPENING, _CLOSING = time(8, 0), time(18, 0)


@dataclass
class Visit:
    id: str
    patient: str
    provider: str
    location: str
    purpose: str
    starts_at: datetime
    ends_at: datetime
    # FHIR R4 Appointment.status
    status: str
    # Practice-local, only of visits that were kept.
    came_at: datetime | None = None


class Visits:
    """The appointments of all people of a plan, seen from `at` (aware, in the practice's zone)."""

    def __init__(self, plan: PracticePlan, at: datetime, random: Random):
        self.plan, self.at, self.random = plan, at, random
        self.zone = ZoneInfo(plan.zone)
        self.today = at.date()
        self._made = 0

    def generate(self, people: list[Person]) -> Iterator[Visit]:
        for person in people:
            course = self._weighted(_LEFT if person.status else _COURSES)
            days = sorted(day for day in self._days(course) if day >= person.birth_date)
            first = True
            for day in days:
                visit = self._visit(person, day, first, course)
                first = first and visit.status not in ("fulfilled", "arrived", "checked-in")
                yield visit

    def _days(self, course: str) -> list[date]:
        """When a patient was, or will be, expected."""
        day, back, random = timedelta(days=1), self._back, self.random
        if course == "never":
            return [back(20, 400)]
        if course == "booked first":
            return [self.today + day * random.randint(0, 21)]
        if course == "new":
            start = back(0, 40)
            return self._plan_of_care(start, 12) + ([self.today] if random.random() < 0.4 else [])
        if course == "care":
            return self._plan_of_care(back(10, 80), 24) + self._every(back(90, 900), 45, 6, 5)
        if course == "maintained":
            start = back(200, 1500)
            booked = [self.today + day * random.randint(0, 35)] if random.random() < 0.75 else []
            return self._plan_of_care(start, 10) + self._every(start + day * 70, 30, 40, 9) + booked
        if course == "occasional":
            booked = [self.today + day * random.randint(1, 45)] if random.random() < 0.15 else []
            return [back(5, 1400) for _ in range(random.randint(1, 6))] + booked
        last = back(*random.choices(((60, 180), (180, 540), (540, 1500)), (25, 50, 25))[0])
        return [last] + [last - day * random.randint(3, 400) for _ in range(random.randint(0, 12))]

    def _plan_of_care(self, start: date, visits: int) -> list[date]:
        """Twice a week, then once a week, from the exam on; may run past today, which makes it booked ahead."""
        count = self.random.randint(visits // 2, visits)
        gaps = [0, 1] + [3 if number % 2 else 4 for number in range(min(count, 8))] + [7] * max(0, count - 8)
        days = [start]
        for gap in gaps[1:count]:
            days.append(days[-1] + timedelta(days=gap))
        return days

    def _every(self, start: date, gap: int, most: int, jitter: int) -> list[date]:
        days = [start]
        while len(days) < most and days[-1] < self.today - timedelta(days=gap):
            days.append(days[-1] + timedelta(days=gap + self.random.randint(-jitter, jitter)))
        return [day for day in days if day < self.today]

    def _visit(self, person: Person, day: date, first: bool, course: str) -> Visit:
        self._made += 1
        if day.weekday() == 6:
            day += timedelta(days=1)
        purpose = "New Patient Exam" if first else self._weighted(_later_purposes)
        minutes = self.random.randrange((_CLOSING.hour - _OPENING.hour) * 4 - 3) * 15
        starts_at = datetime.combine(day, _OPENING, self.zone) + timedelta(minutes=minutes)
        status = self._status(starts_at, course)
        came = status in ("fulfilled", "arrived", "checked-in")
        therapist = next((p.id for p in self.plan.providers if p.suffix == "LMT"), person.provider)
        return Visit(
            f"appt-{self._made:06d}",
            person.id,
            therapist if purpose == "Massage Therapy" else person.provider,
            f"loc-{1 + (int(person.id[-2:]) % 4 == 0) % len(self.plan.locations)}",
            purpose,
            starts_at,
            starts_at + timedelta(minutes=PURPOSES[purpose]),
            status,
            starts_at + timedelta(minutes=self.random.randint(-12, 9)) if came else None,
        )

    def _status(self, starts_at: datetime, course: str) -> str:
        drawn = self.random.random()
        if starts_at > self.at:
            return "cancelled" if drawn < 0.06 else "pending" if drawn < 0.1 else "booked"
        if course in ("never", "booked first"):
            return "noshow" if drawn < 0.7 else "cancelled"
        if starts_at.date() == self.today:
            # Who is in the house right now; a quarter of an hour later a patient has gone again or never came.
            if self.at - starts_at < timedelta(minutes=15):
                return "arrived" if drawn < 0.6 else "booked"
            return "fulfilled" if drawn < 0.8 else "noshow" if drawn < 0.92 else "booked"
        return "fulfilled" if drawn < 0.83 else "noshow" if drawn < 0.91 else "cancelled"

    def _back(self, least: int, most: int) -> date:
        return self.today - timedelta(days=self.random.randint(least, most))

    def _weighted[T](self, weights: dict[T, int]) -> T:
        return self.random.choices(list(weights), list(weights.values()))[0]


_later_purposes = {
    "Adjustment": 68,
    "Massage Therapy": 12,
    "Re-Exam": 6,
    "Spinal Decompression": 5,
    "Report of Findings": 3,
    "Wellness Checkup": 3,
    "X-Ray": 2,
    "Workshop": 1,
}
