"""`bin/manage ehr_import PRACTICE FOLDER`: brings an EHR's export into a practice and says what became of it."""

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audience.ehr.csv.guess import guess
from audience.ehr.csv.mapping import Wrong
from audience.ehr.csv.read import DropReader
from audience.ehr.csv.sheets import is_csv
from audience.ehr.dry_run import DryRun, dry_run
from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.read import FolderReader
from audience.ehr.run import DEFAULT_SOURCE, AlreadyRunning, import_export
from audience.management.told import practice_named, progress_on, tell
from audience.models import EhrConnection
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

_CSV_SOURCE = "csv"


class Command(BaseCommand):
    help = "Read a folder of FHIR R4 files (NDJSON or JSON, plain or gzip) or of CSV files into a practice."

    def add_arguments(self, parser):
        parser.add_argument("practice", help="the practice's short name in addresses, e.g. northside")
        parser.add_argument("folder", type=Path, help="a folder of FHIR R4 or CSV files, or one file")
        parser.add_argument("--source", help="name of the EHR connection (default: fhir, of CSV files csv)")
        parser.add_argument(
            "--snapshot", action="store_true", help="the export has everybody: whoever it lacks becomes inactive"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        parser.add_argument("--csv", action="store_true", help="read the CSV files, although there are others, too")
        parser.add_argument(
            "--mapping",
            type=Path,
            help="column mapping of CSV files as JSON (default: the connection's, if it has one)",
        )
        parser.add_argument("--propose", action="store_true", help="only propose a column mapping for CSV files")

    def handle(self, *, practice: str, folder: Path, propose: bool, **options):
        found = practice_named(practice)
        try:
            if propose:
                self._propose(folder)
            else:
                self._import(found, folder, **options)
        except (FileNotFoundError, AlreadyRunning, Wrong) as error:
            raise CommandError(str(error)) from None

    def _propose(self, folder: Path) -> None:
        proposal = guess(folder)
        self.stdout.write(json.dumps(proposal.mapping.as_json(), indent=2, ensure_ascii=False))
        for problem in proposal.problems:
            self.stderr.write(problem, str)

    def _import(self, practice: Practice, folder: Path, *, source: str | None, snapshot: bool, **options: Any) -> None:
        started = time.monotonic()
        report = progress_on(self.stderr)
        reader: DropReader | FolderReader
        if options["csv"] or options["mapping"] or _has_only_csv(folder):
            source = source or _CSV_SOURCE
            mapping = _mapping(options["mapping"]) if options["mapping"] else _saved_mapping(practice, source)
            reader = DropReader(folder, mapping, is_snapshot=snapshot)
            for note in reader.notes:
                self.stderr.write(note, str)
        else:
            source = source or DEFAULT_SOURCE
            reader = FolderReader(Folder(folder))
        found = (dry_run if options["dry_run"] else import_export)(
            practice, reader, source, report, is_snapshot=snapshot
        )
        with practice_scope(practice):
            tell(found, self.stdout)
        if not found.counts:
            self.stdout.write("Nothing in this folder is a FHIR resource or a CSV file that is read.")
        if isinstance(found, DryRun):
            self.stdout.write(f"Nothing was changed. {found.sentence}")
        total = sum(c.get("read", 0) for c in found.counts.values()) + sum(found.not_read.values())
        self.stdout.write(f"{total:,} records in {time.monotonic() - started:.1f} s")


def _has_only_csv(folder: Path) -> bool:
    if folder.is_file():
        return is_csv(folder)
    files = [file for file in folder.rglob("*") if file.is_file()] if folder.is_dir() else []
    return any(map(is_csv, files)) and not any(not is_csv(file) for file in Folder(folder).files)


def _mapping(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"{file} is no mapping: {error}") from None


def _saved_mapping(practice: Practice, source: str) -> dict[str, Any]:
    with practice_scope(practice):
        connection = EhrConnection.objects.filter(source=source, kind=EhrConnection.Kind.CSV).first()
    return connection.mapping if connection else {}
