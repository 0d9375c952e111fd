"""Temporary tables that hold one whole export before anything of the practice is touched.

They belong to the database session, so a killed import leaves nothing behind, and they have no row-level security, so
COPY may fill them (it is refused on the practice's own tables).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, get_type_hints

from django.db import connection

from audience.ehr.records import Rejection, Staged, StagedAlias, StagedAppointment, StagedPatient, StagedPlace

TABLES: dict[type, str] = {
    StagedPatient: "ehr_patient",
    StagedAppointment: "ehr_appointment",
    StagedPlace: "ehr_place",
    StagedAlias: "ehr_alias",
    Rejection: "ehr_rejection",
}
_DERIVED = (
    "ehr_copy", "ehr_used_place", "ehr_zone", "ehr_patient_change", "ehr_appointment_change", "ehr_check_in",
    "ehr_chunk",
)  # fmt: skip
_COLUMN_TYPES = {
    str: "text NOT NULL",
    int: "bigint NOT NULL",
    bool: "boolean NOT NULL",
    date | None: "date",
    datetime | None: "timestamptz",
}
# Rows held back until they go over in one COPY: few enough to weigh nothing, enough to make the round trip cheap.
_BATCH = 5000


class Staging:
    """The open temporary tables; `add` is cheap, rows go over in batches."""

    def __init__(self) -> None:
        self._held: dict[type, list[tuple]] = {kind: [] for kind in TABLES}

    def add(self, record: Staged | Rejection) -> None:
        held = self._held[type(record)]
        held.append(record)
        if len(held) >= _BATCH:
            self._copy(type(record), held)

    def add_all(self, records: Iterable[Staged]) -> None:
        for record in records:
            self.add(record)

    def finish(self) -> None:
        """Everything is in the tables now, and the planner knows how much it is."""
        for kind, held in self._held.items():
            self._copy(kind, held)
        for statement in (
            "CREATE INDEX ON ehr_patient (external_id)",
            "CREATE INDEX ON ehr_appointment (external_id)",
            "CREATE INDEX ON ehr_appointment (patient_key)",
            "CREATE INDEX ON ehr_alias (kind, alias)",
            "CREATE INDEX ON ehr_place (kind, external_id)",
        ):
            run(statement)
        for table in TABLES.values():
            run(f"ANALYZE {table}")

    def _copy(self, kind: type, held: list[tuple]) -> None:
        if not held:
            return
        with connection.cursor() as cursor, cursor.copy(f"COPY {TABLES[kind]} FROM STDIN") as copy:
            for row in held:
                copy.write_row(row)
        held.clear()


@contextmanager
def staging() -> Iterator[Staging]:
    """Opens the tables on this thread's connection, and drops them at the end."""
    _drop()
    for kind, table in TABLES.items():
        columns = ", ".join(f"{name} {_COLUMN_TYPES[of]}" for name, of in get_type_hints(kind).items())
        run(f"CREATE TEMPORARY TABLE {table} ({columns})")
    try:
        yield Staging()
    finally:
        # A broken connection has dropped them already, and after an error in a transaction nothing more may be said.
        if connection.connection is not None and not connection.needs_rollback and connection.is_usable():
            _drop()


def _drop() -> None:
    run(f"DROP TABLE IF EXISTS {', '.join(f'pg_temp.{table}' for table in (*TABLES.values(), *_DERIVED))}")


def run(statement: str, parameters: dict[str, Any] | None = None) -> int:
    """Executes one statement; the number of rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def rows(statement: str, parameters: dict[str, Any] | None = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
