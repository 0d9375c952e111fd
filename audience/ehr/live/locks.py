"""Locks of the database session: given back by themselves when the process dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from audience.ehr.staging import rows, run

# Syncs that all workers together may have under way, so that sending always finds a free one.
AT_ONCE = 2


@contextmanager
def lock(key: str) -> Iterator[bool]:
    """Whether it is ours for the block."""
    key_of = {"key": key}
    taken = rows("SELECT pg_try_advisory_lock(hashtextextended(%(key)s, 0))", key_of)[0][0]
    try:
        yield taken
    finally:
        if taken and connection.connection is not None and connection.is_usable() and not connection.needs_rollback:
            run("SELECT pg_advisory_unlock(hashtextextended(%(key)s, 0))", key_of)


@contextmanager
def place() -> Iterator[bool]:
    """One of the places for syncs in workers, if one is free."""
    for number in range(AT_ONCE):
        with lock(f"ehr sync place {number}") as mine:
            if mine:
                yield True
                return
    yield False
