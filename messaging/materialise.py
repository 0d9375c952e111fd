"""Message rows, shortly before they are due: set by set, COPY into a temporary table, then one INSERT a batch.

COPY is refused on tables behind row-level security, and `bulk_create` costs more than four times as much.
"""

import datetime as dt
import os
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from itertools import batched
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from django.db import connection, transaction

from audience.models import Category, Channel, Patient
from audience.numbers import is_toll_free
from messaging.checks import unreachable
from messaging.merge import parse
from messaging.models import Content, Message, SendingIdentity
from messaging.segments import count
from messaging.words import practice_values, text, values_of
from trackstat import prepared
from trackstat.clock import now
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import current_practice_id

BATCH = 5000
# What `messaging.models.message.new_token` makes, in one go for a batch: three bytes are four characters.
TOKEN_BYTES, TOKEN_LENGTH = 12, 16

_json = msgspec.json.Encoder().encode


class Recipient(NamedTuple):
    """What is known of a due message's patient and address; `place` is the message's in the batch, from 1."""

    place: int
    first_name: str
    last_name: str
    preferred_name: str
    # None also where the words name no dates.
    next_visit_at: dt.datetime | None
    last_visit_on: dt.date | None
    contact_point_id: int | None
    address: str
    validity: str | None
    opted_out: bool
    introduced: bool
    deceased: bool
    tagged: bool


class Addressed(NamedTuple):
    """A due message that may be written, and where it goes."""

    enrollment_id: int | None
    patient_id: int
    contact_point_id: int
    due_at: dt.datetime


# Of a batch, the enrollments whose address gets the step's message with another patient's.
type Spare = Callable[[list[Addressed]], set[int | None]]


class Due(NamedTuple):
    """A message that an enrollment owes a patient."""

    enrollment_id: int | None
    patient_id: int
    due_at: dt.datetime
    not_after: dt.datetime


def materialise(
    content: Content,
    identity: SendingIdentity,
    category: str,
    campaign_id: int | None,
    step_id: int | None,
    due: Sequence[Due],
    repeat: int = 1,
    spare: Spare | None = None,
) -> int:
    """Insert one row for each due message and return how many are new; what is there already stays as it is.

    Runs in the caller's transaction and practice. Whoever cannot be written to, or is spared, gets a row that is born
    aborted, with the reason. Raises MergeError for content that could not be saved.
    """
    practice, moment, names = Practice.objects.get(pk=current_practice_id()), now(), _fields_used(content)
    constants: dict[str, Any] = {
        "practice": practice.pk,
        "channel": content.channel,
        "category": category,
        "identity": identity.pk,
        "content": content.pk,
        "campaign": campaign_id,
        "step": step_id,
        "repeat": repeat,
        "now": moment,
    }
    inserted = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for batch in batched(due, BATCH, strict=False):
            # Everything is read before: while a COPY is open the connection takes no other statement.
            recipients = _recipients(content.channel, category, batch, with_dates=_name_dates(names))
            reasons = _reasons(content.channel, batch, recipients, spare)
            rows = list(_rows(content, names, identity, practice, moment, batch, recipients, reasons))
            cursor.execute(_TEMPORARY)
            with cursor.copy(_COPY) as copy:
                copy.set_types(_TYPES)
                for row in rows:
                    copy.write_row(row)
            cursor.execute(_INSERT, constants)
            inserted += cursor.rowcount
    return inserted


def _recipients(channel: str, category: str, due: Sequence[Due], *, with_dates: bool) -> list[Recipient]:
    """Those of the due messages whose patient there is, in order; every address has its contact point."""
    patients = prepared.array(each.patient_id for each in due)
    values = {
        "practice": current_practice_id(),
        "channel": channel,
        "announcement": category == Category.ANNOUNCEMENT,
        "patients": patients,
        "dates": with_dates,
    }
    found = _read(channel, values)
    if any(each.address and each.contact_point_id is None for each in found):
        with connection.cursor() as cursor:
            cursor.execute(_ADD_POINTS[channel], [channel, current_practice_id(), patients])
        found = _read(channel, values)
    return found


def _read(channel: str, values: dict[str, Any]) -> list[Recipient]:
    with connection.cursor() as cursor:
        cursor.execute(_RECIPIENTS[channel], values)
        return list(map(Recipient._make, cursor.fetchall()))


def _reasons(channel: str, due: Sequence[Due], recipients: list[Recipient], spare: Spare | None) -> list[str]:
    """For each recipient why the message is born aborted, '' where it is not."""
    reasons = [
        unreachable(
            channel,
            each.address,
            each.validity or "unknown",
            opted_out=each.opted_out,
            deceased=each.deceased,
            tagged=each.tagged,
        )
        for each in recipients
    ]
    if spare is None:
        return reasons
    both = [(due[each.place - 1], each, reason) for each, reason in zip(recipients, reasons, strict=True)]
    spared = spare(
        [
            Addressed(owed.enrollment_id, owed.patient_id, each.contact_point_id, owed.due_at)
            for owed, each, reason in both
            if not reason and each.contact_point_id is not None
        ]
    )
    return [
        reason or (Message.Reason.SAME_HOUSEHOLD if owed.enrollment_id in spared else "") for owed, _, reason in both
    ]


