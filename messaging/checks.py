"""What is looked at once more just before a message is handed over. Campaigns adds its own from its AppConfig.

Locks come first, decisions after: a decision read before a lock was granted may be older than the opt-out that held it.
The order is the product's: contact points, patients, campaigns, each by id.
"""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass

from audience.models import Category, Channel, ContactPoint, Patient
from audience.numbers import may_be_texted
from messaging.models import Message
from messaging.quiet_hours import Hours, opening, zones_for
from trackstat import prepared
from trackstat.tenancy.models import PracticeSettings
from trackstat.tenancy.scope import current_practice_id

Reason = Message.Reason


@dataclass(frozen=True, slots=True)
class Situation:
    """What is the same for all that are looked at together: the moment, UTC, and the practice's settings by then."""

    now: dt.datetime
    practice: PracticeSettings


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
    # JSON as it stands in the row: only an email is rebuilt from it.
    merge_values: str
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
    introduces: bool = False

    @property
    def values(self) -> dict[str, str]:
        return json.loads(self.merge_values)


@dataclass(frozen=True, slots=True)
class Stop:
    """Never: the message is aborted with this Message.Reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: it is looked at again then. Past its `not_after` it expires instead."""

    until: dt.datetime


type Verdict = Stop | Wait
type Check = Callable[[list[Candidate], Situation], dict[int, Verdict]]
type Row = Callable[[Candidate], int | None]

_checks: list[Check] = []
# Tables in the order in which everybody locks them, and which of their rows a candidate stands on.
_locks: list[tuple[str, Row]] = [
    ("audience_contactpoint", lambda candidate: candidate.contact_point_id),
    ("audience_patient", lambda candidate: candidate.patient_id),
]


def check(function: Check) -> Check:
    """Register a check: message id → why it must stop or wait. Ids left out may go."""
    _checks.append(function)
    return function


def lock(table: str, row: Row) -> None:
    """Register a table whose rows the app's checks read: locked after contact points and patients, by id, FOR SHARE."""
    _locks.append((table, row))


def take_locks(candidates: list[Candidate]) -> None:
    """Until the end of the transaction, nobody opts these patients out, re-tags them or changes their address.

    One statement: each part counts what the part before has locked, so it cannot begin before that is done.
    """
    parts, values = [], []
    for number, (table, row) in enumerate(_locks):
        after = f"AND (SELECT count(*) FROM locked_{number - 1}) >= 0" if number else ""
        parts.append(
            f"locked_{number} AS MATERIALIZED (SELECT id FROM {table}"
            f" WHERE practice_id = %s AND id = ANY(%s::bigint[]) {after} ORDER BY id FOR SHARE)"
        )
        ids = {found for each in candidates if (found := row(each)) is not None}
        values += [current_practice_id(), prepared.array(ids)]
    prepared.run(f"WITH {', '.join(parts)} SELECT count(*) FROM locked_{len(parts) - 1}", values)


def verdicts(candidates: list[Candidate], situation: Situation) -> dict[int, Verdict]:
    """Message id → Stop (the first reason found) or Wait (the longest). Call after `take_locks`, in its transaction."""
    _look(candidates)
    found: dict[int, Verdict] = {}
    for function in _checks:
        for message_id, verdict in function(candidates, situation).items():
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
    ids = prepared.array(candidate.message_id for candidate in candidates)
    found = prepared.run(_NOW, [current_practice_id(), ids])
    rows = {row[0]: row[1:] for row in found}
    for candidate in candidates:
        (
            candidate.opted_out,
            candidate.validity,
            candidate.address_now,
            candidate.time_zone,
            candidate.is_deceased,
            candidate.not_qualified,
            candidate.introduces,
        ) = rows[candidate.message_id]


_NOW = f"""
SELECT m.id,
       c.all_opted_out_at IS NOT NULL OR CASE m.category WHEN '{Category.ANNOUNCEMENT}'
           THEN c.announcement_opted_out_at ELSE c.appointment_opted_out_at END IS NOT NULL,
       c.validity, CASE m.channel WHEN '{Channel.TEXT}' THEN p.cell ELSE p.email END, p.time_zone,
       p.inactive_reason = '{Patient.InactiveReason.DECEASED}',
       m.category = '{Category.ANNOUNCEMENT}' AND EXISTS (
           SELECT FROM audience_patienttag pt JOIN audience_tag t ON t.practice_id = pt.practice_id AND t.id = pt.tag_id
            WHERE pt.practice_id = m.practice_id AND pt.patient_id = m.patient_id AND t.always_excluded),
       m.has_opt_out_line AND c.introduced_at IS NULL
  FROM messaging_message m
  JOIN audience_patient p ON p.practice_id = m.practice_id AND p.id = m.patient_id
  JOIN audience_contactpoint c ON c.practice_id = m.practice_id AND c.id = m.contact_point_id
 WHERE m.practice_id = %s AND m.id = ANY(%s::bigint[])
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
def in_time(candidates: list[Candidate], situation: Situation) -> dict[int, Verdict]:
    return {c.message_id: Stop(Reason.EXPIRED) for c in candidates if c.not_after <= situation.now}


@check
def reachable(candidates: list[Candidate], situation: Situation) -> dict[int, Verdict]:
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
def practice_may(candidates: list[Candidate], situation: Situation) -> dict[int, Verdict]:
    """No email without the sender's postal address (CAN-SPAM, 15 U.S.C. 7704(a)(5)), neither in Settings nor in its own
    words; no announcement without the practice's word that patients agreed to them."""
    practice, found = situation.practice, dict[int, Verdict]()
    for c in candidates:
        if c.channel == Channel.EMAIL and not (practice.postal_address and c.values.get("PracticeAddress")):
            found[c.message_id] = Stop(Reason.NO_POSTAL_ADDRESS)
        elif c.category == Category.ANNOUNCEMENT and practice.attested_at is None:
            found[c.message_id] = Stop(Reason.NOT_ATTESTED)
    return found


@check
def quiet_hours(candidates: list[Candidate], situation: Situation) -> dict[int, Verdict]:
    """Texts are held until the patient's hours open; email waits in a mailbox anyway."""
    hours, now, found = Hours.of(situation.practice), situation.now, dict[int, Verdict]()
    # Most patients of a practice live in one zone.
    opens_in: dict[tuple[str, ...], dt.datetime | None] = {}
    for c in candidates:
        if c.channel != Channel.TEXT:
            continue
        zones = zones_for(c.time_zone, c.to_address, situation.practice.time_zone)
        if zones not in opens_in:
            opens_in[zones] = opening(now, zones, hours)
        opens = opens_in[zones]
        if opens is None:
            found[c.message_id] = Stop(Reason.EXPIRED)
        elif opens > now:
            found[c.message_id] = Wait(opens)
    return found
