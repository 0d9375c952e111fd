"""One dispatch run at a time for each sending identity.

A lease on the identity's row, not a lock of a database session: it outlives transactions, works behind connection
pools, and a worker that is frozen or lost with its machine holds the lane only until the lease ends. It keeps the rate;
that no message goes out twice never depends on it.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from django.conf import settings
from django.db import Error, connection

from trackstat.tenancy.scope import practice_scope


class Lane:
    def __init__(self, practice_id: int, identity_id: int, token: uuid.UUID):
        self.practice_id, self.identity_id, self.token = practice_id, identity_id, token
        self._renewed = monotonic()

    def renew(self) -> bool:
        """Keep the lane; call often, it acts when a third of the lease is over. False when another run has it now."""
        if monotonic() - self._renewed < lease_seconds() / 3:
            return True
        self._renewed = monotonic()
        return _update(_RENEW, self.practice_id, self.identity_id, self.token)


def lease_seconds() -> float:
    return min(15.0, settings.DISPATCH_LEASE_SECONDS)


@contextmanager
def lane(practice_id: int, identity_id: int) -> Iterator[Lane | None]:
    """The lane for the block, or None when another run has it."""
    token = uuid.uuid4()
    if not _update(_TAKE, practice_id, identity_id, token):
        yield None
        return
    try:
        yield Lane(practice_id, identity_id, token)
    finally:
        try:
            _update(_RELEASE, practice_id, identity_id, token)
        except Error:
            connection.close()


def _update(statement: str, practice_id: int, identity_id: int, token: uuid.UUID) -> bool:
    with practice_scope(practice_id), connection.cursor() as cursor:
        cursor.execute(
            statement, {"practice": practice_id, "id": identity_id, "token": token, "seconds": lease_seconds()}
        )
        return cursor.rowcount == 1


_TAKE = """
UPDATE messaging_sendingidentity
   SET lane_token = %(token)s, lane_until = trackstat.now() + make_interval(secs => %(seconds)s)
 WHERE practice_id = %(practice)s AND id = %(id)s AND (lane_until IS NULL OR lane_until < trackstat.now())
"""
_RENEW = """
UPDATE messaging_sendingidentity SET lane_until = trackstat.now() + make_interval(secs => %(seconds)s)
 WHERE practice_id = %(practice)s AND id = %(id)s AND lane_token = %(token)s
"""
_RELEASE = """
UPDATE messaging_sendingidentity SET lane_token = NULL, lane_until = NULL
 WHERE practice_id = %(practice)s AND id = %(id)s AND lane_token = %(token)s
"""
