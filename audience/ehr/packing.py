"""Staged records in the form in which PostgreSQL takes them: rows by table, and their bytes for a binary COPY.

Needs neither Django nor a connection, so that shapers can pack what they shape (`fhir/shaper.py`).
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import cache
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
    """Records as rows of their tables. Entries are numbered from `entry` on; an export's numbers must not repeat.

    `_take`: by kind of record, what takes a row of its table.
    """

    def __init__(self, entry: int = 0) -> None:
        self._entry = entry
        self._take: dict[type, Callable[[tuple], None]] = {}

    def add(self, record: Staged | Rejection) -> None:
        self.add_all((record,))

    def add_all(self, records: Iterable[Staged | Rejection]) -> None:
        """The records of one resource, in their order."""
        take = self._take
        for record in records:
            kind = type(record)
            if kind in _OF_AN_ENTRY:
                if kind is StagedEntry:
                    self._entry += 1
                take[kind]((self._entry, *record))
            else:
                take[kind](record)


class PackedRows(Rows):
    """Rows as the bytes that a binary COPY takes. Each is packed while it is in the processor's cache."""

    def __init__(self, entry: int = 0) -> None:
        super().__init__(entry)
        self._written: dict[str, _Bytes] = {}
        self._take = _Packers(self._packer)

    def packed(self) -> dict[str, bytes]:
        """By table, what COPY … (FORMAT BINARY) takes. Once, when all is added."""
        return {table: written.whole() for table, written in self._written.items()}

    def _packer(self, kind: type) -> Callable[[tuple], None]:
        written = self._written[TABLES[kind]] = _Bytes(kind)
        return written.copy.write_row


class _Packers(dict[type, Callable[[tuple], None]]):
    """Of the tables that there is something for."""

    def __init__(self, of: Callable[[type], Callable[[tuple], None]]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, kind: type) -> Callable[[tuple], None]:
        self[kind] = self._of(kind)
        return self[kind]


class _Bytes(Writer):
    """What psycopg writes for rows of this kind, `whole` when all are there."""

    def __init__(self, kind: type) -> None:
        self._pieces: list[bytes] = []
        # Of a cursor, writing asks for this much.
        cursor: Any = SimpleNamespace(
            connection=SimpleNamespace(pgconn=None), pgresult=None, adapters=psycopg.adapters, _tx=Transformer(None)
        )
        self.copy = Copy(cursor, binary=True, writer=self)
        self.copy.set_types(types(kind))

    def write(self, data) -> None:
        self._pieces.append(bytes(data))

    def whole(self) -> bytes:
        self.copy.finish(None)
        whole = b"".join(self._pieces)
        # The two hold each other until the garbage collector comes.
        self._pieces = []
        return whole
