"""Small drops for tests: rows as dictionaries, written as the files such systems make."""

import csv
import io
from pathlib import Path

from audience.ehr.csv.read import DropReader
from audience.ehr.run import import_export
from audience.models import ImportRejection, ImportRun
from trackstat.tenancy.scope import practice_scope


def patient(id="p1", **columns) -> dict[str, str]:
    return {
        "Patient ID": id,
        "Last Name": "Alvarez",
        "First Name": "Ana",
        "DOB": "3/12/1984",
        "Gender": "F",
        "Cell Phone": "(617) 555-0111",
        "Email": "ana@mailbox.example",
        "Zip": "02118",
    } | columns


def appointment(id="a1", patient="p1", **columns) -> dict[str, str]:
    return {
        "Appointment ID": id,
        "Patient ID": patient,
        "Date": "10/05/2026",
        "Time": "10:00 AM",
        "Status": "Checked In",
        "Appointment Type": "Adjustment",
        "Provider": "Dr. Delgado",
    } | columns


def text(*rows: dict[str, str], separator=",", end="\r\n", quoting=csv.QUOTE_MINIMAL) -> str:
    """The columns of all rows, in the order in which they first come."""
    headings = list(dict.fromkeys(heading for row in rows for heading in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, headings, restval="", delimiter=separator, lineterminator=end, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write(folder: Path, name: str, *rows: dict[str, str] | str, encoding="utf-8", **how) -> Path:
    """A file of the drop; a text is written as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    body = rows[0] if rows and isinstance(rows[0], str) else text(*rows, **how)
    (folder / name).write_bytes(body.encode(encoding))
    return folder


def bring(practice, folder: Path, mapping: dict | None = None, *, is_snapshot=False, source="csv", **how) -> ImportRun:
    reader = DropReader(folder, mapping, is_snapshot=is_snapshot, **how)
    return import_export(practice, reader, source, is_snapshot=is_snapshot)


def rejections(practice, run: ImportRun) -> list[tuple[str, int, str]]:
    with practice_scope(practice):
        found = ImportRejection.objects.filter(run=run).order_by("file", "line")
        return list(found.values_list("file", "line", "reason"))
