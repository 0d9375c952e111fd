"""Staged records in the form in which PostgreSQL takes them: rows by table, and their bytes for a binary COPY.

Needs neither Django nor a connection, so that shapers can pack what they shape (`fhir/shaper.py`).
"""

from collections.abc import Iterable
from datetime import date, datetime
from functools import cache
from math import inf
from types import SimpleNamespace
from typing import Any, get_type_hints

import psycopg
from psycopg.adapt import Transformer
from psycopg.copy import Copy, Writer

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


@cache
def columns(kind: type) -> dict[str, str]:
    """Name and declaration of each column of a record's table."""
    of_entry = {"entry": int} if kind in _OF_AN_ENTRY else {}
    return {name: _COLUMN_TYPES[of] for name, of in (of_entry | get_type_hints(kind)).items()}


def types(kind: type) -> list[str]:
    return [declared.split()[0] for declared in columns(kind).values()]


class Rows:
    """Records as rows of their tables. Entries are numbered from `entry` on; an export's numbers must not repeat."""

    most: float = inf

    def __init__(self, entry: int = 0) -> None:
        self.held: dict[type, list[tuple]] = {kind: [] for kind in TABLES}
        self._entry = entry

    def add(self, record: Staged | Rejection) -> None:
        self.add_all((record,))

    def add_all(self, records: Iterable[Staged | Rejection]) -> None:
        """The records of one resource, in their order."""
        held = self.held
        for record in records:
            kind = type(record)
            if kind in _OF_AN_ENTRY:
                if kind is StagedEntry:
                    self._entry += 1
                held[kind].append((self._entry, *record))
            else:
                held[kind].append(record)
            if len(held[kind]) >= self.most:
                self._full(kind)

    def _full(self, kind: type) -> None:
        """So many rows as are held at `most`."""

    def packed(self) -> dict[str, bytes]:
        """By table, what COPY … (FORMAT BINARY) takes."""
        return {TABLES[kind]: _pack(kind, held) for kind, held in self.held.items() if held}


class _Bytes(Writer):
    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data) -> None:
        self.pieces.append(bytes(data))


def _pack(kind: type, held: list[tuple]) -> bytes:
    written = _Bytes()
    # Of a cursor, writing asks for this much.
    cursor: Any = SimpleNamespace(
        connection=SimpleNamespace(pgconn=None), pgresult=None, adapters=psycopg.adapters, _tx=Transformer(None)
    )
    with Copy(cursor, binary=True, writer=written) as copy:
        copy.set_types(types(kind))
        for row in held:
            copy.write_row(row)
    return b"".join(written.pieces)
