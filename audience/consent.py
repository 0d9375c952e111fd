"""Who may be written to: the only writer of a contact point's opt-outs and validity, and of the consent ledger.

Every change is one transaction of the caller's: lock the contact point, change it, tell the patients behind it, add to
the ledger. Sending takes the same lock shared before it decides, so nothing leaves after an opt-out has committed.
The locks are taken in the order everyone keeps: contact points by id, then patients by id.
"""

from collections.abc import Iterable
from typing import Any

from django.db import connection

from audience.models import ConsentEvent, ContactPoint
from trackstat.clock import now
from trackstat.tenancy.models import User
from trackstat.tenancy.scope import current_practice_id

Purpose, Source, Validity = ConsentEvent.Purpose, ConsentEvent.Source, ContactPoint.Validity

# What a patient did themselves, or what the carrier says they did: staff cannot take it back.
BY_PATIENT = {Source.REPLY, Source.UNSUBSCRIBE, Source.COMPLAINT, Source.CARRIER}
OPTED_OUT_AT = {
    Purpose.EVERYTHING: "all_opted_out_at",
    Purpose.ANNOUNCEMENT: "announcement_opted_out_at",
    Purpose.APPOINTMENT: "appointment_opted_out_at",
}


class OnlyThePatient(Exception):
    """The patient opted out themselves; only they can come back, by texting START or asking for our emails again."""


def opt_out(
    channel: str, address: str, purpose: str, source: str, wording: str = "", by: User | None = None
) -> ContactPoint:
    """Nothing more of `purpose` ("all", "announcement", "appointment") to this number or mailbox, from now on.

    Holds for everyone of the practice who shares the address. Again is harmless: the first date stays, and the ledger
    gets a row only for what it does not say yet. `wording`: the patient's words, or the note of the staff member.
    """
    point = _locked(channel, address)
    column = OPTED_OUT_AT[Purpose(purpose)]
    changes: dict = {} if getattr(point, column) else {column: now()}
    if source in BY_PATIENT and not point.opted_out_by_patient:
        changes["opted_out_by_patient"] = True
    _change(point, changes)
    if changes or not _already_said(point, purpose, source, wording):
        _write(point, purpose, source, wording, by, given=False)
    return point


def opt_in(
    channel: str, address: str, purpose: str, source: str, wording: str = "", by: User | None = None
) -> ContactPoint:
    """Takes an opt-out back. "all" takes back every one there is. Raises OnlyThePatient where it was the patient's own.

    Says nothing about whether the address works: a number out of service stays unusable.
    """
    point = _locked(channel, address)
    if point.opted_out_by_patient and source not in BY_PATIENT:
        raise OnlyThePatient(f"contact point {point.pk}")
    taken_back = OPTED_OUT_AT.values() if purpose == Purpose.EVERYTHING else [OPTED_OUT_AT[Purpose(purpose)]]
    changes: dict = {column: None for column in taken_back if getattr(point, column)}
    if changes:
        left = [column for column in OPTED_OUT_AT.values() if column not in changes and getattr(point, column)]
        changes["opted_out_by_patient"] = point.opted_out_by_patient and bool(left)
        _change(point, changes)
        _write(point, purpose, source, wording, by, given=True)
    return point


def mark_unusable(contact_point: ContactPoint, validity: str, reason: str) -> ContactPoint:
    """A landline, out of service, bounced: nobody is written to there until the EHR has another address."""
    point = _locked(contact_point.channel, contact_point.address)
    if point.validity != Validity.SUPPRESSED and point.validity != validity:
        _change(point, {"validity": validity, "validity_reason": reason[:200]})
    return point


def mark_reached(contact_point: ContactPoint) -> ContactPoint:
    """Something arrived there, whatever was said before. What bounced or complained stays suppressed."""
    point = _locked(contact_point.channel, contact_point.address)
    if point.validity not in {Validity.OK, Validity.SUPPRESSED}:
        _change(point, {"validity": Validity.OK, "validity_reason": ""})
    return point


def reachable(alias: str) -> str:
    """SQL: whether a row of audience_contactpoint works and has not opted out of everything."""
    return f"({alias}.validity IN ('unknown', 'ok') AND {alias}.all_opted_out_at IS NULL)"


def refresh_contactability(contact_point_ids: Iterable[int]) -> None:
    """Tells the patients behind these addresses whether they can be texted or emailed.

    One statement for each channel, and each writes its own column only: opting out of texts and of email at the same
    moment must not undo each other. The caller holds the contact points' locks.
    """
    ids = list(contact_point_ids)
    for channel in _FLAGS:
        _refresh(channel, ids)


_FLAGS = {"text": ("cell", "can_text"), "email": ("email", "can_email")}
# Two statements: what is waited for while locking may be changed meanwhile. One alone would go on to update the rows as
# it saw them first, which whoever waits for us has taken a place in the queue for.
_LOCK = """
    SELECT FROM audience_contactpoint c
    JOIN audience_patient p ON p.practice_id = c.practice_id AND p.{column} = c.address AND p.{column} <> ''
    WHERE c.practice_id = %(practice)s AND c.id = ANY(%(points)s) AND c.channel = %(channel)s
    ORDER BY p.id FOR NO KEY UPDATE OF p"""
_REACH = """
    UPDATE audience_patient p SET {flag} = {reachable} FROM audience_contactpoint c
    WHERE c.practice_id = %(practice)s AND c.id = ANY(%(points)s) AND c.channel = %(channel)s
      AND p.practice_id = c.practice_id AND p.{column} = c.address AND p.{column} <> '' AND p.{flag} <> {reachable}"""


def _refresh(channel: str, ids: list[int]) -> None:
    column, flag = _FLAGS[channel]
    values: dict[str, Any] = {"practice": current_practice_id(), "channel": channel, "points": ids}
    with connection.cursor() as cursor:
        for statement in (_LOCK, _REACH):
            cursor.execute(statement.format(column=column, flag=flag, reachable=reachable("c")), values)


def _locked(channel: str, address: str) -> ContactPoint:
    """The contact point, made if absent. NO KEY: rows that only point to it can still be inserted meanwhile."""
    address = address.lower()
    for _ in range(2):
        points = ContactPoint.objects.select_for_update(no_key=True)
        if point := points.filter(channel=channel, address=address).first():
            return point
        ContactPoint.objects.bulk_create([ContactPoint(channel=channel, address=address)], ignore_conflicts=True)
    return ContactPoint.objects.select_for_update(no_key=True).get(channel=channel, address=address)


def _change(point: ContactPoint, changes: dict) -> None:
    if not changes:
        return
    reachable = point.is_usable and point.all_opted_out_at is None
    for name, value in changes.items():
        setattr(point, name, value)
    point.save(update_fields=list(changes))
    if reachable != (point.is_usable and point.all_opted_out_at is None):
        _refresh(point.channel, [point.pk])


def _already_said(point: ContactPoint, purpose: str, source: str, wording: str) -> bool:
    last = point.consent_events.filter(purpose=purpose).order_by("-at", "-pk").first()
    return last is not None and (last.given, last.source, last.wording) == (False, source, wording[:500])


def _write(point: ContactPoint, purpose: str, source: str, wording: str, by: User | None, *, given: bool) -> None:
    ConsentEvent.objects.create(
        contact_point=point, purpose=purpose, given=given, source=source, wording=wording[:500], by=by
    )
