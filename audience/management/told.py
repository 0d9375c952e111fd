"""How commands tell people of an import: progress while it runs, then a table and the rejections."""

import sys
import time
from collections.abc import Iterable

from django.core.management.base import CommandError, OutputWrapper
from django.db.models import Count, Min

from audience.ehr.dry_run import DryRun, Rejected
from audience.ehr.reading import Progress, Report
from audience.ehr.words import NOT_READ, NOT_READ_OTHERWISE
from audience.models import ImportRejection, ImportRun
from trackstat.tenancy.models import Practice

COLUMNS = ("read", "new", "changed", "unchanged", "joined", "left_out", "repeated", "rejected", "missing")
# Examples shown of each reason.
_EXAMPLES = 3


def practice_named(slug: str) -> Practice:
    try:
        return Practice.objects.get(slug=slug)
    except Practice.DoesNotExist:
        slugs = ", ".join(Practice.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no practice “{slug}”. There are: {slugs}") from None


def progress_on(stream: OutputWrapper) -> Report:
    return _bar(stream) if sys.stderr.isatty() else _lines(stream)


def tell(found: ImportRun | DryRun, out: OutputWrapper) -> None:
    """The table by resource type, why records were left out, and the rejections by reason. Within the practice."""
    columns = [c for c in COLUMNS if any(counts.get(c) for counts in found.counts.values())]
    width = max(map(len, (*found.counts, *found.not_read, "")), default=0) + 2
    out.write(" " * width + "".join(f"{name.replace('_', ' '):>11}" for name in columns))
    for kind, counts in found.counts.items():
        out.write(f"{kind:<{width}}" + "".join(f"{counts.get(name, 0):>11,}" for name in columns))
    for kind, number in sorted(found.not_read.items()):
        out.write(f"{kind:<{width}}{number:>11,}  not read: {NOT_READ.get(kind, NOT_READ_OTHERWISE)}")
    for kind, reasons in found.left_out.items():
        for why, number in sorted(reasons.items()):
            out.write(f"{number:,} {kind} left out: {why}")
    if problem := found.problem if isinstance(found, DryRun) else found.error:
        out.write(problem)
    for group in found.rejections if isinstance(found, DryRun) else _rejections(found):
        out.write(f"\n{group.number:,} rejected: {group.reason}")
        for file, line, kind, external_id in group.examples:
            out.write(f"    {file}:{line} {kind} {external_id}".rstrip())
        if group.number > _EXAMPLES:
            out.write(f"    and {group.number - _EXAMPLES:,} more")


def _rejections(import_run: ImportRun) -> Iterable[Rejected]:
    rejections = ImportRejection.objects.filter(run=import_run)
    reasons = rejections.values("reason").annotate(number=Count("id"), first=Min("id")).order_by("-number", "reason")
    for group in reasons:
        first = rejections.filter(reason=group["reason"]).order_by("id")[:_EXAMPLES]
        examples = list(first.values_list("file", "line", "resource_type", "external_id"))
        yield Rejected(group["reason"], group["number"], examples)


def _bar(stream: OutputWrapper) -> Report:
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
        number = f" {progress.records:,} records" if progress.records else ""
        stream.write(f"\r{progress.step:<9} {filled:<30} {share:4.0%}{number}\033[K", str, ending="\n" if done else "")
        stream.flush()

    return draw


def _lines(stream: OutputWrapper) -> Report:
    """A line when a step begins and ends, and every five seconds in between."""
    said: tuple[str, float] = ("", 0.0)

    def say(progress: Progress) -> None:
        nonlocal said
        done = progress.done >= progress.total
        if progress.step == said[0] and time.monotonic() - said[1] < 5 and not done:
            return
        said = (progress.step, time.monotonic())
        share = progress.done / progress.total if progress.total else 1.0
        number = f", {progress.records:,} records" if progress.records else ""
        stream.write(f"{progress.step}: {share:.0%}{number}", str)

    return say
