"""Temporary tables that hold one whole export before anything of the practice is touched.

They belong to the database session, so a killed import leaves nothing behind, and they have no row-level security, so
COPY may fill them (it is refused on the practice's own tables).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from typing import Any, get_type_hints

from django.db import connection

from audience.ehr.records import (
    Rejection,
    Staged,
    StagedAlias,
    StagedAppointment,
    StagedCase,
    StagedCaseDiagnosis,
    StagedCoverage,
    StagedDiagnosis,
    StagedEntry,
    StagedGone,
    StagedMerge,
    StagedOptOut,
    StagedPatient,
    StagedPayment,
    StagedPlace,
    StagedService,
)

TABLES: dict[type, str] = {
    StagedPatient: "ehr_patient",
    StagedAppointment: "ehr_appointment",
    StagedCase: "ehr_case",
    StagedCaseDiagnosis: "ehr_case_diagnosis",
    StagedEntry: "ehr_entry",
    StagedDiagnosis: "ehr_diagnosis",
    StagedService: "ehr_service",
    StagedPayment: "ehr_payment",
    StagedCoverage: "ehr_coverage",
    StagedPlace: "ehr_place",
    StagedAlias: "ehr_alias",
    StagedMerge: "ehr_merge",
    StagedGone: "ehr_gone",
    StagedOptOut: "ehr_opt_out",
    Rejection: "ehr_rejection",
}
# Their rows carry the number of the entry that states them.
_OF_AN_ENTRY = {StagedEntry, StagedDiagnosis, StagedService, StagedPayment, StagedCoverage}
_COLUMN_TYPES = {
    str: "text NOT NULL",
    int: "bigint NOT NULL",
    bool: "boolean NOT NULL",
    bool | None: "boolean",
    date: "date NOT NULL",
    date | None: "date",
    datetime: "timestamptz NOT NULL",
    datetime | None: "timestamptz",
}
# Rows of a table held back until they go over in one COPY: few enough to stay in the processor's cache, enough to make
# the round trip cheap.
_BATCH = 300


class Staging:
    """The open temporary tables; `add` is cheap, rows go over in batches."""

    def __init__(self) -> None:
        self._held: dict[type, list[tuple]] = {kind: [] for kind in TABLES}
        self._entry = 0

    def add(self, record: Staged | Rejection) -> None:
        self.add_all((record,))

    def add_all(self, records: Iterable[Staged | Rejection]) -> None:
        """The records of one resource, in their order."""
        held = self._held
        for record in records:
            kind = type(record)
            if kind in _OF_AN_ENTRY:
                if kind is StagedEntry:
                    self._entry += 1
                held[kind].append((self._entry, *record))
            else:
                held[kind].append(record)
            if len(held[kind]) >= _BATCH:
                self._copy(kind, held[kind])

    def flush(self) -> None:
        """Everything that was added is in the tables."""
        for kind, held in self._held.items():
            self._copy(kind, held)

    def finish(self) -> None:
        """Everything is in the tables now, and the planner knows how much it is."""
        self.flush()
        for statement in (
            "CREATE INDEX ON ehr_patient (external_id)",
            "CREATE INDEX ON ehr_appointment (external_id)",
            "CREATE INDEX ON ehr_appointment (patient_key)",
            "CREATE INDEX ON ehr_case (external_id)",
            "CREATE INDEX ON ehr_entry (external_id)",
            "CREATE INDEX ON ehr_alias (kind, alias)",
            "CREATE INDEX ON ehr_place (kind, external_id)",
        ):
            run(statement)
        analyze(*TABLES.values())

    def _copy(self, kind: type, held: list[tuple]) -> None:
        if not held:
            return
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY pg_temp.{TABLES[kind]} FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.set_types([declared.split()[0] for declared in _columns(kind).values()])
            for row in held:
                copy.write_row(row)
        held.clear()


@cache
def _columns(kind: type) -> dict[str, str]:
    """Name and declaration of each column of a record's table."""
    of_entry = {"entry": int} if kind in _OF_AN_ENTRY else {}
    return {name: _COLUMN_TYPES[of] for name, of in (of_entry | get_type_hints(kind)).items()}


@contextmanager
def staging() -> Iterator[Staging]:
    """Opens the tables on this thread's connection, and drops them at the end."""
    _drop()
    for kind, table in TABLES.items():
        columns = ", ".join(f"{name} {declared}" for name, declared in _columns(kind).items())
        run(f"CREATE TEMPORARY TABLE {table} ({columns})")
    try:
        yield Staging()
    finally:
        # A broken connection has dropped them already, and after an error in a transaction nothing more may be said.
        if connection.connection is not None and not connection.needs_rollback and connection.is_usable():
            _drop()


def _drop() -> None:
    """Everything of an import's, whatever step made it: all its tables are called ehr_… and nobody else's are."""
    found = rows(
        "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relname LIKE 'ehr\\_%'"
        " AND relkind = 'r'"
    )
    if found:
        run(f"DROP TABLE {', '.join(f'pg_temp.{name}' for (name,) in found)}")


def run(statement: str, parameters: dict[str, Any] | None = None) -> int:
    """Executes one statement; the number of rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def rows(statement: str, parameters: dict[str, Any] | None = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def analyze(*tables: str) -> None:
    """Tells the planner how large temporary tables are. Rough is enough, and ten times cheaper."""
    run("SET default_statistics_target = 10")
    run(f"ANALYZE {', '.join(tables)}")
    run("RESET default_statistics_target")
