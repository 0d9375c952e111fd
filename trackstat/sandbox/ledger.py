"""The append-only file of facts. It is the judge in fault tests: what it says was accepted is the truth."""

import os
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import msgspec

from trackstat.sandbox.clock import Clock

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Ledger:
    """One JSON line a fact: `seq`, `at` (sandbox time, ISO 8601 UTC), `real` (Unix seconds), `kind`, and what it says.

    A line is handed to the operating system before `append` returns, so a fact that was answered for survives kill -9.
    """

    def __init__(self, path: Path, clock: Clock):
        self._path = path
        self._clock = clock
        self._starts = array("Q")  # byte offset of each line, so that `since` needs no reading from the beginning
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = self._drop_torn_line()

    def _drop_torn_line(self) -> int:
        """Cut a last line without its newline: it was never answered for."""
        size = os.fstat(self._fd).st_size
        end = size
        while end:
            start = max(0, end - 65536)
            newline = os.pread(self._fd, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end != size:
            os.ftruncate(self._fd, end)
        return end

    def replay(self) -> Iterator[dict]:
        """Every fact from the beginning; to be run through once, before the first `append`."""
        position = 0
        with self._path.open("rb") as lines:
            for line in lines:
                self._starts.append(position)
                position += len(line)
                yield _decode(line)

    def append(self, kind: str, **facts) -> None:
        """Raises OSError (disk full) without leaving half a line behind."""
        line = (
            _encode(
                {
                    "seq": len(self._starts) + 1,
                    "at": self._clock.now().isoformat(timespec="microseconds"),
                    "real": round(time.time(), 6),
                    "kind": kind,
                    **facts,
                }
            )
            + b"\n"
        )
        try:
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError("the ledger could not be written in full")
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._starts.append(self._size)
        self._size += written

    @property
    def last_seq(self) -> int:
        return len(self._starts)

    def read(self, since: int, upto: int, kinds: tuple[str, ...]) -> bytes:
        """Facts with since < seq <= upto as one JSON array; a kind ending in a dot means all that begin so."""
        if since >= upto:
            return b"[]"
        marks = tuple(f'"kind":"{kind}' + ("" if kind.endswith(".") else '"') for kind in kinds)
        wanted = tuple(mark.encode() for mark in marks)
        kept = []
        with self._path.open("rb") as lines:
            lines.seek(self._starts[since])
            for _ in range(upto - since):
                line = lines.readline()
                if not wanted or any(mark in line[:160] for mark in wanted):
                    kept.append(line.rstrip(b"\n"))
        return b"[" + b",\n".join(kept) + b"]"

    def close(self) -> None:
        os.close(self._fd)
