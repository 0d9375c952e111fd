"""One import from beginning to end: read and stage everything, then apply it chunk by chunk.

Killed at any point it leaves whole chunks behind and nothing half; run again it changes what is still missing. The same
export a second time changes nothing. Every way in gives a `Reader` that fills the staging tables; the rest is shared.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from audience import rollups
from audience.ehr import (
    apply_appointments,
    apply_cases,
    apply_consent,
    apply_patients,
    case_links,
    facts,
    leaving,
    merges,
    new_patients,
    opt_outs,
    prepare,
    resolve,
)
from audience.ehr.compare import chunks, compare
from audience.ehr.counts import Counts
from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.read import FolderReader
from audience.ehr.reading import Progress, Reader, Reading, Report
from audience.ehr.staging import rows, run, staging
from audience.ehr.withdraw import withdraw
from audience.ehr.words import DELETED
from audience.models import ImportRun
from trackstat import clock
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

DEFAULT_SOURCE = "fhir"
# Rows from which on looking up one by one beats joining the whole table.
_LARGE = 500_000
_TABLES = (
    "audience_patient", "audience_appointment", "audience_contactpoint", "audience_case", "audience_diagnosis",
    "audience_service", "audience_payment", "audience_coverage",
)  # fmt: skip
# Rows written after which tables are vacuumed at once rather than when autovacuum comes to it.
_WORTH_A_VACUUM = 1000
# After so many chunks the planner learns anew how large the tables have become.
_LEARN_AFTER = (1, 4, 25, 100)


class AlreadyRunning(Exception):
    """Another import of this practice and source is under way."""


def import_folder(
    practice: Practice,
    folder: Path,
    source: str = DEFAULT_SOURCE,
    report: Report | None = None,
    *,
    is_snapshot: bool = False,
) -> ImportRun:
    """Brings a folder of FHIR R4 files into the practice; see `import_export`. Raises FileNotFoundError, too."""
    return import_export(practice, FolderReader(Folder(folder)), source, report, is_snapshot=is_snapshot)


def import_export(
    practice: Practice, reader: Reader, source: str, report: Report | None = None, *, is_snapshot: bool = False
) -> ImportRun:
    """Brings what `reader` stages into the practice; the finished run, with its counts and rejections.

    `source` names the connection: ids are unique within it. With `is_snapshot`, whoever the export does not have
    becomes inactive. Raises AlreadyRunning.
    """
    report = report or (lambda progress: None)
    with alone(practice, source):
        with practice_scope(practice):
            _close_interrupted(source)
            import_run = ImportRun.objects.create(source=source, is_snapshot=is_snapshot)
            reading = Reading(clock.today(practice), practice.tz)
        of = {"practice": practice.pk, "source": source, "run": import_run.pk, "zone": str(reading.zone)}
        counts = Counts()
        try:
            _import(practice, reader, reading, of, import_run, counts, report)
        except BaseException as error:
            _finish(practice, import_run, counts, ImportRun.State.FAILED, f"Stopped by {type(error).__name__}")
            raise
        _finish(practice, import_run, counts, ImportRun.State.DONE, import_run.error)
    _vacuum(import_run)
    return import_run


def _import(
    practice: Practice,
    reader: Reader,
    reading: Reading,
    of: dict[str, Any],
    import_run: ImportRun,
    counts: Counts,
    report: Report,
) -> None:
    with staging() as tables:
        import_run.not_read = dict(reader.read(reading, tables, counts, report))
        tables.finish()
        report(Progress("Comparing", 0, 1, 0))
        compare_staged(practice, of, import_run, counts)
        report(Progress("Comparing", 1, 1, 0))
        opt_outs.apply(practice, of)
        dealt = chunks()
        for number, (first, last) in enumerate(dealt):
            report(Progress("Applying", number, len(dealt), 0))
            with practice_scope(practice):
                _plan_for_few()
                _apply_chunk(of | {"first": first, "last": last}, counts)
                _save(import_run, counts)
            if number + 1 in _LEARN_AFTER:
                run(f"ANALYZE {', '.join(_TABLES)}")
        _finish_off(practice, of, import_run, counts)
        report(Progress("Applying", len(dealt), len(dealt), 0))


def compare_staged(practice: Practice, of: dict[str, Any], import_run: ImportRun, counts: Counts) -> None:
    """What is staged beside what is there. Writes nothing but choices, rejections and the run's counts."""
    for kind, number in prepare.settle().items():
        counts.add(kind, "repeated", number)
    with practice_scope(practice):
        _plan_for_sets()
        merges.follow(of)
    prepare.join()
    with practice_scope(practice):
        _plan_for_sets()
        resolve.refuse_orphans(of)
        resolve.drop_repeated_facts(of)
        prepare.name()
        resolve.make_choices(of)
        resolve.join_encounters(of)
        opt_outs.settle(of)
        resolve.store_rejections(of)
        _count_staged(counts)
        for kind, number in compare(of).items():
            counts.add(kind, "unchanged", number)
        opt_outs.count(counts)
        _save(import_run, counts)


