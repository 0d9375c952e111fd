"""A Celery worker as in production, with a provider that takes no time and the limit beside it as a task.

``python -m tests.bench.worker null|real CELERY-ARGUMENTS…``
"""

import sys
import uuid

import django

from tests.bench.dispatch import CHUNK, LIMIT_TABLE
from trackstat.celery import app

_CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM {LIMIT_TABLE} WHERE sender = 1 AND state = 0 AND due_at <= now()
     ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE {LIMIT_TABLE} m SET state = 1, claimed_at = now() FROM due WHERE m.id = due.id
RETURNING m.id, m.to_address, m.body
"""
_FINISH = f"""
UPDATE {LIMIT_TABLE} m SET state = 2, provider_id = told.provider_id, sent_at = now()
  FROM unnest(%s::bigint[], %s::text[]) AS told (id, provider_id) WHERE m.id = told.id AND m.state = 1
"""


@app.task(name="bench.chunk")
def chunk() -> None:
    """What any queue in a table costs at least: claim a hundred, hand them to nobody, write down what came of it."""
    from trackstat import prepared

    claimed = prepared.run(_CLAIM, [CHUNK])
    prepared.run(_FINISH, [[row[0] for row in claimed], [f"SM{uuid.uuid4().hex}" for _ in claimed]])


_WRITES = (
    """
WITH due AS MATERIALIZED (
    SELECT id FROM messaging_message WHERE practice_id = %(practice)s AND identity_id = %(identity)s
       AND state = 'pending' AND next_at <= trackstat.now() ORDER BY next_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE messaging_message m SET state = 'claimed', lease_token = %(token)s::uuid, lease_until = trackstat.now()
  FROM due WHERE m.practice_id = %(practice)s AND m.id = due.id RETURNING m.id
""",
    """
WITH armed AS (
    UPDATE messaging_message SET state = 'sending', armed_at = trackstat.now(), tries = tries + 1
     WHERE practice_id = %(practice)s AND id = ANY(%(ids)s::bigint[]) RETURNING id)
INSERT INTO messaging_attempt (practice_id, key, message_id, provider, outcome, error_code, looked_up, worker)
SELECT %(practice)s::bigint, gen_random_uuid(), id, 'twilio', '', '', 0, '' FROM armed
""",
    """
WITH finished AS (
    UPDATE messaging_attempt SET outcome = 'accepted', provider_id = 'SM' || replace(key::text, '-', ''),
           finished_at = trackstat.now()
     WHERE practice_id = %(practice)s AND message_id = ANY(%(ids)s::bigint[]) AND outcome = '')
UPDATE messaging_message SET state = 'sent', lease_token = NULL, lease_until = NULL, sent_at = trackstat.now()
 WHERE practice_id = %(practice)s AND id = ANY(%(ids)s::bigint[])
""",
)


@app.task(name="bench.writes")
def writes(practice_id: int, identity_id: int) -> None:
    """What sending at most once has to write of a hundred messages, in three transactions: nothing is looked at or
    locked, nobody else is thought of, and a crash would leave a hundred uncertain ones."""
    from trackstat import prepared
    from trackstat.tenancy.scope import practice_scope

    values = {"practice": practice_id, "identity": identity_id, "limit": CHUNK, "token": uuid.uuid4()}
    claiming, arming, recording = _WRITES
    with practice_scope(practice_id):
        ids = [pk for (pk,) in prepared.run(claiming, values)]
    for statement in (arming, recording):
        with practice_scope(practice_id):
            prepared.run(statement, {"practice": practice_id, "ids": prepared.array(ids)})


def without_a_carrier() -> None:
    """Every text is accepted at once."""
    from messaging.providers import twilio
    from messaging.providers.base import Accepted, Provider

    class Null(Provider):
        name = "twilio"

        def send(self, outgoing):
            return Accepted(f"SM{outgoing.attempt_key.hex}", 201)

        def verify(self, request):
            return False

        def parse(self, request, attempt_key=None):
            return []

        def find(self, attempt):
            return []

    twilio.Twilio = Null  # type: ignore[misc, assignment]


if __name__ == "__main__":
    from tests.bench.worker import app as named  # tasks belong to the module by its name, not to __main__

    django.setup()
    if sys.argv[1] == "null":
        without_a_carrier()
    named.worker_main(sys.argv[2:])
