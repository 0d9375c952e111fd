"""Most reports only say that a message is on its way or has arrived. They are applied many at once, in few statements.

Whatever says more (errors, opt-outs, opened, a number that did not work before) is left to `messaging.receipts`, which
looks at one report after the other. Both move the same rows the same way and lock them in the same order.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import DataError, IntegrityError, transaction

from audience.models import Channel, ContactPoint
from messaging.heard import Heard, hear
from messaging.models import Message, ProviderEvent
from trackstat import prepared
from trackstat.tenancy.scope import current_practice_id

State, Validity = Message.State, ContactPoint.Validity

AT_ONCE = 1000
_RANK = {State.SENT: 0, State.DELIVERED: 1}

_decode = msgspec.json.Decoder(dict).decode
_encode = msgspec.json.Encoder().encode


class Report(NamedTuple):
    """A stored event, as far as it is needed here."""

    id: int
    identity_id: int
    kind: str
    attempt_key: UUID | None
    payload: dict[str, Any]


class _Handed(NamedTuple):
    """The hand-over that a report is about, and its address after it was locked."""

    event_id: int
    attempt_id: int
    message_id: int
    point_id: int
    has_line: bool


def apply_waiting(limit: int = AT_ONCE) -> int:
    """The oldest reports nobody has looked at, in the practice in scope with nothing else in the transaction.

    How many could be applied here. The others are left to be looked at one by one.
    """
    rows = prepared.run(_WAITING, {"practice": current_practice_id(), "limit": limit})
    try:
        with transaction.atomic():
            done = apply_together(Report(row[0], row[1], row[2], row[3], _decode(row[4])) for row in rows)
    except (DataError, IntegrityError):
        # One of them spoils it for all; each alone finds out which.
        done = set()
    if others := {row[0] for row in rows} - done:
        prepared.run(_ONE_BY_ONE, {"practice": current_practice_id(), "ids": prepared.array(others)})
    return len(done)


def apply_together(reports: Iterable[Report]) -> set[int]:
    """Ids of the events that could be applied here. The events are locked by the caller, or nobody knows them yet."""
    plain = {report.id: heard for report in reports if (heard := _plain(report)) is not None}
    if not plain:
        return set()
    handed = _find(plain)
    points = _lock_points({each.point_id for each in handed})
    handed = [each for each in handed if _is_simple(plain[each.event_id][1], points.get(each.point_id))]
    done = _move(handed, plain)
    _touch_points([each for each in handed if each.event_id in done], plain, points)
    if done:
        prepared.run(_APPLIED, {"practice": current_practice_id(), "ids": prepared.array(done)})
    return done


def _plain(report: Report) -> tuple[Report, Heard] | None:
    if report.kind == ProviderEvent.Kind.INBOUND or report.attempt_key is None:
        return None
    try:
        heard = hear(report.kind, report.payload)
    except (KeyError, TypeError, AttributeError):
        return None
    return (report, heard) if heard.state in _RANK and not heard.code and not heard.happened else None


def _find(plain: dict[int, tuple[Report, Heard]]) -> list[_Handed]:
    """The hand-overs of these reports; a report that names another sender or another address is none of ours."""
    keys = prepared.array({report.attempt_key for report, _ in plain.values()})
    found = {row[0]: row[1:] for row in prepared.run(_FIND, {"practice": current_practice_id(), "keys": keys})}
    handed = []
    for report, heard in plain.values():
        if row := found.get(report.attempt_key):
            identity_id, to_address, *known = row
            if identity_id == report.identity_id and heard.recipient.lower() in {"", to_address}:
                handed.append(_Handed(report.id, *known))
    return handed


def _lock_points(ids: set[int]) -> dict[int, tuple[str, str, bool]]:
    """Contact point → channel, validity, whether it has not had the opt-out line yet."""
    rows = prepared.run(_POINTS, {"practice": current_practice_id(), "ids": prepared.array(ids)})
    return {row[0]: row[1:] for row in rows}


def _is_simple(heard: Heard, point: tuple[str, str, bool] | None) -> bool:
    """A number that works again after all changes who can be reached: that is looked at alone."""
    works = {Validity.UNKNOWN, Validity.OK, Validity.SUPPRESSED}
    return point is not None and (heard.state == State.SENT or point[1] in works)


def _move(handed: list[_Handed], plain: dict[int, tuple[Report, Heard]]) -> set[int]:
    """Each attempt once, with the furthest its reports say. Ids of the events whose attempt could be moved."""
    furthest: dict[int, dict[str, Any]] = {}
    for each in handed:
        heard = plain[each.event_id][1]
        known = furthest.get(each.attempt_id)
        if known is None:
            furthest[each.attempt_id] = {
                "attempt_id": each.attempt_id,
                "message_id": each.message_id,
                "provider_id": heard.provider_id,
                "state": str(heard.state),
            }
        elif known["provider_id"] == heard.provider_id and _RANK[State(known["state"])] < _RANK[State(heard.state)]:
            known["state"] = str(heard.state)
    if not furthest:
        return set()
    values = {
        "practice": current_practice_id(),
        "told": _encode(list(furthest.values())).decode(),
        "attempts": prepared.array(furthest),
        "to_sent": prepared.array(_from(State.SENT)),
        "to_delivered": prepared.array(_from(State.DELIVERED)),
    }
    moved = {attempt_id for (attempt_id,) in prepared.run(_MOVE, values)}
    return {
        each.event_id
        for each in handed
        if each.attempt_id in moved and plain[each.event_id][1].provider_id == furthest[each.attempt_id]["provider_id"]
    }


def _from(to: str) -> list[str]:
    return [state for state, following in Message.MOVES.items() if to in following]


def _touch_points(
    handed: list[_Handed], plain: dict[int, tuple[Report, Heard]], points: dict[int, tuple[str, str, bool]]
) -> None:
    """What arrived proves its address; what was accepted has brought the opt-out line along."""
    reached = {
        each.point_id
        for each in handed
        if plain[each.event_id][1].state == State.DELIVERED and points[each.point_id][1] == Validity.UNKNOWN
    }
    introduced = {each.point_id for each in handed if each.has_line and points[each.point_id][2]}
    if reached or introduced:
        values = {"reached": prepared.array(reached), "introduced": prepared.array(introduced)}
        prepared.run(_TOUCH, {"practice": current_practice_id(), **values})


_WAITING = """
SELECT id, identity_id, kind, attempt_key, payload FROM messaging_providerevent
 WHERE practice_id = %(practice)s AND applied_at IS NULL AND retry_at IS NULL AND kind <> 'inbound'
 ORDER BY received_at, id LIMIT %(limit)s::bigint FOR UPDATE SKIP LOCKED
