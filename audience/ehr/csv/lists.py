"""A list of opt-outs alone, without the patients: brought over once from an earlier system, or again and again."""

from pathlib import Path

from audience.ehr.csv.fields import OPT_OUTS
from audience.ehr.csv.mapping import FileMapping, Mapping
from audience.ehr.csv.read import DropReader
from audience.ehr.csv.words import ALL
from audience.ehr.dry_run import DryRun, dry_run
from audience.ehr.reading import Report
from audience.ehr.run import DEFAULT_SOURCE, import_export
from audience.models import EhrConnection, ImportRun, Patient
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope


class ListReader(DropReader):
    """`scope`: what the opt-outs are of where the list does not say ("all", "announcement", "appointment").

    `columns`: field of `fields.OPT_OUTS` → headings; without them the usual ones are looked for. `name`: what the list
    is called, where the file has another name; it stands in the ledger. Raises `mapping.Wrong`.
    """

    def __init__(self, path: Path, *, scope: str = ALL, columns: dict[str, list[str]] | None = None, name: str = ""):
        files = {OPT_OUTS.name: FileMapping("*", columns)} if columns else {}
        mapping = Mapping(files, {"opt_outs.scope": {"": scope}})
        super().__init__(path, mapping.as_json(), only=OPT_OUTS.name, name=name)


def import_opt_outs(
    practice: Practice, reader: ListReader, source: str = "", report: Report | None = None
) -> ImportRun:
    """Into the consent ledger; the finished run counts the lines as "OptOut". Raises AlreadyRunning.

    `source`: which EHR connection the list's patient ids are of; needed only where there are several.
    """
    return import_export(practice, reader, source or source_of(practice), report)


def dry_run_opt_outs(practice: Practice, reader: ListReader, source: str = "", report: Report | None = None) -> DryRun:
    """What `import_opt_outs` would do."""
    return dry_run(practice, reader, source or source_of(practice), report)


def source_of(practice: Practice) -> str:
    """The practice's one EHR; where there are several, the one most of its patients came from last."""
    with practice_scope(practice):
        sources = list(EhrConnection.objects.order_by("pk").values_list("source", flat=True)[:2])
        if len(sources) == 1:
            return sources[0]
        newest = Patient.everyone.order_by("-pk").values_list("source", flat=True).first()
    return newest or DEFAULT_SOURCE
