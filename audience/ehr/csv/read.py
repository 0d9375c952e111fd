"""Stages a drop of CSV files."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from audience.ehr.counts import Counts
from audience.ehr.csv.appointments import appointment
from audience.ehr.csv.care import MADE, case, coverage, diagnosis, payment, service
from audience.ehr.csv.cells import Cells
from audience.ehr.csv.guess import guess
from audience.ehr.csv.mapping import parse
from audience.ehr.csv.opt_outs import opt_out
from audience.ehr.csv.patients import patient
from audience.ehr.csv.sheets import Refusal, Sheet, files_in, made_on, newest, recognise
from audience.ehr.csv.table import CUT_OFF, UNREADABLE, Row
from audience.ehr.csv.values import Ways
from audience.ehr.csv.words import FOOTER
from audience.ehr.reading import Progress, Reading, Report
from audience.ehr.records import Origin, Rejected, Rejection, Staged
from audience.ehr.staging import Staging, run

# Rows between two reports of progress.
_REPORT_EVERY = 500
_RECORDS: dict[str, Callable[[Cells, Origin], Iterable[Staged]]] = {
    "patients": patient,
    "appointments": appointment,
    "cases": case,
    "diagnoses": diagnosis,
    "services": service,
    "payments": payment,
    "coverages": coverage,
    "opt_outs": opt_out,
}
_UNREADABLE_VALUE = "A value in it cannot be read"


class DropReader:
    """See `reading.Reader`. `only`: every file is of this kind. `name` stands for the name of a single file.

    `mapping` as it is saved; without one the usual headings are looked for, values that may be read in two ways are
    read as most of them demand, and `notes` say in sentences what nothing told. With `is_snapshot`, of files whose
    names differ in their date only the newest is read. Raises FileNotFoundError and `mapping.Wrong`.
    """

    def __init__(
        self, path: Path, mapping: dict | None = None, *, is_snapshot: bool = False, only: str = "", name: str = ""
    ):
        self.path, self._only, self._is_snapshot, self._name = path, only, is_snapshot, name
        self.mapping = parse(mapping or {})
        self.files = files_in(path)
        self.notes: list[str] = []
        if not self.mapping.files:
            proposal = guess(self.files, self.mapping, only)
            self.mapping = replace(self.mapping, dates=proposal.mapping.dates, decimal=proposal.mapping.decimal)
            self.notes = proposal.doubts
        self._done = self._total = self._read = 0

    def read(self, reading: Reading, tables: Staging, counts: Counts, report: Report) -> Mapping[str, int]:
        ways = Ways(self.mapping.dates, self.mapping.decimal, reading.on, reading.zone)
        found = [recognise(file, self._name_of(file), self.mapping, self._only) for file in self.files]
        for refusal in found:
            if isinstance(refusal, Refusal):
                counts.add(refusal.kind.type if refusal.kind else "", "read")
                tables.add(Rejection(refusal.name, 1, refusal.kind.type if refusal.kind else "", "", refusal.reason))
        sheets = [sheet for sheet in found if isinstance(sheet, Sheet)]
        if self._is_snapshot:
            sheets = newest(sheets)
        self._total = sum(sheet.table.size for sheet in sheets)
        for sheet in sheets:
            made = made_on(sheet.table.path, sheet.table.name, reading.zone)
            self._read_sheet(sheet, Cells(sheet.kind, sheet.columns, self.mapping, ways, made), tables, counts, report)
            self._done += sheet.table.size
        tables.flush()
        _number_payments()
        _keep_rows_whole()
        report(Progress("Reading", self._total, self._total, self._read))
        return {}

    def _read_sheet(self, sheet: Sheet, cells: Cells, tables: Staging, counts: Counts, report: Report) -> None:
        records, kind, name = _RECORDS[sheet.kind.name], sheet.kind.type, sheet.table.name
        rows = 0
        for row in sheet.table.rows(sheet.headings):
            rows += 1
            if rows % _REPORT_EVERY == 0:
                report(Progress("Reading", self._done + sheet.table.bytes_read, self._total, self._read + rows))
            try:
                if row.problem:
                    raise Rejected(row.problem)
                if FOOTER.match(row.fields[0]) and _is_footer(row):
                    rows -= 1
                    continue
                cells.take(row.fields)
                tables.add_all(list(records(cells, Origin(name, row.line))))
                continue
            except Rejected as refusal:
                reason = str(refusal)
            except (ValueError, OverflowError, ArithmeticError):
                reason = _UNREADABLE_VALUE
            if _is_footer(row):
                rows -= 1
            else:
                tables.add(Rejection(name, row.line, kind, _id_of(row, sheet), reason))
        counts.add(kind, "read", rows)
        self._read += rows

    def _name_of(self, file: Path) -> str:
        # Names that are no UTF-8 come as lone surrogates, which nothing can store.
        name = self._name or str(file.relative_to(self.path) if file != self.path else file.name)
        return name[-200:].encode("utf-8", "replace").decode()


def _is_footer(row: Row) -> bool:
    """What reports print below their rows."""
    said = [field.strip() for field in row.fields if field.strip()]
    return 0 < len(said) < 4 and bool(FOOTER.match(said[0]))


def _id_of(row: Row, sheet: Sheet) -> str:
    """The id that a refused row has; '' where it may be another value's, or further rows may be missing."""
    if row.problem in (CUT_OFF, UNREADABLE):
        return ""
    place = sheet.columns.get("id", [None])[0]
    if place is None or place >= len(row.fields) or (row.problem and place > 0):
        return ""
    return " ".join(row.fields[place].encode("utf-8", "replace").decode().replace("\0", " ").split())[:120]


def _number_payments() -> None:
    """Equal payments of one file that have no ids are as many payments."""
    run(f"""
        UPDATE ehr_entry e SET external_id = e.external_id || '.' || n.place
        FROM (SELECT entry, row_number() OVER (PARTITION BY file, external_id ORDER BY entry) AS place
              FROM ehr_entry WHERE resource_type = 'Payment' AND external_id LIKE 'Payment/{MADE}%') n
        WHERE n.entry = e.entry AND n.place > 1""")


def _keep_rows_whole() -> None:
    """Of an id that came twice, all that a row says stays or goes with it: in the order of `prepare.settle`."""
    for table, of in (("ehr_patient", "external_id"), ("ehr_case", "'case ' || substr(external_id, 6)")):
        run(f"""
            CREATE TEMPORARY TABLE ehr_stays AS
            SELECT DISTINCT ON (external_id) {of} AS of, file, line FROM {table} t
            WHERE external_id IN (SELECT external_id FROM {table} GROUP BY 1 HAVING count(*) > 1)
            ORDER BY external_id, changed_at DESC NULLS LAST, md5((to_jsonb(t) - 'file' - 'line')::text), file, line""")
        for also, types in (("ehr_entry", ("Coverage", "Diagnosis")), ("ehr_case", ("Case",))):
            ids = ", ".join(f"'{kind}/{MADE}' || s.of" for kind in types)
            run(f"""DELETE FROM {also} e USING ehr_stays s
                    WHERE e.external_id IN ({ids}) AND (e.file, e.line) <> (s.file, s.line)""")
        run("DROP TABLE ehr_stays")
