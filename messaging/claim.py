"""Taking due messages for one run, and giving them back. A claim is free to expire: nothing was sent."""

import uuid
from typing import Any

from django.conf import settings

from messaging.checks import Candidate
from trackstat import prepared
from trackstat.tenancy.scope import current_practice_id

# Columns in the order of Candidate's first fields.
_COLUMNS = """m.id, m.channel, m.category, m.patient_id, m.contact_point_id, m.identity_id, m.content_id, m.campaign_id,
    m.step_id, m.enrollment_id, m.to_address, m.body, m.merge_values, m.token, m.due_at, m.not_after, m.segments"""

# A paused campaign's messages stay where they are.
_CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT m.id FROM messaging_message m
     WHERE m.practice_id = %(practice)s AND m.identity_id = %(identity)s AND m.state = 'pending'
       AND m.next_at <= trackstat.now()
       AND NOT EXISTS (SELECT FROM messaging_hold h
                        WHERE h.practice_id = %(practice)s AND h.campaign_id = m.campaign_id)
     ORDER BY m.next_at, m.id LIMIT %(limit)s::bigint FOR UPDATE SKIP LOCKED
)
UPDATE messaging_message m
   SET state = 'claimed', lease_token = %(token)s::uuid,
       lease_until = trackstat.now() + make_interval(secs => %(lease)s::float)
  FROM due WHERE m.practice_id = %(practice)s AND m.id = due.id
RETURNING m.next_at, {_COLUMNS}
"""
_GIVE_BACK = """
UPDATE messaging_message SET state = 'pending', lease_token = NULL, lease_until = NULL
 WHERE practice_id = %(practice)s AND id = ANY(%(ids)s::bigint[])
   AND state = 'claimed' AND lease_token = %(token)s::uuid
"""
_WAIT_ALL = """
UPDATE messaging_message SET next_at = %(until)s::timestamptz
 WHERE practice_id = %(practice)s AND identity_id = %(identity)s AND state = 'pending' AND next_at <= trackstat.now()
"""
_EXPIRE = """
UPDATE messaging_message SET state = 'aborted', reason = %(reason)s, done_at = trackstat.now()
 WHERE practice_id = %(practice)s AND identity_id = %(identity)s AND state = 'pending' AND next_at <= trackstat.now()
   AND not_after <= trackstat.now()
"""


def claim(identity_id: int, limit: int, token: uuid.UUID) -> list[Candidate]:
    """The messages due for longest, leased to `token` and nobody else."""
    rows = _run(_CLAIM, identity=identity_id, limit=limit, token=token, lease=settings.DISPATCH_LEASE_SECONDS)
    return [Candidate(*row[1:]) for row in sorted(rows, key=lambda row: (row[0], row[1]))]


def give_back(candidates: list[Candidate], token: uuid.UUID) -> None:
    """Claimed ones that this run did not come to."""
    if candidates:
        _run(_GIVE_BACK, ids=prepared.array(candidate.message_id for candidate in candidates), token=token)


def wait_all(identity_id: int, until: object) -> None:
    """Everything due from this identity waits: the day's cap is reached."""
    _run(_WAIT_ALL, identity=identity_id, until=until)


def expire(identity_id: int, reason: str) -> None:
    """What an identity that may not send could not send in time."""
    _run(_EXPIRE, identity=identity_id, reason=reason)


def _run(statement: str, **values: Any) -> list[tuple]:
    return prepared.run(statement, {"practice": current_practice_id()} | values)
