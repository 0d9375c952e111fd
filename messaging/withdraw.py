"""A patient (or staff for them) wants nothing more: the opt-out, and what was already waiting for that address."""

from dataclasses import dataclass

from django.db import connection

from audience import consent
from audience.models import ConsentEvent, ContactPoint
from trackstat.tenancy.models import User
from trackstat.tenancy.scope import current_practice_id


@dataclass(frozen=True, slots=True)
class Withdrawn:
    contact_point: ContactPoint
    # Messages that were waiting and will not be sent.
    dropped: int


def withdraw(
    channel: str, address: str, purpose: str, source: str, wording: str = "", by: User | None = None
) -> Withdrawn:
    """Opts the address out and drops what waits for it, in the transaction and practice of the caller.

    What a worker has taken already is stopped when it is armed: that needs the lock the opt-out holds.
    """
    point = consent.opt_out(channel, address, purpose, source, wording, by)
    categories = None if purpose == ConsentEvent.Purpose.EVERYTHING else [purpose]
    with connection.cursor() as cursor:
        cursor.execute(_DROP, {"practice": current_practice_id(), "point": point.pk, "categories": categories})
        return Withdrawn(point, cursor.rowcount)


_DROP = """
WITH waiting AS MATERIALIZED (
    SELECT id FROM messaging_message
     WHERE practice_id = %(practice)s AND contact_point_id = %(point)s AND state = 'pending'
       AND (%(categories)s::text[] IS NULL OR category = ANY(%(categories)s::text[]))
     ORDER BY id FOR UPDATE
)
UPDATE messaging_message m SET state = 'aborted', reason = 'opted_out', done_at = trackstat.now()
  FROM waiting WHERE m.practice_id = %(practice)s AND m.id = waiting.id
"""
