"""Stages a folder of FHIR files."""

from collections.abc import Mapping

from audience.ehr.counts import Counts
from audience.ehr.fhir.folder import Folder, found_in
from audience.ehr.fhir.shape import Tally
from audience.ehr.fhir.shapers import Shapers
from audience.ehr.reading import Progress, Reading, Report
from audience.ehr.staging import Staging


class FolderReader:
    """See `reading.Reader`."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def read(self, reading: Reading, tables: Staging, counts: Counts, report: Report) -> Mapping[str, int]:
        tally, total = Tally(), self.folder.total_bytes
        with Shapers(reading) as shapers:
            for piece, shaped in shapers.shaped(self.folder.pieces()):
                if piece.streak.is_over:
                    continue
                if shaped and piece.streak.goes_on(piece.lines, shaped.before, shaped.after):
                    tables.add_packed(shaped.packed)
                    tally.add(shaped)
                else:
                    tally.shape(found_in(piece), reading, tables)
                report(Progress("Reading", self.folder.bytes_read, total, tally.number))
        for kind, n in tally.read.items():
            counts.add(kind, "read", n)
        report(Progress("Reading", total, total, tally.number))
        return tally.not_read