def _rows(
    content: Content,
    names: list[str],
    identity: SendingIdentity,
    practice: Practice,
    moment: dt.datetime,
    due: Sequence[Due],
    recipients: list[Recipient],
    reasons: list[str],
) -> Iterable[tuple]:
    zone, shared, with_dates = ZoneInfo(practice.settings.time_zone), practice_values(practice), _name_dates(names)
    is_text, toll_free = content.channel == Channel.TEXT, is_toll_free(identity.address)
    tokens = urlsafe_b64encode(os.urandom(TOKEN_BYTES * len(recipients))).decode()
    body, segments, with_line = "", 1, False
    for number, each in enumerate(recipients):
        owed = due[each.place - 1]
        values = shared | values_of(
            each.first_name,
            each.last_name,
            each.preferred_name,
            each.next_visit_at,
            each.last_visit_on,
            zone,
            moment,
            with_dates=with_dates,
        )
        if is_text:
            with_line = not each.introduced
            body = text(content.body, values, with_opt_out_line=with_line)
            segments = max(1, count(body, toll_free).segments)
        yield (
            owed.enrollment_id,
            owed.patient_id,
            each.contact_point_id,
            each.address,
            body,
            _json({name: values[name] for name in names}).decode(),
            tokens[number * TOKEN_LENGTH : (number + 1) * TOKEN_LENGTH],
            segments,
            with_line,
            reasons[number],
            owed.due_at,
            owed.not_after,
        )


def _fields_used(content: Content) -> list[str]:
    """What a row must keep to be understood later; an email is rebuilt from it, with the foot it was sent with."""
    names = parse(content.body).names
    if content.channel == Channel.EMAIL:
        names = list(dict.fromkeys([*parse(content.subject).names, *names, "PracticeName", "PracticeAddress"]))
    return names


def _name_dates(names: list[str]) -> bool:
    return any("Visit" in name for name in names)


_COLUMN = {Channel.TEXT: "cell", Channel.EMAIL: "email"}

_RECIPIENTS = {
    channel: f"""
SELECT d.place, p.first_name, p.last_name, p.preferred_name,
       CASE WHEN %(dates)s THEN p.next_visit_at END, CASE WHEN %(dates)s THEN p.last_visit_on END,
       c.id, p.{column}, c.validity,
       coalesce(c.all_opted_out_at IS NOT NULL OR CASE WHEN %(announcement)s
           THEN c.announcement_opted_out_at ELSE c.appointment_opted_out_at END IS NOT NULL, false),
       c.introduced_at IS NOT NULL,
       p.inactive_reason = '{Patient.InactiveReason.DECEASED}',
       %(announcement)s AND EXISTS (
           SELECT FROM audience_patienttag pt JOIN audience_tag t ON t.practice_id = pt.practice_id AND t.id = pt.tag_id
            WHERE pt.practice_id = %(practice)s AND pt.patient_id = p.id AND t.always_excluded)
  FROM unnest(%(patients)s::bigint[]) WITH ORDINALITY AS d (patient_id, place)
  JOIN audience_patient p ON p.practice_id = %(practice)s AND p.id = d.patient_id
  LEFT JOIN audience_contactpoint c
    ON c.practice_id = %(practice)s AND c.channel = %(channel)s AND c.address = p.{column} AND p.{column} <> ''
 ORDER BY d.place
"""
    for channel, column in _COLUMN.items()
}

_ADD_POINTS = {
    channel: f"""
INSERT INTO audience_contactpoint (practice_id, channel, address, validity, validity_reason, opted_out_by_patient)
SELECT DISTINCT practice_id, %s, {column}, 'unknown', '', false FROM audience_patient
 WHERE practice_id = %s AND id = ANY(%s::bigint[]) AND {column} <> ''
    ON CONFLICT DO NOTHING
"""
    for channel, column in _COLUMN.items()
}

_TEMPORARY = """
DROP TABLE IF EXISTS pg_temp.materialising;
CREATE TEMPORARY TABLE materialising (
    enrollment_id bigint, patient_id bigint, contact_point_id bigint, to_address text, body text, merge_values text,
    token text, segments smallint, has_opt_out_line boolean, reason text, due_at timestamptz, not_after timestamptz
) ON COMMIT DROP
"""
_COPY = "COPY pg_temp.materialising FROM STDIN (FORMAT BINARY)"
_TYPES = [
    *("bigint", "bigint", "bigint", "text", "text", "text", "text", "smallint", "boolean", "text"),
    *("timestamptz", "timestamptz"),
]
_INSERT = f"""
INSERT INTO messaging_message (
    practice_id, channel, category, patient_id, contact_point_id, identity_id, content_id, campaign_id, step_id,
    enrollment_id, repeat, to_address, body, merge_values, token, segments, has_opt_out_line, state, reason, error_code,
    due_at, not_after, next_at, tries, done_at, created_at)
SELECT %(practice)s, %(channel)s, %(category)s, patient_id, contact_point_id, %(identity)s, %(content)s, %(campaign)s,
       %(step)s, enrollment_id, %(repeat)s, to_address, body, merge_values::jsonb, token, segments, has_opt_out_line,
       CASE reason WHEN '' THEN '{Message.State.PENDING}' ELSE '{Message.State.ABORTED}' END, reason, '',
       due_at, not_after, due_at, 0, CASE reason WHEN '' THEN NULL ELSE %(now)s END, %(now)s
  FROM pg_temp.materialising
    ON CONFLICT (practice_id, enrollment_id, step_id, repeat) WHERE enrollment_id IS NOT NULL DO NOTHING
"""
