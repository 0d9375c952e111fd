import calendar
import datetime as dt
from collections.abc import Iterator
from typing import Any

from audience.models import Patient
from campaigns.models import Campaign, Enrollment
from campaigns.recipients import audience_of
from campaigns.schedule import birthdays_kept_on, end_of_day, next_time_of_day, to_utc
from campaigns.triggers.base import Trigger, enrol_patients, register
from trackstat.tenancy.models import Practice

# When the message does not say.
MORNING = dt.time(10)
# A changed time zone or a moved clock is noticed after this at the latest.
LOOK_AGAIN = dt.timedelta(hours=1)


@register
class Birthday(Trigger):
    """Greets active patients on their birthday at the message's time of day, and never on another day."""

    key = "birthday"
    label = "Birthday"

    def describe(self, value: dict[str, Any]) -> str:
        return "on the patient's birthday"

    def enrol(
        self, campaign: Campaign, practice: Practice, from_: dt.datetime, to: dt.datetime, now: dt.datetime
    ) -> int:
        enrolled = 0
        for day, due_at in self._moments(campaign, practice, now, to):
            if from_ < due_at <= to:
                patients = (
                    audience_of(campaign, day)
                    .queryset()
                    .filter(birth_md__in=birthdays_kept_on(day), birth_date__lt=day, status=Patient.Status.ACTIVE)
                )
                enrolled += enrol_patients(
                    campaign, patients, f"birthday:{day.year}", due_at, end_of_day(day, practice.tz)
                )
        return enrolled

    def next_check(self, campaign: Campaign, practice: Practice, after: dt.datetime) -> dt.datetime:
        return min(next_time_of_day(after, _time_of_day(campaign), practice.tz), after + LOOK_AGAIN)

    def no_longer_true(self, enrollments: list[Enrollment], practice: Practice) -> set[int]:
        return {enrollment.pk for enrollment in enrollments if not _still_has_birthday(enrollment, practice)}

    def _moments(
        self, campaign: Campaign, practice: Practice, now: dt.datetime, to: dt.datetime
    ) -> Iterator[tuple[dt.date, dt.datetime]]:
        """The local days that are not over yet, and when each one's greeting goes out."""
        day, time_of_day = now.astimezone(practice.tz).date(), _time_of_day(campaign)
        while day <= to.astimezone(practice.tz).date():
            yield day, to_utc(dt.datetime.combine(day, time_of_day), practice.tz)
            day += dt.timedelta(days=1)


def kept_in(year: int, birth_date: dt.date) -> dt.date:
    """The day the birthday is kept in `year`: 29 February on the 28th in common years."""
    if (birth_date.month, birth_date.day) == (2, 29) and not calendar.isleap(year):
        return dt.date(year, 2, 28)
    return birth_date.replace(year=year)


def _still_has_birthday(enrollment: Enrollment, practice: Practice) -> bool:
    patient = enrollment.patient
    if patient.status != Patient.Status.ACTIVE or patient.birth_date is None:
        return False
    # Enrolled shortly before the greeting is due, perhaps on the eve.
    moments = (enrollment.enrolled_at, enrollment.enrolled_at + dt.timedelta(minutes=2))
    days = {moment.astimezone(practice.tz).date() for moment in moments}
    return kept_in(int(enrollment.occurrence.partition(":")[2]), patient.birth_date) in days


def _time_of_day(campaign: Campaign) -> dt.time:
    first = campaign.steps.first()
    return first.time_of_day if first and first.time_of_day else MORNING
