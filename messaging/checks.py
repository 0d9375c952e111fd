"""What is looked at once more just before a message is handed over. Campaigns adds its own from its AppConfig.

Locks come first, decisions after: a decision read before a lock was granted may be older than the opt-out that held it.
The order is the product's: contact points, patients, campaigns, each by id.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection

from audience.models import Category, Channel, ContactPoint, Patient
from audience.numbers import may_be_texted
from messaging.models import Message
from messaging.quiet_hours import Hours, opening, zones_for
from trackstat.tenancy.models import PracticeSettings
from trackstat.tenancy.scope import current_practice_id

Reason = Message.Reason


@dataclass(slots=True)
class Candidate:
    """A message about to be handed over, with what is true of its patient and address now (after the locks)."""

    message_id: int
    channel: str
    category: str
    patient_id: int
    contact_point_id: int
    identity_id: int
    content_id: int
    campaign_id: int | None
    step_id: int | None
    enrollment_id: int | None
    to_address: str
    body: str
    merge_values: dict[str, str]
    token: str
    due_at: dt.datetime
    not_after: dt.datetime
    segments: int
    # Read by `look` after the locks:
    opted_out: bool = False
    validity: str = ""
    address_now: str = ""
    time_zone: str = ""
    is_deceased: bool = False
    not_qualified: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Never: the message is aborted with this Message.Reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: it is looked at again then. Past its `not_after` it expires instead."""

    until: dt.datetime


type Verdict = Stop | Wait
type Check = Callable[[list[Candidate], dt.datetime], dict[int, Verdict]]
type Lock = Callable[[list[Candidate]], None]

_checks: list[Check] = []
_locks: list[Lock] = []


def check(function: Check) -> Check:
    """Register a check: message id → why it must stop or wait. Ids left out may go."""
    _checks.append(function)
    return function


def lock(function: Lock) -> Lock:
    """Register a lock on rows that the app's checks read, taken after contact points and patients, by id, FOR SHARE."""
    _locks.append(function)
    return function


def take_locks(candidates: list[Candidate]) -> None:
    """Until the end of the transaction, nobody opts these patients out, re-tags them or changes their address."""
    for table, ids in (
        ("audience_contactpoint", {candidate.contact_point_id for candidate in candidates}),
        ("audience_patient", {candidate.patient_id for candidate in candidates}),
    ):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id FROM {table} WHERE practice_id = %s AND id = ANY(%s) ORDER BY id FOR SHARE",
                [current_practice_id(), list(ids)],
            )
    for function in _locks:
        function(candidates)


def verdicts(candidates: list[Candidate], now: dt.datetime) -> dict[int, Verdict]:
    """Message id → Stop (the first reason found) or Wait (the longest). Call after `take_locks`, in its transaction."""
    _look(candidates)
    found: dict[int, Verdict] = {}
    for function in _checks:
        for message_id, verdict in function(candidates, now).items():
            before = found.get(message_id)
            if before is None or (
                isinstance(before, Wait) and (isinstance(verdict, Stop) or verdict.until > before.until)
            ):
                found[message_id] = verdict
    ends = {candidate.message_id: candidate.not_after for candidate in candidates}
    return {
        message_id: Stop(Reason.EXPIRED) if isinstance(verdict, Wait) and verdict.until >= ends[message_id] else verdict
        for message_id, verdict in found.items()
    }


def _look(candidates: list[Candidate]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NOW, [current_practice_id(), [candidate.message_id for candidate in candidates]])
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    for candidate in candidates:
        (
            candidate.opted_out,
            candidate.validity,
            candidate.address_now,
            candidate.time_zone,
            candidate.is_deceased,
            candidate.not_qualified,
        ) = rows[candidate.message_id]


