"""From what staff wrote to what one patient reads."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from audience.models import Channel, ContactPoint, Patient
from audience.numbers import is_toll_free
from messaging import email_body, merge
from messaging.materialise import Due, materialise
from messaging.merge import FIELDS, MergeError
from messaging.models import Content, SendingIdentity
from messaging.segments import count
from messaging.words import practice_values, text, values_of
from trackstat.clock import now
from trackstat.tenancy.models import Practice, PracticeSettings

__all__ = ["Composed", "Due", "compose", "materialise", "merge_values", "problems", "segment_range"]

# Twilio takes no longer body.
LONGEST_TEXT = 1600


@dataclass(frozen=True, slots=True)
class Composed:
    """What one patient gets. `body` is the text, or an email's plain part; `segments` is 1 for an email."""

    subject: str
    body: str
    html: str
    segments: int
    missing_fields: list[str]
    has_opt_out_line: bool


def problems(channel: str, subject: str, body: str) -> list[str]:
    """What must be mended before this can be sent, in sentences, in the practice in scope."""
    found = []
    if not body.strip():
        found.append("The message has no words yet.")
    try:
        if channel == Channel.EMAIL:
            email_body.check_body(body)
        else:
            merge.parse(body)
    except MergeError as error:
        found.append(str(error))
    else:
        if channel == Channel.TEXT and len(text(body, _longest(), with_opt_out_line=True)) > LONGEST_TEXT:
            found.append(f"The text can become longer than {LONGEST_TEXT:,} characters: shorten it.")
    if channel == Channel.EMAIL:
        found += _problems_of_email(subject)
    return found


def _problems_of_email(subject: str) -> list[str]:
    found = []
    if not subject.strip():
        found.append("The email has no subject yet.")
    try:
        merge.parse(subject)
    except MergeError as error:
        found.append(f"Subject: {error}")
    settings = PracticeSettings.objects.first()
    if settings is None or not settings.postal_address:
        found.append("Every email must carry the practice's postal address: fill it in under Settings.")
    return found


def merge_values(patients: Iterable[Patient], practice: Practice) -> list[dict[str, str]]:
    """Every merge field of each patient, as plain strings; '' where the EHR says nothing."""
    moment, zone, shared = now(), practice.tz, practice_values(practice)
    return [shared | _values(patient, zone, moment) for patient in patients]


def compose(content: Content, patient: Patient, practice: Practice, identity: SendingIdentity | None) -> Composed:
    """What this patient would get now, for previews. Raises MergeError for content that could not be saved."""
    values = merge_values([patient], practice)[0]
    if content.channel == Channel.EMAIL:
        made = email_body.email(content.subject, content.body, values, "preview")
        missing = merge.parse(content.subject).missing(values) + merge.parse(content.body).missing(values)
        return Composed(made.subject, made.text, made.html, 1, list(dict.fromkeys(missing)), False)
    first = not ContactPoint.objects.filter(
        channel=Channel.TEXT, address=patient.cell, introduced_at__isnull=False
    ).exists()
    body = text(content.body, values, with_opt_out_line=first)
    segments = count(body, toll_free=bool(identity and is_toll_free(identity.address))).segments
    return Composed("", body, "", segments, merge.parse(content.body).missing(values), first)


def segment_range(body: str, *, toll_free: bool = False) -> tuple[int, int]:
    """Segments with short values and no opt-out line, and with the longest values and the line. Raises MergeError."""
    shortest = text(body, {name: field.sample for name, field in FIELDS.items()}, with_opt_out_line=False)
    longest = text(body, _longest(), with_opt_out_line=True)
    return count(shortest, toll_free).segments, count(longest, toll_free).segments


def _longest() -> Mapping[str, str]:
    return {name: field.longest for name, field in FIELDS.items()}


def _values(patient: Patient, zone: ZoneInfo, moment: dt.datetime) -> dict[str, str]:
    return values_of(
        patient.first_name,
        patient.last_name,
        patient.preferred_name,
        patient.next_visit_at,
        patient.last_visit_on,
        zone,
        moment,
    )
