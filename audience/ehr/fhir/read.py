"""Stages a folder of FHIR files."""

from collections import Counter
from collections.abc import Mapping

from audience.ehr.counts import Counts
from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.stage import is_read, stage
from audience.ehr.reading import Progress, Reading, Report
from audience.ehr.records import Rejection
from audience.ehr.staging import Staging

# Resources between two reports of progress.
_REPORT_EVERY = 500


class FolderReader:
    """See `reading.Reader`."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def read(self, reading: Reading, tables: Staging, counts: Counts, report: Report) -> Mapping[str, int]:
        read: Counter[str] = Counter()
        not_read: Counter[str] = Counter()
        number = 0
        for number, found in enumerate(self.folder.read(), 1):
            if number % _REPORT_EVERY == 0:
                report(Progress("Reading", self.folder.bytes_read, self.folder.total_bytes, number))
            if isinstance(found, Rejection):
                read[""] += 1
                tables.add(found)
            elif not is_read(found.resource_type):
                not_read[found.resource_type] += 1
            else:
                read[found.resource_type] += 1
                staged = stage(found, reading)
                if isinstance(staged, Rejection):
                    tables.add(staged)
                else:
                    tables.add_all(staged)
        for kind, n in read.items():
            counts.add(kind, "read", n)
        report(Progress("Reading", self.folder.total_bytes, self.folder.total_bytes, number))
        return not_read