_NOW = f"""
SELECT m.id,
       c.all_opted_out_at IS NOT NULL OR CASE m.category WHEN '{Category.ANNOUNCEMENT}'
           THEN c.announcement_opted_out_at ELSE c.appointment_opted_out_at END IS NOT NULL,
       c.validity, CASE m.channel WHEN '{Channel.TEXT}' THEN p.cell ELSE p.email END, p.time_zone,
       p.inactive_reason = '{Patient.InactiveReason.DECEASED}',
       m.category = '{Category.ANNOUNCEMENT}' AND EXISTS (
           SELECT FROM audience_patienttag pt JOIN audience_tag t ON t.practice_id = pt.practice_id AND t.id = pt.tag_id
            WHERE pt.practice_id = m.practice_id AND pt.patient_id = m.patient_id AND t.always_excluded)
  FROM messaging_message m
  JOIN audience_patient p ON p.practice_id = m.practice_id AND p.id = m.patient_id
  JOIN audience_contactpoint c ON c.practice_id = m.practice_id AND c.id = m.contact_point_id
 WHERE m.practice_id = %s AND m.id = ANY(%s)
"""


def unreachable(channel: str, address: str, validity: str, *, opted_out: bool, deceased: bool, tagged: bool) -> str:
    """Why nothing of this category may go to this patient there, as a Message.Reason; '' when it may."""
    if not address:
        return Reason.NO_ADDRESS
    if opted_out:
        return Reason.OPTED_OUT
    if deceased:
        return Reason.INACTIVE
    if tagged:
        return Reason.NOT_QUALIFIED
    if validity == ContactPoint.Validity.LANDLINE:
        return Reason.LANDLINE
    if validity not in {ContactPoint.Validity.UNKNOWN, ContactPoint.Validity.OK}:
        return Reason.UNUSABLE
    if channel == Channel.TEXT and not may_be_texted(address):
        return Reason.UNUSABLE
    return ""


@check
def in_time(candidates: list[Candidate], now: dt.datetime) -> dict[int, Verdict]:
    return {c.message_id: Stop(Reason.EXPIRED) for c in candidates if c.not_after <= now}


@check
def reachable(candidates: list[Candidate], now: dt.datetime) -> dict[int, Verdict]:
    """Opted out, deceased, tagged, or at an address that is no longer theirs or does not work."""
    found: dict[int, Verdict] = {}
    for c in candidates:
        reason = unreachable(
            c.channel,
            c.address_now,
            c.validity,
            opted_out=c.opted_out,
            deceased=c.is_deceased,
            tagged=c.not_qualified,
        )
        if not reason and c.address_now != c.to_address:
            reason = Reason.ADDRESS_CHANGED
        if reason:
            found[c.message_id] = Stop(reason)
    return found


@check
def practice_may(candidates: list[Candidate], now: dt.datetime) -> dict[int, Verdict]:
    """No email without the sender's postal address (CAN-SPAM, 15 U.S.C. 7704(a)(5)), neither in Settings nor in its own
    words; no announcement without the practice's word that patients agreed to them."""
    settings = PracticeSettings.objects.get()
    found: dict[int, Verdict] = {}
    for c in candidates:
        if c.channel == Channel.EMAIL and not (settings.postal_address and c.merge_values.get("PracticeAddress")):
            found[c.message_id] = Stop(Reason.NO_POSTAL_ADDRESS)
        elif c.category == Category.ANNOUNCEMENT and settings.attested_at is None:
            found[c.message_id] = Stop(Reason.NOT_ATTESTED)
    return found


@check
def quiet_hours(candidates: list[Candidate], now: dt.datetime) -> dict[int, Verdict]:
    """Texts are held until the patient's hours open; email waits in a mailbox anyway."""
    texts = [c for c in candidates if c.channel == Channel.TEXT]
    if not texts:
        return {}
    settings = PracticeSettings.objects.get()
    hours, found = Hours.of(settings), dict[int, Verdict]()
    for c in texts:
        opens = opening(now, zones_for(c.time_zone, c.to_address, settings.time_zone), hours)
        if opens is None:
            found[c.message_id] = Stop(Reason.EXPIRED)
        elif opens > now:
            found[c.message_id] = Wait(opens)
    return found
