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
# What `messaging.models.message.new_token` takes, in one go for a batch.
TOKEN_BYTES = 12

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_json = msgspec.json.Encoder().encode


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
    practice = Practice.objects.get(pk=current_practice_id())
    constants: dict[str, Any] = {
        "practice": practice.pk,
        "channel": content.channel,
        "category": category,
        "identity": identity.pk,
        "content": content.pk,
        "campaign": campaign_id,
        "step": step_id,
        "repeat": repeat,
    }
    inserted = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for batch in batched(due, BATCH, strict=False):
            # Everything is read before: while a COPY is open the connection takes no other statement.
            recipients = _recipients(content.channel, category, batch)
            reasons = _reasons(content.channel, recipients, spare)
            rows = list(_rows(content, identity, practice, recipients, reasons))
            cursor.execute(_TEMPORARY)
            with cursor.copy(_COPY) as copy:
                copy.set_types(_TYPES)
                for row in rows:
                    copy.write_row(row)
            cursor.execute(_INSERT, constants)
            inserted += cursor.rowcount
    return inserted


def _recipients(channel: str, category: str, due: Sequence[Due]) -> list[tuple]:
    """Each due message with what is known of its patient and address; every address has its contact point."""
    found = _read(channel, category, due)
    if any(row[_ADDRESS] and row[_POINT] is None for row in found):
        with connection.cursor() as cursor:
            patients = [each.patient_id for each in due]
            cursor.execute(_ADD_POINTS[channel], [channel, current_practice_id(), patients])
        found = _read(channel, category, due)
    return found


def _read(channel: str, category: str, due: Sequence[Due]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(
            _RECIPIENTS[channel],
            {
                "practice": current_practice_id(),
                "channel": channel,
                "announcement": category == Category.ANNOUNCEMENT,
                "enrollments": prepared.array(each.enrollment_id for each in due),
                "patients": prepared.array(each.patient_id for each in due),
                "dues": prepared.array(_microseconds(each.due_at) for each in due),
                "ends": prepared.array(_microseconds(each.not_after) for each in due),
            },
        )
        return cursor.fetchall()


def _microseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def _reasons(channel: str, recipients: list[tuple], spare: Spare | None) -> list[str]:
    """For each recipient why the message is born aborted, '' where it is not."""
    reasons = []
    for recipient in recipients:
        _, address, validity, opted_out, _, deceased, tagged = recipient[_POINT:]
        reasons.append(
            unreachable(channel, address, validity or "unknown", opted_out=opted_out, deceased=deceased, tagged=tagged)
        )
    if spare is None:
        return reasons
    both = list(zip(recipients, reasons, strict=True))
    spared = spare([Addressed(row[0], row[1], row[_POINT], row[2]) for row, reason in both if not reason])
    return [reason or (Message.Reason.SAME_HOUSEHOLD if row[0] in spared else "") for row, reason in both]


def _rows(
    content: Content, identity: SendingIdentity, practice: Practice, recipients: list[tuple], reasons: list[str]
) -> Iterable[tuple]:
    zone, moment, shared = ZoneInfo(practice.settings.time_zone), now(), practice_values(practice)
    is_text, toll_free = content.channel == Channel.TEXT, is_toll_free(identity.address)
    names = _fields_used(content)
    with_dates = any("Visit" in name for name in names)
    noise = os.urandom(TOKEN_BYTES * len(recipients))
    body, segments, with_line = "", 1, False
    for place, recipient in enumerate(recipients):
        enrollment_id, patient_id, due_at, not_after, first, last, preferred, next_visit, last_visit = recipient[:9]
        point_id, address, _, _, introduced, _, _ = recipient[_POINT:]
        values = shared | values_of(first, last, preferred, next_visit, last_visit, zone, moment, with_dates=with_dates)
        if is_text:
            with_line = not introduced
            body = text(content.body, values, with_opt_out_line=with_line)
            segments = max(1, count(body, toll_free).segments)
        yield (
            enrollment_id,
            patient_id,
            point_id,
            address,
            body,
            _json({name: values[name] for name in names}).decode(),
            urlsafe_b64encode(noise[place * TOKEN_BYTES : (place + 1) * TOKEN_BYTES]).decode(),
            segments,
            with_line,
            reasons[place],
            due_at,
            not_after,
        )


def _fields_used(content: Content) -> list[str]:
    """What a row must keep to be understood later; an email is rebuilt from it, with the foot it was sent with."""
    names = parse(content.body).names
    if content.channel == Channel.EMAIL:
        names = list(dict.fromkeys([*parse(content.subject).names, *names, "PracticeName", "PracticeAddress"]))
    return names


_POINT, _ADDRESS = 9, 10
_COLUMN = {Channel.TEXT: "cell", Channel.EMAIL: "email"}

_RECIPIENTS = {
    channel: f"""
SELECT d.enrollment_id, d.patient_id, timestamptz 'epoch' + d.due_at * interval '1 microsecond',
       timestamptz 'epoch' + d.not_after * interval '1 microsecond',
       p.first_name, p.last_name, p.preferred_name, p.next_visit_at, p.last_visit_on,
       c.id, p.{column}, c.validity,
       coalesce(c.all_opted_out_at IS NOT NULL OR CASE WHEN %(announcement)s
           THEN c.announcement_opted_out_at ELSE c.appointment_opted_out_at END IS NOT NULL, false),
       c.introduced_at IS NOT NULL,
       p.inactive_reason = '{Patient.InactiveReason.DECEASED}',
       %(announcement)s AND EXISTS (
           SELECT FROM audience_patienttag pt JOIN audience_tag t ON t.practice_id = pt.practice_id AND t.id = pt.tag_id
            WHERE pt.practice_id = %(practice)s AND pt.patient_id = p.id AND t.always_excluded)
  FROM unnest(%(enrollments)s::bigint[], %(patients)s::bigint[], %(dues)s::bigint[], %(ends)s::bigint[])
       WITH ORDINALITY AS d (enrollment_id, patient_id, due_at, not_after, place)
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
 WHERE practice_id = %s AND id = ANY(%s) AND {column} <> ''
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
    due_at, not_after, next_at, tries, done_at)
SELECT %(practice)s, %(channel)s, %(category)s, patient_id, contact_point_id, %(identity)s, %(content)s, %(campaign)s,
       %(step)s, enrollment_id, %(repeat)s, to_address, body, merge_values::jsonb, token, segments, has_opt_out_line,
       CASE reason WHEN '' THEN '{Message.State.PENDING}' ELSE '{Message.State.ABORTED}' END, reason, '',
       due_at, not_after, due_at, 0, CASE reason WHEN '' THEN NULL ELSE trackstat.now() END
  FROM pg_temp.materialising
    ON CONFLICT DO NOTHING
"""
