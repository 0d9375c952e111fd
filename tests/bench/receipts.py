"""Stored reports of the carrier applied to their messages, beside a bare UPDATE … FROM unnest of the same rows.

The limit writes what has to be written: each message, and its event back, which would be applied for ever otherwise.
It reads no event, decides nothing, looks at no address and locks none. Beside it stands the UPDATE of the messages
alone, half of the work: nothing that remembers what it has applied can come near it.
"""

from tests.bench.measure import Cost, Figure, interleaved, load
from tests.bench.rig import owner, servers

ROUNDS, NUMBER = 5, 5_000
CHUNK = 1_000
TARGET = 0.5


def main() -> list[Figure]:
    with servers():
        from tests.bench import data

        data.noon()
        made = data.practice(1, NUMBER)
        identity = data.text_line(made)
        ours = lambda: _ours(data, made, identity)  # noqa: E731
        bare = lambda: _bare(data, made, identity, _MESSAGES, _EVENTS_BACK)  # noqa: E731
        alone = lambda: _bare(data, made, identity, _MESSAGES)  # noqa: E731
        ours(), bare()
        found = interleaved(ROUNDS, ours=ours, bare=bare, alone=alone)
    note = f"{NUMBER:,} reports a round, median of {ROUNDS}, per CPU second of client and PostgreSQL; {load()}"
    alone = f"UPDATE of the messages alone: {found['alone']:,.0f}, ratio {found['ours'] / found['alone']:.2f}"
    return [Figure("receipts applied", found["ours"], found["bare"], "reports/s", TARGET, note=f"{alone}; {note}")]


def _ours(data, made, identity) -> float:
    from messaging.receipts import apply_open

    _handed_over(data, made, identity)
    with Cost() as cost:
        applied = 0
        while applied < NUMBER:
            applied += apply_open(made.pk)
    with owner() as connection:
        delivered = connection.execute("SELECT count(*) FROM messaging_message WHERE state = 'delivered'").fetchone()[0]
        assert delivered == NUMBER, delivered
    _forget()
    return NUMBER / cost.cpu


def _bare(data, made, identity, *statements: str) -> float:
    from django.db import connection

    from trackstat.tenancy.scope import practice_scope

    _handed_over(data, made, identity)
    with owner() as past_the_walls:
        rows = past_the_walls.execute(_PAIRS).fetchall()
    with Cost() as cost:
        for start in range(0, NUMBER, CHUNK):
            chunk = rows[start : start + CHUNK]
            with practice_scope(made), connection.cursor() as cursor:
                for statement, ids in zip(statements, zip(*chunk, strict=True), strict=False):
                    cursor.execute(statement, [list(ids), ["delivered"] * len(ids), made.pk])
                    assert cursor.rowcount == len(ids)
    _forget()
    return NUMBER / cost.cpu


def _handed_over(data, made, identity) -> None:
    """Texts that the carrier has accepted, and its reports that each was delivered."""
    data.due_texts(made, identity, NUMBER)
    with owner() as connection:
        connection.execute(_SENT)
        connection.execute(_ATTEMPTS)
        connection.execute(
            "UPDATE audience_contactpoint SET introduced_at = trackstat.now() WHERE introduced_at IS NULL"
        )
        connection.execute(_EVENTS)
        connection.execute(
            "VACUUM ANALYZE messaging_message, messaging_attempt, messaging_providerevent, audience_contactpoint"
        )


def _forget() -> None:
    with owner() as connection:
        connection.execute("TRUNCATE messaging_message, messaging_providerevent CASCADE")


_MESSAGES = """
UPDATE messaging_message m SET state = told.state, done_at = now()
  FROM unnest(%s::bigint[], %s::text[]) AS told (id, state)
 WHERE m.practice_id = %s AND m.id = told.id AND m.state = 'sent'
"""
_EVENTS_BACK = """
UPDATE messaging_providerevent e SET applied_at = now(), problem = ''
  FROM unnest(%s::bigint[], %s::text[]) AS told (id, state)
 WHERE e.practice_id = %s AND e.id = told.id AND e.applied_at IS NULL
"""
_PAIRS = """
SELECT a.message_id, e.id FROM messaging_providerevent e JOIN messaging_attempt a ON a.key = e.attempt_key ORDER BY e.id
"""
_SENT = "UPDATE messaging_message SET state = 'sent', armed_at = trackstat.now(), sent_at = trackstat.now(), tries = 1"
_ATTEMPTS = """
INSERT INTO messaging_attempt (practice_id, key, message_id, provider, provider_id, started_at, finished_at, outcome,
       http_status, error_code, looked_up, worker)
SELECT practice_id, gen_random_uuid(), id, 'twilio', 'SM' || md5(id::text), armed_at, sent_at, 'accepted', 201, '', 0,
       'w'
  FROM messaging_message
"""
_EVENTS = """
INSERT INTO messaging_providerevent (practice_id, identity_id, kind, event_key, attempt_key, payload, received_at,
       problem)
SELECT a.practice_id, m.identity_id, 'status', a.provider_id || '|delivered|', a.key,
       jsonb_build_object('MessageSid', a.provider_id, 'SmsSid', a.provider_id, 'MessageStatus', 'delivered',
           'SmsStatus', 'delivered', 'To', m.to_address, 'From', '+16175559000', 'AccountSid', 'AC' || md5('bench'),
           'ApiVersion', '2010-04-01', 'RawDlrDoneDate', '2611241200'),
       trackstat.now(), ''
  FROM messaging_attempt a JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
 ORDER BY random()
"""