"""
_FIND = f"""
SELECT a.key, m.identity_id, lower(m.to_address), a.id, a.message_id, m.contact_point_id,
       m.has_opt_out_line AND m.channel = '{Channel.TEXT}'
  FROM messaging_attempt a
  JOIN messaging_message m ON m.practice_id = %(practice)s AND m.id = a.message_id
 WHERE a.practice_id = %(practice)s AND a.key = ANY(%(keys)s::uuid[])
"""
_POINTS = """
SELECT id, channel, validity, introduced_at IS NULL FROM audience_contactpoint
 WHERE practice_id = %(practice)s AND id = ANY(%(ids)s::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""
# Attempts by id, then their messages. A report that names another message of the provider than we know is not ours.
_MOVE = """
WITH moment AS MATERIALIZED (SELECT trackstat.now() AS at), told AS MATERIALIZED (
    SELECT a.id, a.outcome, a.provider_id AS known, told.*
      FROM jsonb_to_recordset(%(told)s::jsonb)
           AS told (attempt_id bigint, message_id bigint, provider_id text, state text)
      JOIN messaging_attempt a ON a.practice_id = %(practice)s AND a.id = told.attempt_id
     WHERE a.id = ANY(%(attempts)s::bigint[])
       AND (a.provider_id IS NULL OR told.provider_id = '' OR a.provider_id = told.provider_id)
     ORDER BY a.id FOR UPDATE OF a
), accepted AS (
    UPDATE messaging_attempt a
       SET outcome = 'accepted', error_code = '', finished_at = coalesce(a.finished_at, (SELECT at FROM moment)),
           provider_id = coalesce(a.provider_id, nullif(told.provider_id, ''))
      FROM told
     WHERE a.practice_id = %(practice)s AND a.id = told.id AND (told.outcome <> 'accepted' OR told.known IS NULL)
), moved AS (
    UPDATE messaging_message m
       SET state = told.state, error_code = '', lease_token = NULL, lease_until = NULL,
           sent_at = coalesce(m.sent_at, (SELECT at FROM moment)),
           done_at = CASE told.state WHEN 'delivered' THEN (SELECT at FROM moment) ELSE m.done_at END
      FROM told
     WHERE m.practice_id = %(practice)s AND m.id = told.message_id
       AND m.state = ANY(CASE told.state WHEN 'delivered' THEN %(to_delivered)s ELSE %(to_sent)s END::text[])
)
SELECT attempt_id FROM told
"""
_TOUCH = """
UPDATE audience_contactpoint p
   SET validity = CASE WHEN p.id = ANY(%(reached)s::bigint[]) THEN 'ok' ELSE p.validity END,
       validity_reason = CASE WHEN p.id = ANY(%(reached)s::bigint[]) THEN '' ELSE p.validity_reason END,
       introduced_at = CASE WHEN p.id = ANY(%(introduced)s::bigint[]) THEN trackstat.now() ELSE p.introduced_at END
 WHERE p.practice_id = %(practice)s AND (p.id = ANY(%(reached)s::bigint[]) OR p.id = ANY(%(introduced)s::bigint[]))
"""
_ONE_BY_ONE = """
UPDATE messaging_providerevent SET retry_at = trackstat.now()
 WHERE practice_id = %(practice)s AND id = ANY(%(ids)s::bigint[])
"""
_APPLIED = """
UPDATE messaging_providerevent SET applied_at = trackstat.now(), problem = ''
 WHERE practice_id = %(practice)s AND id = ANY(%(ids)s::bigint[])
"""
