"""Figures beside the limit measured in the same run, and what is printed of them."""

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from django.db import connection


@dataclass(frozen=True)
class Figure:
    """`figure` and `limit` in `unit`; PASS when figure ÷ limit is at least (`most`: at most) the target."""

    name: str
    figure: float
    limit: float
    unit: str
    target: float
    most: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.figure / self.limit

    @property
    def passes(self) -> bool:
        return self.ratio <= self.target if self.most else self.ratio >= self.target

    def line(self) -> str:
        sign, verdict = "≤" if self.most else "≥", "PASS" if self.passes else "FAIL"
        known = f"{self.figure:,.4g}" if self.figure < 100 else f"{self.figure:,.0f}"
        limit = f"{self.limit:,.4g}" if self.limit < 100 else f"{self.limit:,.0f}"
        words = (
            f"{self.name}: {known} {self.unit}, limit {limit}, ratio {self.ratio:.2f}, target {sign} {self.target:g}"
        )
        return f"{words}  {verdict}" + (f"\n    {self.note}" if self.note else "")


def report(figures: list[Figure], file: Path | None) -> int:
    """Print them, keep them as JSON where asked, and answer with the exit status."""
    for figure in figures:
        print(figure.line(), flush=True)
    if file:
        kept = [asdict(figure) | {"ratio": figure.ratio, "passes": figure.passes} for figure in figures]
        file.write_text(json.dumps(kept, indent=1) + "\n")
    return 0 if all(figure.passes for figure in figures) else 1


class Cost:
    """CPU seconds of this process and of its PostgreSQL backend while the block runs: what else the machine does
    changes them little, while it may double what a clock on the wall says. Linux only.

    `backend`: the process id of the one to watch, where it is not that of Django's connection.
    """

    def __init__(self, backend: int | None = None) -> None:
        self._backend = backend

    def __enter__(self) -> "Cost":
        if self._backend is None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self._backend = cursor.fetchone()[0]
        self._wall, self._from = time.perf_counter(), self._now()
        return self

    def __exit__(self, *exc_info: object) -> None:
        here, there = self._now()
        self.client, self.server = here - self._from[0], there - self._from[1]
        self.wall = time.perf_counter() - self._wall

    @property
    def cpu(self) -> float:
        return self.client + self.server

    def _now(self) -> tuple[float, float]:
        nanoseconds = int(Path(f"/proc/{self._backend}/schedstat").read_text().split()[0])
        return time.process_time(), nanoseconds / 1e9


def interleaved(rounds: int, **what: Callable[[], float]) -> dict[str, float]:
    """The median of each over rounds in which they take turns, so that a busy moment hits all of them."""
    found: dict[str, list[float]] = {name: [] for name in what}
    for _ in range(rounds):
        for name, measure in what.items():
            found[name].append(measure())
    return {name: statistics.median(values) for name, values in found.items()}


def load() -> str:
    return f"load average {os.getloadavg()[0]:.1f} on {os.process_cpu_count()} cores"
