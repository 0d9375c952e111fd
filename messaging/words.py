"""Values for merge fields, and the final words of a text."""

import datetime as dt
from collections.abc import Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo

from messaging.merge import Template, clean, parse
from messaging.segments import plain
from trackstat.formats import clock, phone
from trackstat.tenancy.models import Practice

# In the first text to a number (CTIA); replies are understood whatever the wording of this line.
OPT_OUT_LINE = "Reply STOP to opt out"


def text(body: str, values: Mapping[str, str], *, with_opt_out_line: bool) -> str:
    """What arrives on the phone, character by character: it is what is counted, stored and sent."""
    words = plain(_template(body).render(values)).strip()
    return f"{words}\n{OPT_OUT_LINE}" if with_opt_out_line else words


def practice_values(practice: Practice) -> dict[str, str]:
    settings = practice.settings
    return {
        "PracticeName": clean(practice.name),
        "PracticePhone": clean(phone(settings.phone)) if settings.phone else "",
        "PracticeAddress": clean(settings.postal_address),
    }


def values_of(
    first_name: str,
    last_name: str,
    preferred_name: str,
    next_visit_at: dt.datetime | None,
    last_visit_on: dt.date | None,
    zone: ZoneInfo,
    moment: dt.datetime,
    *,
    with_dates: bool = True,
) -> dict[str, str]:
    """A patient's fields. Dates are the practice's; a next visit that has passed meanwhile is none.

    `with_dates` False leaves them empty, for words that name none: they are most of the work.
    """
    values = {
        "PatientFirstName": clean(first_name),
        "PatientLastName": clean(last_name),
        "PatientPreferredName": clean(preferred_name or first_name),
        "NextVisitDate": "",
        "NextVisitTime": "",
        "LastVisitDate": "",
    }
    if not with_dates:
        return values
    if last_visit_on:
        values["LastVisitDate"] = f"{last_visit_on:%B} {last_visit_on.day}, {last_visit_on.year}"
    if next_visit_at and next_visit_at > moment:
        local = next_visit_at.astimezone(zone)
        values["NextVisitDate"] = f"{local:%a}, {local:%b} {local.day}"
        values["NextVisitTime"] = clock(local.time())
    return values


@lru_cache(maxsize=512)
def _template(body: str) -> Template:
    return parse(body)
