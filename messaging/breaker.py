"""Lets a sender rest when too many of its latest hand-overs have no clear answer.

Each of them may have reached a patient and nobody knows: better to wait than to make more of them. When the pause is
over, dispatch probes the sender with one message.
"""

from django.conf import settings
from django.db import connection

from messaging.outcomes import pause_identity
from trackstat.formats import number, share
from trackstat.tenancy.scope import current_practice_id

# So long back it looks.
WINDOW_SECONDS = 300

# The uncertain ones first, by the small index of uncertain messages; all hand-overs only when these say so little.
_UNCLEAR = """
WITH unclear AS MATERIALIZED (
    SELECT a.id FROM messaging_message m
      JOIN messaging_attempt a ON a.practice_id = m.practice_id AND a.message_id = m.id
     WHERE m.practice_id = %(practice)s AND m.state = 'unknown' AND m.identity_id = %(identity)s
       AND m.armed_at > trackstat.now() - make_interval(secs => %(window)s)
       AND a.outcome = 'unknown' AND a.tripped_at IS NULL
       AND a.started_at > trackstat.now() - make_interval(secs => %(window)s)
), counted AS (SELECT count(*) AS n, coalesce(array_agg(id ORDER BY id), '{}') AS ids FROM unclear)
SELECT counted.ids,
       CASE WHEN counted.n >= least(%(at_least)s, %(most)s + 1) THEN (
           SELECT count(*) FROM messaging_message m
            WHERE m.practice_id = %(practice)s AND m.identity_id = %(identity)s
              AND m.armed_at > trackstat.now() - make_interval(secs => %(window)s)) END
  FROM counted
"""
_COUNTED = """
UPDATE messaging_attempt a SET tripped_at = trackstat.now()
  FROM (SELECT id FROM messaging_attempt WHERE practice_id = %(practice)s AND id = ANY(%(ids)s::bigint[])
         ORDER BY id FOR NO KEY UPDATE) AS counted
 WHERE a.practice_id = %(practice)s AND a.id = counted.id
"""


def trip_if_unclear(identity_id: int) -> bool:
    """Pause the sender when too many hand-overs of the last minutes are uncertain; whether it was paused now.

    Call in `practice_scope` after hand-overs were recorded or found to be uncertain. An uncertain hand-over counts
    for one pause only, so a sender whose probe went well is not paused again for the same ones.
    """
    known = {
        "practice": current_practice_id(),
        "identity": identity_id,
        "window": WINDOW_SECONDS,
        "at_least": settings.BREAKER_AT_LEAST,
        "most": settings.BREAKER_MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNCLEAR, known)
        ids, handed_over = cursor.fetchone()
    if not _is_too_much(len(ids), handed_over):
        return False
    # The sender first, then its attempts: in this order a refusal is recorded, too.
    pause_identity(identity_id, settings.BREAKER_SECONDS, _why(len(ids), handed_over))
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, {"practice": known["practice"], "ids": ids})
    return True


def _is_too_much(unclear: int, handed_over: int | None) -> bool:
    if unclear > settings.BREAKER_MOST:
        return True
    return unclear >= settings.BREAKER_AT_LEAST and unclear > (handed_over or 0) * settings.BREAKER_SHARE


def _why(unclear: int, handed_over: int) -> str:
    return (
        f"For {number(unclear)} of the last {number(handed_over)} messages ({share(unclear, handed_over)}) there was no"
        " clear answer. Sending rests for a while, then one message is tried."
    )
