"""Statements that run again and again: PostgreSQL plans them once a connection instead of each time.

Planning one of them costs as much as running it for a few rows. Name the columns: `*` would fail in a process that
was started before a migration added one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection


def run(statement: str, values: Mapping[str, Any] | Sequence[Any]) -> list[tuple]:
    """The rows it answers with, none where it answers nothing; in the current transaction, by the default connection.

    Every value is a parameter of its own type: cast it in the statement where PostgreSQL cannot tell. Raises Django's
    database errors.
    """
    return _execute(statement, values)[0]


def count(statement: str, values: Mapping[str, Any] | Sequence[Any]) -> int:
    """How many rows it touched."""
    return _execute(statement, values)[1]


def array(things: Iterable[object]) -> str:
    """Numbers, UUIDs or plain words as PostgreSQL writes an array; None is NULL. Cast it: `%s::bigint[]`.

    Adapting each of thousands of them costs several times as much. Nothing with a blank, comma, quote or brace.
    """
    return "{" + ",".join("NULL" if thing is None else str(thing) for thing in things) + "}"


def _execute(statement: str, values: Mapping[str, Any] | Sequence[Any]) -> tuple[list[tuple], int]:
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, values, prepare=True)
        return cursor.fetchall() if cursor.description else [], cursor.rowcount
