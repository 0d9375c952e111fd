"""One import from beginning to end: read and stage everything, then apply it chunk by chunk.

Killed at any point it leaves whole chunks behind and nothing half; run again it changes what is still missing. The same
export a second time changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection

from audience import rollups
from audience.ehr import apply_appointments, apply_patients, resolve
from audience.ehr.compare import compare
from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.stage import Reading, is_read, stage
from audience.ehr.prepare import prepare
from audience.ehr.records import Rejection
from audience.ehr.staging import Staging, rows, run, staging
from audience.models import ImportRun
from trackstat import clock
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

DEFAULT_SOURCE = "fhir"
# Rows from which on looking up one by one beats joining the whole table.
_LARGE = 500_000
_TABLES = ("audience_patient", "audience_appointment", "audience_contactpoint")
# Rows written after which tables are vacuumed at once rather than when autovacuum comes to it.
_WORTH_A_VACUUM = 1000
# Resources between two reports of progress.
_REPORT_EVERY = 500


class AlreadyRunning(Exception):
    """Another import of this practice and source is under way."""


class Progress(NamedTuple):
    """How far an import is: `done` of `total` (bytes while reading, chunks while applying); `records` so far."""

    step: str
    done: int
    total: int
    records: int


Report = Callable[[Progress], None]


def import_folder(
    practice: Practice, folder: Path, source: str = DEFAULT_SOURCE, report: Report | None = None
) -> ImportRun:
    """Brings a folder of FHIR R4 files into the practice; the finished run, with its counts and rejections.

    `source` names the connection: ids are unique within it. Raises FileNotFoundError, and AlreadyRunning.
    """
    report = report or (lambda progress: None)
    found = Folder(folder)
    with _alone(practice, source):
        with practice_scope(practice):
            _close_interrupted(source)
            import_run = ImportRun.objects.create(source=source)
            reading = Reading(clock.today(practice), practice.tz)
        of = {"practice": practice.pk, "source": source, "run": import_run.pk, "zone": str(reading.zone)}
        try:
            counts = _import(practice, found, reading, of, import_run, report)
        except BaseException as error:
            _finish(practice, import_run, ImportRun.State.FAILED, f"Stopped by {type(error).__name__}")
            raise
        import_run.counts = counts.as_json()
        _finish(practice, import_run, ImportRun.State.DONE)
    _vacuum(import_run)
    return import_run


class Counts:
    """By resource type: read, new, changed, unchanged, rejected, repeated, joined and left out."""

    def __init__(self) -> None:
        self.by_type: dict[str, Counter[str]] = {}

    def add(self, resource_type: str, what: str, number: int = 1) -> None:
        self.by_type.setdefault(resource_type or "Unreadable", Counter())[what] += number

    def add_each(self, resource_type: str, numbers: dict[str, int]) -> None:
        for what, number in numbers.items():
            self.add(resource_type, what, number)

    def as_json(self) -> dict[str, dict[str, int]]:
        found = {kind: {what: n for what, n in counts.items() if n} for kind, counts in sorted(self.by_type.items())}
        return {kind: counts for kind, counts in found.items() if counts}


def _import(
    practice: Practice, folder: Folder, reading: Reading, of: dict[str, Any], import_run: ImportRun, report: Report
) -> Counts:
    counts = Counts()
    with staging() as stage_tables:
        import_run.not_read = _read(folder, reading, stage_tables, counts, report)
        for kind, number in prepare().items():
            counts.add(kind, "repeated", number)
        with practice_scope(practice):
            _plan_for_sets()
            resolve.refuse_orphans(of)
            resolve.make_choices(of)
            resolve.join_encounters(of)
            resolve.store_rejections(of)
            _count_staged(counts)
            for kind, number in compare(of).items():
                counts.add(kind, "unchanged", number)
            _save(import_run, counts)
        chunks = rows("SELECT coalesce(max(chunk) + 1, 0) FROM ehr_chunk")[0][0]
        for chunk in range(chunks):
            report(Progress("Applying", chunk, chunks, 0))
            with practice_scope(practice):
                _plan_for_sets()
                _apply_chunk(of | {"chunk": chunk}, counts)
                _save(import_run, counts)
        with practice_scope(practice):
            _plan_for_sets()
            withdrawn = apply_appointments.withdraw(of)
            rollups.refresh_visits("touched")
            run("DROP TABLE touched")
            for kind, number in withdrawn.items():
                counts.add(kind, "changed", number)
                counts.add(kind, "left_out", -number)
        report(Progress("Applying", chunks, chunks, 0))
    return counts


def _read(folder: Folder, reading: Reading, tables: Staging, counts: Counts, report: Report) -> dict[str, int]:
    """Stages the whole folder; answers how many resources of which types are not read yet."""
    not_read: Counter[str] = Counter()
    number = 0
    for number, found in enumerate(folder.read(), 1):
        if number % _REPORT_EVERY == 0:
            report(Progress("Reading", folder.bytes_read, folder.total_bytes, number))
        if isinstance(found, Rejection):
            counts.add("", "read")
            tables.add(found)
        elif not is_read(found.resource_type):
            not_read[found.resource_type] += 1
        else:
            counts.add(found.resource_type, "read")
            staged = stage(found, reading)
            if isinstance(staged, Rejection):
                tables.add(staged)
            else:
                tables.add_all(staged)
    tables.finish()
    report(Progress("Reading", folder.total_bytes, folder.total_bytes, number))
    return dict(not_read)


def _apply_chunk(of: dict[str, Any], counts: Counts) -> None:
    """Patients with their contact points, appointments and rollups: all of it or nothing."""
    apply_patients.take_chunk(of)
    apply_patients.make_contact_points(of)
    apply_patients.lock(of)
    patients = apply_patients.apply_patients(of)
    appointments = apply_appointments.apply_appointments(of)
    rollups.refresh_visits("touched")
    # Within a caller's transaction (a test's) they would otherwise still be there for the next chunk.
    run("DROP TABLE chunk_patient, chunk_appointment, chunk_check_in, touched")
    counts.add_each("Patient", patients)
    for kind, numbers in appointments.items():
        counts.add_each(kind, numbers)


def _plan_for_sets() -> None:
    """Until a table is large and its statistics are known, joining it as a whole is right.

    The planner takes a fresh table for nearly empty and would look through all of it once for each staged row.
    """
    known = rows("SELECT max(reltuples) FROM pg_class WHERE relname = ANY(%(tables)s)", {"tables": list(_TABLES)})[0][0]
    if known < _LARGE:
        run("SET LOCAL enable_nestloop = off")


def _count_staged(counts: Counts) -> None:
    for kind, number in rows("SELECT resource_type, count(*) FROM ehr_rejection GROUP BY 1"):
        counts.add(kind, "rejected", number)
    for kind, joined, number in rows("""
        SELECT resource_type, appointment_key <> '' AND checked_in_at IS NOT NULL, count(*)
        FROM ehr_appointment WHERE status = '' GROUP BY 1, 2"""):
        counts.add(kind, "joined" if joined else "left_out", number)


def _save(import_run: ImportRun, counts: Counts) -> None:
    import_run.counts = counts.as_json()
    import_run.save(update_fields=["counts", "not_read"])


def _finish(practice: Practice, import_run: ImportRun, state: str, error: str = "") -> None:
    if connection.connection is None or not connection.is_usable():
        return
    with practice_scope(practice):
        import_run.state, import_run.error, import_run.finished_at = state, error, clock.now()
        import_run.save(update_fields=["state", "error", "finished_at", "counts", "not_read"])


def _close_interrupted(source: str) -> None:
    """Runs that say "running" while nobody holds the lock were killed."""
    ImportRun.objects.filter(source=source, state=ImportRun.State.RUNNING).update(
        state=ImportRun.State.FAILED, error="Interrupted", finished_at=clock.now()
    )


@contextmanager
def _alone(practice: Practice, source: str) -> Iterator[None]:
    """Holds the lock of this practice and source; the database gives it back by itself when the process dies."""
    lock = {"key": f"ehr import {practice.pk} {source}"}
    if not rows("SELECT pg_try_advisory_lock(hashtextextended(%(key)s, 0))", lock)[0][0]:
        raise AlreadyRunning(f"An import of {practice.name} ({source}) is already running")
    try:
        yield
    finally:
        if connection.connection is not None and connection.is_usable() and not connection.needs_rollback:
            run("SELECT pg_advisory_unlock(hashtextextended(%(key)s, 0))", lock)


def _vacuum(import_run: ImportRun) -> None:
    """After large changes, so that index-only scans stay and the planner knows the tables; not within a transaction."""
    written = sum(counts.get("new", 0) + counts.get("changed", 0) for counts in import_run.counts.values())
    if written >= _WORTH_A_VACUUM and not connection.in_atomic_block:
        run(f"VACUUM (ANALYZE, SKIP_LOCKED) {', '.join(_TABLES)}")
