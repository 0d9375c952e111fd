"""`bin/manage ehr_import PRACTICE FOLDER`: brings an EHR's export into a practice and says what became of it."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, Min

from audience.ehr.reading import Progress
from audience.ehr.run import DEFAULT_SOURCE, AlreadyRunning, import_folder
from audience.ehr.words import NOT_READ, NOT_READ_OTHERWISE
from audience.models import ImportRejection, ImportRun
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

COLUMNS = ("read", "new", "changed", "unchanged", "joined", "left_out", "repeated", "rejected", "missing")
# Examples shown of each reason.
_EXAMPLES = 3


class Command(BaseCommand):
    help = "Read a folder of FHIR R4 files (NDJSON or JSON, plain or gzip) into a practice."

    def add_arguments(self, parser):
        parser.add_argument("practice", help="the practice's short name in addresses, e.g. northside")
        parser.add_argument("folder", type=Path, help="a folder of FHIR R4 files, or one file")
        parser.add_argument(
            "--source", default=DEFAULT_SOURCE, help="name of the EHR connection (default: %(default)s)"
        )

        parser.add_argument(
            "--snapshot", action="store_true", help="the export has everybody: whoever it lacks becomes inactive"
        )

    def handle(self, *, practice: str, folder: Path, source: str, snapshot: bool, **options):
        try:
            found = Practice.objects.get(slug=practice)
        except Practice.DoesNotExist:
            slugs = ", ".join(Practice.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no practice “{practice}”. There are: {slugs}") from None
        started = time.monotonic()
        bar = _bar(self.stderr) if sys.stderr.isatty() else _lines(self.stderr)
        try:
            import_run = import_folder(found, folder, source, bar, is_snapshot=snapshot)
        except (FileNotFoundError, AlreadyRunning) as error:
            raise CommandError(str(error)) from None
        self._table(import_run)
        with practice_scope(found):
            self._rejections(import_run)
        if not import_run.counts:
            self.stdout.write("Nothing in this folder is a FHIR resource that is read.")
        seconds = time.monotonic() - started
        total = sum(c.get("read", 0) for c in import_run.counts.values()) + sum(import_run.not_read.values())
        self.stdout.write(f"{total:,} resources in {seconds:.1f} s")

    def _table(self, import_run: ImportRun) -> None:
        columns = [c for c in COLUMNS if any(counts.get(c) for counts in import_run.counts.values())]
        width = max(map(len, (*import_run.counts, *import_run.not_read, "")), default=0) + 2
        self.stdout.write(" " * width + "".join(f"{name.replace('_', ' '):>11}" for name in columns))
        for kind, counts in import_run.counts.items():
            self.stdout.write(f"{kind:<{width}}" + "".join(f"{counts.get(name, 0):>11,}" for name in columns))
        for kind, number in sorted(import_run.not_read.items()):
            self.stdout.write(f"{kind:<{width}}{number:>11,}  not read: {NOT_READ.get(kind, NOT_READ_OTHERWISE)}")
        for kind, reasons in import_run.left_out.items():
            for why, number in sorted(reasons.items()):
                self.stdout.write(f"{number:,} {kind} left out: {why}")
        if import_run.error:
            self.stdout.write(import_run.error)

    def _rejections(self, import_run: ImportRun) -> None:
        rejections = ImportRejection.objects.filter(run=import_run)
        reasons = (
            rejections.values("reason").annotate(number=Count("id"), first=Min("id")).order_by("-number", "reason")
        )
        for group in reasons:
            self.stdout.write(f"\n{group['number']:,} rejected: {group['reason']}")
            for one in rejections.filter(reason=group["reason"]).order_by("id")[:_EXAMPLES]:
                self.stdout.write(f"    {one.file}:{one.line} {one.resource_type} {one.external_id}".rstrip())
            if group["number"] > _EXAMPLES:
                self.stdout.write(f"    and {group['number'] - _EXAMPLES:,} more")


def _bar(stream) -> Callable[[Progress], None]:
    """One line that fills up, redrawn at most ten times a second; plain, not in the red of errors."""
    drawn = 0.0

    def draw(progress: Progress) -> None:
        nonlocal drawn
        done = progress.done >= progress.total
        if time.monotonic() - drawn < 0.1 and not done:
            return
        drawn = time.monotonic()
        share = progress.done / progress.total if progress.total else 1.0
        filled = "█" * round(share * 30)
        number = f" {progress.records:,} resources" if progress.records else ""
        stream.write(f"\r{progress.step:<9} {filled:<30} {share:4.0%}{number}\033[K", str, ending="\n" if done else "")
        stream.flush()

    return draw


def _lines(stream) -> Callable[[Progress], None]:
    """A line when a step begins and ends, and every five seconds in between."""
    said: tuple[str, float] = ("", 0.0)

    def say(progress: Progress) -> None:
        nonlocal said
        done = progress.done >= progress.total
        if progress.step == said[0] and time.monotonic() - said[1] < 5 and not done:
            return
        said = (progress.step, time.monotonic())
        share = progress.done / progress.total if progress.total else 1.0
        number = f", {progress.records:,} resources" if progress.records else ""
        stream.write(f"{progress.step}: {share:.0%}{number}", str)

    return say
