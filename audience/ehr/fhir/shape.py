"""Pieces of FHIR files as staged records, and how many of what there were."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from audience.ehr.fhir.folder import Found
from audience.ehr.fhir.stage import is_read, stage
from audience.ehr.packing import Rows
from audience.ehr.reading import Reading
from audience.ehr.records import Rejection


class Shaped(msgspec.Struct):
    """What somebody else made of a piece: see `Tally`, `PackedRows.packed` and `Streak`."""

    number: int
    read: dict[str, int]
    not_read: dict[str, int]
    before: int | None
    after: int
    packed: dict[str, bytes]


class Tally:
    """`number` of resources found; how many were `read` by type ('' = no resource), and how many of others were not."""

    def __init__(self) -> None:
        self.number = 0
        self.read: Counter[str] = Counter()
        self.not_read: Counter[str] = Counter()

    def shape(self, found: Iterable[Found], reading: Reading, rows: Rows) -> None:
        """Adds the records of all that is found to `rows`."""
        for one in found:
            self.number += 1
            if isinstance(one, Rejection):
                self.read[""] += 1
                rows.add(one)
            elif not is_read(one.resource_type):
                self.not_read[one.resource_type] += 1
            else:
                self.read[one.resource_type] += 1
                staged = stage(one, reading)
                if isinstance(staged, Rejection):
                    rows.add(staged)
                else:
                    rows.add_all(staged)

    def add(self, shaped: Shaped) -> None:
        self.number += shaped.number
        self.read.update(shaped.read)
        self.not_read.update(shaped.not_read)
