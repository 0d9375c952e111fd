"""What a way in is: something that reads an export and stages its records."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, Protocol
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from audience.ehr.counts import Counts
    from audience.ehr.staging import Staging


class Reading(NamedTuple):
    """What a reading depends on besides the export: the practice's date and its time zone."""

    on: date
    zone: ZoneInfo


class Progress(NamedTuple):
    """How far an import is: `done` of `total` (bytes while reading, chunks while applying); `records` so far."""

    step: str
    done: int
    total: int
    records: int


Report = Callable[[Progress], None]


class Reader(Protocol):
    """FHIR files today; a FHIR server or CSV files are others."""

    def read(self, reading: Reading, tables: "Staging", counts: "Counts", report: Report) -> Mapping[str, int]:
        """Stages everything and counts what was "read" by resource type; answers how many of which types are not.

        A record is staged whole or as a `Rejection`. Nothing of the practice may be touched here.
        """
        ...
