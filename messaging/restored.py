"""Whether this database may send. One that was restored does not know what was sent since its backup was taken: from it
patients would be written to again. So it sends nothing until a person has confirmed it (`bin/manage confirm_sending`).

Two things give it away. The row in `trackstat.sending` names the cluster, timeline, database and table it was confirmed
for: a restored dump, a recovery to a point in time and a copy differ. And Valkey keeps how far the write-ahead log has
come: a database that is behind that was put back as a whole, by a snapshot of its disk.
"""

import logging
from functools import cache

import psycopg
import redis
from django.db import connection

from trackstat import valkey

log = logging.getLogger(__name__)

# Which log, as far as Valkey knows: cluster, timeline and database → bytes written.
KEY = "trackstat:wal"
# A crash may cut off a record that was not complete yet; a snapshot lies much further back.
CUT_OFF_BYTES = 2**20

# Valkey is read before this is asked: the log only grows, so it cannot be behind unless the database went back.
_STATE = """
SELECT fingerprint = trackstat.fingerprint() AND went_back_at IS NULL, trackstat.fingerprint(),
       (pg_current_wal_flush_lsn() - '0/0')::bigint
  FROM trackstat.sending
"""
_FURTHEST = """
if tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
"""
_CONFIRM = """
INSERT INTO trackstat.sending AS s (fingerprint, confirmed_by) VALUES (trackstat.fingerprint(), %s)
    ON CONFLICT (one) DO UPDATE SET fingerprint = excluded.fingerprint, confirmed_by = excluded.confirmed_by,
       confirmed_at = now(), went_back_at = NULL
"""


class NotRemembered(Exception):
    """Valkey could not be told where the confirmed database stands: it would be taken for one that went back."""


def sending_allowed() -> bool:
    """Whether messages may be handed over. Ask before each dispatch run: one statement, two looks into Valkey.

    A database that went back in time is marked so, at once where no transaction is open.
    """
    furthest = _furthest()
    with connection.cursor() as cursor:
        cursor.execute(_STATE)
        allowed, fingerprint, position = cursor.fetchone() or (False, "", 0)
        if allowed and position + CUT_OFF_BYTES < int(furthest.get(fingerprint, 0)):
            cursor.execute("UPDATE trackstat.sending SET went_back_at = now()")
            allowed = False
    if allowed:
        _remember(fingerprint, position)
    _tell_once(allowed)
    return allowed


def is_confirmed() -> bool:
    """As the database's own row says; for pages."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT fingerprint = trackstat.fingerprint() AND went_back_at IS NULL FROM trackstat.sending")
        found = cursor.fetchone()
    return bool(found and found[0])


def confirm(owner: psycopg.Connection, by: str) -> None:
    """This database may send from now on. `owner`: the tables' owner, in autocommit. Raises NotRemembered.

    Valkey is told first to forget: were it away, the database would soon be taken for one that went back again.
    """
    fingerprint = owner.execute("SELECT trackstat.fingerprint()").fetchone()
    try:
        _valkey().hdel(KEY, fingerprint[0] if fingerprint else "")
    except redis.RedisError as error:
        raise NotRemembered("Valkey does not answer. Start it, then confirm again.") from error
    owner.execute(_CONFIRM, [by])
    log.warning("Sending was confirmed by %s.", by)


def _furthest() -> dict[str, str]:
    """Fingerprint → furthest position; nothing while Valkey is away, the table says enough then."""
    try:
        return {str(key): str(value) for key, value in _valkey().hgetall(KEY).items()}
    except redis.RedisError:
        return {}


def _remember(fingerprint: str, position: int) -> None:
    try:
        _keep_furthest()(keys=[KEY], args=[fingerprint, position])
    except redis.RedisError:
        return


_told = [True]


def _tell_once(allowed: bool) -> None:
    """Once in a process, until it changes."""
    if allowed != _told[0]:
        _told[0] = allowed
        if not allowed:
            log.error("Sending is off: this database was restored. Confirm it with bin/manage confirm_sending.")


@cache
def _valkey() -> redis.Redis:
    return valkey.client(decode_responses=True)


@cache
def _keep_furthest():
    return _valkey().register_script(_FURTHEST)
