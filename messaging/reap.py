"""Leases that ran out. A claimed message goes back; one that was being handed over is uncertain from then on.

Never `sending` → `pending`: nobody knows whether the provider has it; sending it again could reach the patient twice.
"""

from django.conf import settings
from django.db import connection

from trackstat.tenancy.scope import current_practice_id

_BACK = """
WITH expired AS MATERIALIZED (
    SELECT id FROM messaging_message
     WHERE practice_id = %(practice)s AND state = 'claimed' AND lease_until < trackstat.now()
     ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE messaging_message m SET state = 'pending', lease_token = NULL, lease_until = NULL
  FROM expired WHERE m.practice_id = %(practice)s AND m.id = expired.id
"""
# Attempts are locked before messages, as everywhere; one that is being recorded at this moment is passed over.
_UNKNOWN = """
WITH open AS MATERIALIZED (
    SELECT a.id, a.message_id FROM messaging_attempt a
      JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
     WHERE a.practice_id = %(practice)s AND a.outcome = '' AND m.state = 'sending' AND m.lease_until < trackstat.now()
     ORDER BY a.id FOR UPDATE OF a SKIP LOCKED
), finished AS (
    UPDATE messaging_attempt a SET outcome = 'unknown', finished_at = trackstat.now()
      FROM open WHERE a.practice_id = %(practice)s AND a.id = open.id
)
UPDATE messaging_message m SET state = 'unknown', lease_token = NULL, lease_until = NULL
  FROM open
 WHERE m.practice_id = %(practice)s AND m.id = open.message_id AND m.state = 'sending'
   AND m.lease_until < trackstat.now()
"""
# A late report on an earlier hand-over has moved the message on while this one was under way, and nobody is left to say
# what came of it.
_LEFT_OPEN = """
WITH open AS MATERIALIZED (
    SELECT a.id FROM messaging_attempt a
      JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
     WHERE a.practice_id = %(practice)s AND a.outcome = '' AND m.state <> 'sending'
       AND a.started_at < trackstat.now() - make_interval(secs => %(lease)s)
     ORDER BY a.id FOR UPDATE OF a SKIP LOCKED
)
UPDATE messaging_attempt a SET outcome = 'unknown', finished_at = trackstat.now()
  FROM open WHERE a.practice_id = %(practice)s AND a.id = open.id
"""


def reap() -> tuple[int, int]:
    """How many messages went back to waiting and how many became uncertain, in the practice in scope."""
    values = {"practice": current_practice_id(), "lease": settings.DISPATCH_LEASE_SECONDS}
    with connection.cursor() as cursor:
        cursor.execute(_BACK, values)
        back = cursor.rowcount
        cursor.execute(_UNKNOWN, values)
        unclear = cursor.rowcount
        cursor.execute(_LEFT_OPEN, values)
        return back, unclear
