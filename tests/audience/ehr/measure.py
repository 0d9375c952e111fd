"""How fast an import is: `python -m tests.audience.ehr.measure PRACTICE FOLDER`, on any database.

`multiply` makes a large export of a small one.
"""

import gzip
import re
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

_UUID = re.compile(rb"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8})[0-9a-f]{4}")
_MILLION = 1024 * 1024


class Figures(NamedTuple):
    """Seconds by step, resources read, and the process's peak memory in MB."""

    resources: int
    reading: float
    comparing: float
    applying: float
    finishing: float
    longest_chunk: float
    memory: int

    def __str__(self) -> str:
        applied = self.comparing + self.applying
        return (
            f"{self.resources:,} resources: read in {self.reading:.1f} s, {self.resources / self.reading:,.0f}/s;"
            f" compared {self.comparing:.1f} s, applied {self.applying:.1f} s, both {self.resources / applied:,.0f}/s;"
            f" longest chunk {self.longest_chunk:.2f} s; vacuumed {self.finishing:.1f} s; {self.memory:,} MB at most"
        )


def measure(practice, folder: Path, source: str = "measured") -> Figures:
    """Imports the folder and says what each step took."""
    from audience.ehr.run import import_folder

    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    chunks: list[float] = []
    read = 0

    def watch(progress) -> None:
        nonlocal read
        now = time.perf_counter()
        began.setdefault(progress.step, now)
        ended[progress.step] = now
        read = max(read, progress.records)
        if progress.step == "Applying":
            chunks.append(now)

    start = time.perf_counter()
    import_folder(practice, folder, source, watch)
    finished = time.perf_counter()
    longest = max((later - earlier for earlier, later in pairwise(chunks)), default=0.0)
    return Figures(
        read,
        began["Comparing"] - start,
        ended["Comparing"] - began["Comparing"],
        ended["Applying"] - ended["Comparing"],
        finished - ended["Applying"],
        longest,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // _MILLION,
    )


def multiply(export: Path, folder: Path, times: int) -> Path:
    """Writes `times` copies of an export whose ids are UUIDs, each copy with ids of its own; plain NDJSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(export.glob("*.ndjson*")):
        body = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        with (folder / file.name.removesuffix(".gz")).open("wb") as out:
            for copy in range(times):
                out.write(_UUID.sub(rb"\g<1>" + f"{copy:04x}".encode(), body))
    return folder


if __name__ == "__main__":
    import django

    django.setup()
    from trackstat.tenancy.models import Practice

    print(measure(Practice.objects.get(slug=sys.argv[1]), Path(sys.argv[2])))
