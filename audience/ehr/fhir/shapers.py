"""Processes that shape pieces of a large export beside the one that imports it.

Shaping is most of the work of reading and Python's own, so one process keeps one core busy. Whatever a shaper does not
answer (it was killed, or the piece breaks it) is shaped by the importing process itself: shapers only save time.
"""

import contextlib
import fcntl
import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Self

import msgspec

from audience.ehr.fhir import folder
from audience.ehr.fhir.folder import Piece
from audience.ehr.fhir.shape import Shaped
from audience.ehr.fhir.shaper import Order, Task, receive, send
from audience.ehr.reading import Reading

log = logging.getLogger(__name__)

# Bytes of an export that are read before shapers are called: they take a third of a second to be ready.
WORTH_SHAPERS = 8 * 1024 * 1024
# More than this, and passing pieces on is what takes the time.
_MOST = 4
# Documents beyond this size are held once only.
_LARGEST = 32 * 1024 * 1024
# Bytes that wait in a pipe, for fewer turns of writing and reading.
_PIPE = 1024 * 1024
# From here on entries of handed out pieces are numbered, each piece's after as many as the one before has bytes. What
# the importing process shapes itself is numbered from 1. PostgreSQL hashes both halves of such a number into one: in
# steps of 1 << 32 the entries of all pieces would fall on each other.
_ENTRIES = 1 << 40


def number() -> int:
    """How many shapers a large export has: one a core, and none where there is only one."""
    cores = os.process_cpu_count() or 1
    return min(cores, _MOST) if cores > 1 else 0


class Shapers:
    """`shaped` hands pieces out. Ends its processes when the block is left, whatever they are doing."""

    def __init__(self, reading: Reading) -> None:
        self._task = Task(reading.on, str(reading.zone), folder.MOST_UNREADABLE)
        self._processes: list[subprocess.Popen] = []
        self._free: SimpleQueue[subprocess.Popen | None] = SimpleQueue()
        self._threads: ThreadPoolExecutor | None = None
        self._entry = _ENTRIES
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over = True
        for process in self._processes:
            process.kill()
        if self._threads:
            self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()

    def shaped(self, pieces: Iterable[Piece]) -> Iterator[tuple[Piece, Shaped | None]]:
        """Each piece in its order, and what became of it; None: shape it yourself."""
        waiting: deque[tuple[Piece, Future[Shaped | None] | None]] = deque()
        seen = 0
        for piece in pieces:
            seen += len(piece.body)
            if seen >= WORTH_SHAPERS and not self._threads:
                self._call()
            waiting.append((piece, self._hand_out(piece)))
            while len(waiting) > 2 * len(self._processes) or (waiting and waiting[0][1] is None):
                yield _answer(*waiting.popleft())
        while waiting:
            yield _answer(*waiting.popleft())

    def _call(self) -> None:
        self._threads = ThreadPoolExecutor(_MOST, "ehr-shaper")
        # No address of a database and no key is any business of theirs.
        given = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        for _ in range(number()):
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", "audience.ehr.fhir.shaper"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=given | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
            except OSError:
                log.warning("A shaper of an import could not be started; the import goes on without it")
                return
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
            self._processes.append(process)
            try:
                send(process.stdin, self._task)
            except OSError:
                self._free.put(None)
            else:
                self._free.put(process)

    def _hand_out(self, piece: Piece) -> Future[Shaped | None] | None:
        if not self._processes or not piece.body or len(piece.body) > _LARGEST:
            return None
        order = Order(piece.file, piece.line, piece.lines, piece.is_document, self._entry, piece.body)
        self._entry += len(piece.body)
        return self._threads.submit(self._have_shaped, order)

    def _have_shaped(self, order: Order) -> Shaped | None:
        """In a thread of its own; there are as many as processes."""
        process = self._free.get()
        answer = None
        try:
            if process:
                send(process.stdin, order)
                answer = receive(process.stdout, Shaped)
        except (OSError, ValueError, msgspec.MsgspecError):
            pass
        if process and answer is None and not self._is_over:
            log.warning("A shaper of an import has ended; its pieces are shaped without it")
            process.kill()
        self._free.put(process if answer else None)
        return answer


def _answer(piece: Piece, future: Future[Shaped | None] | None) -> tuple[Piece, Shaped | None]:
    return piece, future.result() if future else None
