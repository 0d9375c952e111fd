"""What an export would change, without changing a row: the connections page's “3,412 patients would come”.

The same way as an import up to the point where it would begin to write: read, staged, compared. What the comparison
itself notes (new choices, rejections) is rolled back with it. No patient, appointment or contact point is locked, and
other imports of this practice and source are refused meanwhile.
"""

from dataclasses import dataclass, field
from typing import Any

from audience.ehr import facts, leaving, withdraw
from audience.ehr.counts import Counts
from audience.ehr.live import places
from audience.ehr.reading import Progress, Reader, Reading, Report
from audience.ehr.run import alone, compare_staged
from audience.ehr.staging import rows, staging
from audience.models import EhrConnection, ImportRun
from trackstat import clock
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

# Examples of each reason for a rejection.
_EXAMPLES = 3


@dataclass(frozen=True)
class Rejected:
    """Why records would be rejected, how many, and the first of them as (file, line, type, id)."""

    reason: str
    number: int
    examples: list[tuple[str, int, str, str]]


@dataclass(frozen=True)
class DryRun:
    """`counts`, `left_out` and `not_read` are shaped as in `ImportRun`; "missing" in counts["Patient"] would become
    inactive. `problem`: why nobody would, although it is a snapshot; `notes`: what was read in one of two ways.
    """

    counts: dict[str, dict[str, int]]
    left_out: dict[str, dict[str, int]]
    not_read: dict[str, int]
    rejections: list[Rejected]
    problem: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def patients(self) -> int:
        """Patients who would come: new, changed or as they are."""
        of = self.counts.get("Patient", {})
        return sum(of.get(what, 0) for what in ("new", "changed", "unchanged"))

    @property
    def sentence(self) -> str:
        """“3,412 patients would come: 3,000 new, 12 changed, 400 as they are. 5 would become inactive.”"""
        of = self.counts.get("Patient", {})
        parts = [
            f"{of[what]:,} {words}"
            for what, words in (("new", "new"), ("changed", "changed"), ("unchanged", "as they are"))
            if of.get(what)
        ]
        said = f"{self.patients:,} patient{'' if self.patients == 1 else 's'} would come"
        said += f": {', '.join(parts)}." if parts else "."
        if missing := of.get("missing"):
            said += f" {missing:,} would become inactive."
        if rejected := sum(one.number for one in self.rejections):
            said += f" {rejected:,} record{'' if rejected == 1 else 's'} would be rejected."
        return said

    def as_json(self) -> dict[str, Any]:
        """To keep with a test; `of_json` makes it a DryRun again."""
        return {
            "counts": self.counts,
            "left_out": self.left_out,
            "not_read": self.not_read,
            "rejections": [[one.reason, one.number, one.examples] for one in self.rejections],
            "problem": self.problem,
            "notes": self.notes,
        }

    @classmethod
    def of_json(cls, said: dict[str, Any]) -> "DryRun":
        rejections = [
            Rejected(reason, number, [tuple(example) for example in examples])
            for reason, number, examples in said["rejections"]
        ]
        return cls(said["counts"], said["left_out"], said["not_read"], rejections, said["problem"], said["notes"])


def dry_run_connection(practice: Practice, connection: EhrConnection, report: Report | None = None) -> DryRun:
    """Of a connection to a folder, of FHIR or CSV files; a server's export is first fetched into one.

    Raises AlreadyRunning; Refused and Later as a sync does.
    """
    folder = places.drop_folder(practice, connection)
    reader = places.reader(connection, folder)
    return dry_run(practice, reader, connection.source, report, is_snapshot=connection.is_snapshot)


def dry_run(
    practice: Practice, reader: Reader, source: str, report: Report | None = None, *, is_snapshot: bool = False
) -> DryRun:
    """What `run.import_export` would make of what `reader` stages. Raises AlreadyRunning."""
    report = report or (lambda progress: None)
    counts = Counts()
    with alone(practice, source), staging() as tables:
        with practice_scope(practice):
            reading = Reading(clock.today(practice), practice.tz)
        not_read = dict(reader.read(reading, tables, counts, report))
        tables.finish()
        report(Progress("Comparing", 0, 1, 0))
        try:
            with practice_scope(practice):
                of = {"practice": practice.pk, "source": source, "zone": str(reading.zone)}
                foreseen = _foresee(practice, of, counts, is_snapshot)
                # Nobody sees them before the end of the transaction, which there is none of.
                raise _Undone(foreseen)
        except _Undone as undone:
            problem, rejections = undone.foreseen
        report(Progress("Comparing", 1, 1, 0))
    notes = list(getattr(reader, "notes", ()))
    return DryRun(counts.as_json(), counts.why_as_json(), not_read, rejections, problem, notes)


class _Undone(Exception):
    def __init__(self, foreseen: tuple[str, list[Rejected]]):
        self.foreseen = foreseen
        super().__init__()


def _foresee(practice: Practice, of: dict[str, Any], counts: Counts, is_snapshot: bool) -> tuple[str, list[Rejected]]:
    """Fills `counts` as the import would; why nobody would be marked as missing, and what would be rejected."""
    run = ImportRun.objects.create(source=of["source"], is_snapshot=is_snapshot)
    of["run"] = run.pk
    compare_staged(practice, of, run, counts)
    for kind, is_new, number in rows("""
        SELECT 'Patient', id IS NULL, count(*) FROM ehr_patient_change GROUP BY 2
        UNION ALL SELECT resource_type, id IS NULL, count(*) FROM ehr_appointment_change GROUP BY 1, 2
        UNION ALL SELECT resource_type, id IS NULL, count(*) FROM ehr_case_change GROUP BY 1, 2"""):
        counts.add(kind, "new" if is_new else "changed", number)
    for (kind, why), number in withdraw.expected(of).items():
        counts.add(kind, "changed", number)
        counts.leave_out(kind, why, -number) if why else counts.add(kind, "joined", -number)
    for kind, became, why, number in facts.count_entries():
        counts.leave_out(kind, why, number) if became == "left_out" else counts.add(kind, became, number)
    deleted, missing = leaving.expected(of)
    counts.add("Patient", "changed", deleted)
    problem = leaving.missing_in_snapshot() if is_snapshot else ""
    if is_snapshot and not problem:
        counts.add("Patient", "missing", missing)
    return problem, _rejections()


def _rejections() -> list[Rejected]:
    return [
        Rejected(reason, number, [tuple(example) for example in examples])
        for reason, number, examples in rows(
            """SELECT reason, count(*), (array_agg(json_build_array(file, line, resource_type, external_id)
                                                   ORDER BY file, line))[1:%(most)s]
               FROM ehr_rejection GROUP BY 1 ORDER BY 2 DESC, 1""",
            {"most": _EXAMPLES},
        )
    ]