def _apply_chunk(of: dict[str, Any], counts: Counts) -> None:
    """Patients with everything of theirs and their rollups: all of it or nothing."""
    apply_patients.take_chunk(of)
    apply_patients.make_contact_points(of)
    apply_consent.find_flags(of)
    apply_patients.lock(of)
    run("CREATE TEMPORARY TABLE touched (patient_id bigint NOT NULL) ON COMMIT DROP")
    counts.add_each("Patient", apply_patients.apply_patients(of))
    apply_consent.write_flags(of)
    for written in (apply_cases.apply_cases(of), apply_appointments.apply_appointments(of)):
        for kind, numbers in written.items():
            counts.add_each(kind, numbers)
    facts.apply_facts(of)
    case_links.apply(of)
    new_patients.find_unvisited()
    rollups.refresh("touched")
    new_patients.tag(of)
    # Within a caller's transaction (a test's) they would otherwise still be there for the next chunk.
    run("""DROP TABLE chunk_key, chunk_patient, chunk_appointment, chunk_case, chunk_check_in, chunk_marketing,
                      chunk_flag, touched""")


def _finish_off(practice: Practice, of: dict[str, Any], import_run: ImportRun, counts: Counts) -> None:
    """What concerns records as a whole, when all that is new is there: taken back, replaced, deleted, missing."""
    for (kind, why), number in withdraw(practice, of).items():
        counts.add(kind, "changed", number)
        counts.leave_out(kind, why, -number) if why else counts.add(kind, "joined", -number)
    merges.move(practice, of)
    deleted = leaving.delete(practice, of)
    counts.add("Patient", "changed", deleted)
    counts.leave_out("Patient", DELETED, rows("SELECT count(*) FROM ehr_gone")[0][0] - deleted)
    if import_run.is_snapshot:
        import_run.error = leaving.missing_in_snapshot()
        if not import_run.error:
            counts.add("Patient", "missing", leaving.absent(practice, of))
    for kind, became, why, number in facts.count_entries():
        counts.leave_out(kind, why, number) if became == "left_out" else counts.add(kind, became, number)


def _plan_for_few() -> None:
    """A chunk looks its few thousand rows up: by index, also while the planner still takes the tables for empty."""
    run("SET LOCAL enable_seqscan = off")


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
    for kind, why, number in rows("""
        SELECT resource_type, left_out, count(*) FROM ehr_appointment WHERE status = '' GROUP BY 1, 2
        UNION ALL SELECT resource_type, left_out, count(*) FROM ehr_case WHERE left_out <> '' GROUP BY 1, 2"""):
        counts.leave_out(kind, why, number) if why else counts.add(kind, "joined", number)


def _save(import_run: ImportRun, counts: Counts) -> None:
    import_run.counts, import_run.left_out = counts.as_json(), counts.why_as_json()
    import_run.save(update_fields=["counts", "left_out", "not_read"])


def _finish(practice: Practice, import_run: ImportRun, counts: Counts, state: str, error: str) -> None:
    if connection.connection is None or not connection.is_usable():
        return
    with practice_scope(practice):
        import_run.state, import_run.error, import_run.finished_at = state, error, clock.now()
        import_run.save(update_fields=["state", "error", "finished_at"])
        _save(import_run, counts)


def _close_interrupted(source: str) -> None:
    """Runs that say "running" while nobody holds the lock were killed."""
    ImportRun.objects.filter(source=source, state=ImportRun.State.RUNNING).update(
        state=ImportRun.State.FAILED, error="Interrupted", finished_at=clock.now()
    )


@contextmanager
def alone(practice: Practice, source: str) -> Iterator[None]:
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
