"""A process that shapes pieces of FHIR files for the one that imports them: `python -m audience.ehr.fhir.shaper`.

It has neither settings nor a connection. On its input come frames (four bytes of length, then MessagePack): first a
`Task`, then `Order`s; on its output go as many `Shaped`. It ends when its input does, so also when the importing
process is killed.
"""

import gc
import os
import signal
import sys
from datetime import date
from typing import IO
from zoneinfo import ZoneInfo

import msgspec

from audience.ehr.fhir.folder import Piece, Streak, found_in
from audience.ehr.fhir.shape import Shaped, Tally
from audience.ehr.packing import PackedRows
from audience.ehr.reading import Reading

# Whatever somebody waits for goes first.
_NICENESS = 5


class Task(msgspec.Struct):
    """What shaping depends on besides the piece: see `Reading` and `Streak`."""

    on: date
    zone: str
    most_unreadable: int


class Order(msgspec.Struct):
    """A `Piece`; entries in it are numbered from `entry` on."""

    file: str
    line: int
    lines: int
    is_document: bool
    entry: int
    body: bytes


def send(out: IO[bytes], message: msgspec.Struct) -> None:
    body = msgspec.msgpack.encode(message)
    out.write(len(body).to_bytes(4))
    out.write(body)
    out.flush()


def receive[T](source: IO[bytes], kind: type[T]) -> T | None:
    """None at the end of the input, also where it ends within a message."""
    length = int.from_bytes(source.read(4))
    body = source.read(length)
    return msgspec.msgpack.decode(body, type=kind) if length and len(body) == length else None


def shaped(order: Order, reading: Reading, most_unreadable: int) -> Shaped:
    streak, tally, rows = Streak(most_unreadable), Tally(), PackedRows(order.entry)
    piece = Piece(order.file, order.line, order.lines, order.body, streak, order.is_document)
    tally.shape(found_in(piece), reading, rows)
    return Shaped(tally.number, tally.read, tally.not_read, streak.before, streak.lines, rows.packed())


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    gc.freeze()
    task = receive(sys.stdin.buffer, Task)
    if task is None:
        return
    reading = Reading(task.on, ZoneInfo(task.zone))
    while order := receive(sys.stdin.buffer, Order):
        send(sys.stdout.buffer, shaped(order, reading, task.most_unreadable))


if __name__ == "__main__":
    main()
