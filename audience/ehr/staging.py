"""Temporary tables that hold one whole export before anything of the practice is touched.

They belong to the database session, so a killed import leaves nothing behind, and they have no row-level security, so
COPY may fill them (it is refused on the practice's own tables).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import connection

from audience.ehr import zones
from audience.ehr.packing import TABLES, Rows, columns, types

# Rows of a table held back until they go over in one COPY: few enough to stay in the processor's cache, enough to make
# the round trip cheap.
_BATCH = 300
# Most visits are changed when encounters meet their appointments: room beside them saves their indexes' entries.
_WITH = {"ehr_appointment": "WITH (fillfactor = 50)"}
_COPY = "COPY pg_temp.{} FROM STDIN (FORMAT BINARY)"


class Staging(Rows):
    """The open temporary tables; `add` is cheap, rows go over in batches."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[type, list[tuple]] = {kind: [] for kind in TABLES}
        self._take = {kind: partial(self._hold, kind) for kind in TABLES}

    def add_packed(self, packed: Mapping[str, bytes]) -> None:
        """What others packed (`PackedRows.packed`), with entries numbered by them."""
        for table, rows in packed.items():
            with connection.cursor() as cursor, cursor.copy(_COPY.format(table)) as copy:
                copy.write(rows)

    def flush(self) -> None:
        """Everything that was added is in the tables."""
        for kind in TABLES:
            self._send(kind)

    def finish(self) -> None:
        """Everything is in the tables now, and the planner knows how much it is."""
        self.flush()
        if rows("SELECT FROM ehr_patient WHERE postal_code <> '' LIMIT 1"):
            # In this process, while the database has other things to do.
            zones.load()
        for statement in (
            "CREATE INDEX ON ehr_patient (external_id)",
            "CREATE INDEX ON ehr_appointment (external_id)",
            "CREATE INDEX ON ehr_appointment (patient_key)",
            "CREATE INDEX ON ehr_case (external_id)",
            "CREATE INDEX ON ehr_entry (external_id)",
            "CREATE INDEX ON ehr_case_diagnosis (case_key)",
            "CREATE INDEX ON ehr_alias (kind, alias)",
            "CREATE INDEX ON ehr_place (kind, external_id)",
        ):
            run(statement)
        analyze(*TABLES.values())

    def _hold(self, kind: type, row: tuple) -> None:
        held = self._held[kind]
        held.append(row)
        if len(held) >= _BATCH:
            self._send(kind)

    def _send(self, kind: type) -> None:
        held = self._held[kind]
        if not held:
            return
        with connection.cursor() as cursor, cursor.copy(_COPY.format(TABLES[kind])) as copy:
            copy.set_types(types(kind))
            for row in held:
                copy.write_row(row)
        held.clear()


@contextmanager
def staging() -> Iterator[Staging]:
    """Opens the tables on this thread's connection, and drops them at the end."""
    _drop()
    for kind, table in TABLES.items():
        declared = ", ".join(f"{name} {of}" for name, of in columns(kind).items())
        run(f"CREATE TEMPORARY TABLE {table} ({declared}) {_WITH.get(table, '')}")
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
