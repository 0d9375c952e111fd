"""One CSV file as a stream of rows, whatever encoded, separated and quoted it; memory stays flat.

A row that cannot be read is told with its line and the reason, and reading goes on with the line after the one that it
began in: a quote that is never closed must not swallow the patients behind it.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

SEPARATORS = (",", ";", "\t", "|")
# A row of a few dozen fields is a thousand characters long.
LONGEST_LINE = 1_000_000
# Where a line goes on for longer than this, the rest of the file is given up.
LONGEST_SKIP = 1024 * 1024 * 1024
# Lines of one row, for texts with line breaks in quotes.
MOST_LINES = 100
# Lines above the headings, such as a report's title.
_TITLES = 20
_GZIP = b"\x1f\x8b"
_SAMPLE = 64 * 1024
_PIECE = 1024 * 1024
# Pieces that are looked at for the encoding; a small compressed file may be without end.
_PIECES = 2048
_BAD = re.compile("[\ud800-\udfff]")

CUT_OFF = "The file ends in the middle of a row"
UNREADABLE = "The file cannot be read to its end"
_TOO_LONG = f"A line is longer than {LONGEST_LINE:,} characters"
_QUOTES = "Its quotes are not closed, or quotes within a value are not doubled"


class Row(NamedTuple):
    """`line`: where it begins, from 1. With a `problem` it cannot be taken, and `fields` are what was made out."""

    line: int
    fields: list[str]
    problem: str


class Unusable(Exception):
    """A file without headings, or of a format that is not read; the message is a sentence for staff."""


class Table:
    """The rows of a file. `bytes_read` and `size` are bytes on disk, also of a compressed file."""

    def __init__(self, path: Path, name: str = "", encoding: str = "", separator: str = ""):
        self.path, self.name = path, name or path.name
        self.size = path.stat().st_size
        self.encoding = encoding or _encoding_of(path)
        self._separator = separator
        self._raw: BinaryIO | None = None

    @property
    def bytes_read(self) -> int:
        return self._raw.tell() if self._raw and not self._raw.closed else 0

    def first_lines(self) -> list[str]:
        """The lines among which the headings stand."""
        found: list[str] = []
        with self._open() as stream:
            try:
                while len(found) < _TITLES and (line := stream.readline(LONGEST_LINE)):
                    found.append(line)
            except (UnicodeError, EOFError, OSError, zlib.error):
                if not found:
                    raise Unusable("The file cannot be read; is it a CSV file, and whole?") from None
        return found

    def headings(self, how_many: Callable[[list[str]], int]) -> "Headings":
        """The line whose values are headings most of all, as `how_many` counts them. Raises Unusable."""
        lines = self.first_lines()
        separators = (self._separator,) if self._separator else _said_separator(lines) or SEPARATORS
        best: tuple[int, int, Headings] | None = None
        for number, line in enumerate(lines, 1):
            for separator in separators:
                fields = _fields(line, separator)
                score = (how_many(fields), len(fields))
                if score[0] and (best is None or score > best[:2]):
                    best = (*score, Headings(number, separator, fields))
        if best is None:
            raise Unusable("None of its first lines has the headings of a file that is read here")
        return best[2]

    def rows(self, headings: "Headings") -> Iterator[Row]:
        """The rows after the headings; blank ones are passed over."""
        width = len(headings.fields)
        with self._open() as stream:
            lines = _Lines(stream)
            for _ in range(headings.line):
                next(lines, "")
            reader = csv.reader(lines, delimiter=headings.separator, strict=True)
            while True:
                lines.taken.clear()
                first = lines.number + 1
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except (csv.Error, _Trouble) as error:
                    fields, problem = [], str(error) if isinstance(error, _Trouble) else _QUOTES
                    problem = _TOO_LONG if "larger than" in str(error) else problem
                except (UnicodeError, EOFError, OSError, zlib.error):
                    yield Row(first, [], UNREADABLE)
                    return
                else:
                    problem = self._wrong(fields, width, lines.taken)
                    if problem is None:
                        continue
                if problem and len(lines.taken) > 1:
                    lines.give_back(lines.taken[1:])
                if problem and lines.is_at_end and not lines.taken[0].endswith(("\n", "\r")):
                    problem, fields = CUT_OFF, []
                yield Row(first, fields, problem)

    def _wrong(self, fields: list[str], width: int, lines: list[str]) -> str | None:
        """Why a row cannot be taken, '' when it can, None when there is nothing in it."""
        found = len(fields)
        if found > width and not any(fields[width:]):
            del fields[width:]
            found = width
        for line in lines:
            if not line.isascii() and _BAD.search(line):
                return f"It has bytes that are no {_ENCODING_NAMES.get(self.encoding, self.encoding)}"
        if found == width:
            return "" if any(fields) else None
        if not any(field.strip() for field in fields):
            return None
        if found < width:
            return f"It has {found} fields, the headings are {width}"
        return f"It has {found} fields, the headings are {width}; a value with the separator in it has to be in quotes"

    @contextmanager
    def _open(self) -> Iterator[io.TextIOWrapper]:
        errors = "surrogatepass" if self.encoding.startswith("utf-16") else "surrogateescape"
        with self.path.open("rb") as raw:
            self._raw = raw
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            with io.TextIOWrapper(stream, encoding=self.encoding, errors=errors, newline="") as text:
                yield text


class Headings(NamedTuple):
    line: int
    separator: str
    fields: list[str]


class _Trouble(Exception):
    pass


class _Lines:
    """Physical lines. Those of the row that is being read are kept, to be read again each for itself."""

    def __init__(self, stream: io.TextIOBase):
        self._stream = stream
        self._again: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._stream.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        if len(line) >= LONGEST_LINE and not line.endswith(("\n", "\r")):
            self._skip()
            raise _Trouble(_TOO_LONG)
        if len(self.taken) > MOST_LINES:
            raise _Trouble(_QUOTES)
        return line

    @property
    def is_at_end(self) -> bool:
        """Whether there is no more to read, or nothing more that can be read."""
        if not self._again:
            try:
                line = self._stream.readline(LONGEST_LINE)
            except (UnicodeError, EOFError, OSError, zlib.error):
                return True
            self._again.extend([line] if line else ())
        return not self._again

    def give_back(self, lines: list[str]) -> None:
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)

    def _skip(self) -> None:
        self.taken[-1] = "\n"
        skipped = 0
        while (piece := self._stream.readline(LONGEST_LINE)) and not piece.endswith(("\n", "\r")):
            skipped += len(piece)
            if skipped > LONGEST_SKIP:
                raise OSError("A line without end")


def _said_separator(lines: list[str]) -> tuple[str, ...]:
    """`sep=;`, which spreadsheets write into the first line."""
    said = lines[0].strip().lower() if lines else ""
    return (said[4],) if len(said) == 5 and said.startswith("sep=") and said[4] in SEPARATORS else ()


def _fields(line: str, separator: str) -> list[str]:
    try:
        found = next(csv.reader([line.lstrip("\ufeff")], delimiter=separator), [])
    except csv.Error:
        return []
    fields = [" ".join(field.split()) for field in found]
    while fields and not fields[-1]:
        fields.pop()
    return fields


_ENCODING_NAMES = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "cp1252": "Windows-1252"}


def _encoding_of(path: Path) -> str:
    """Told from a byte order mark, from zeros in every second place, else from whether the bytes are UTF-8.

    The whole file is looked at, because the first name with an accent may be far down. Where it is neither all UTF-8
    nor without any, what there is more of decides, and the rows of the other sort are refused.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if packed else raw
        try:
            start = stream.read(_SAMPLE)
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            if start.startswith(codecs.BOM_UTF8):
                return "utf-8-sig"
            if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
                raise Unusable("It is a spreadsheet or an archive, not a CSV file: save it as CSV")
            for zeros, encoding in ((start[1::2], "utf-16-le"), (start[::2], "utf-16-be")):
                if len(zeros) > 8 and zeros.count(0) > len(zeros) * 0.8:
                    return encoding
            return _utf8_or_windows(stream, start)
        except (EOFError, OSError, zlib.error):
            return "utf-8"


def _utf8_or_windows(stream: BinaryIO | gzip.GzipFile, start: bytes) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = 0
    piece = start
    for _ in range(_PIECES):
        if not piece.isascii():
            text = decoder.decode(piece)
            wrong = len(_BAD.findall(text))
            bad += wrong
            good += len(text) - len(text.encode("ascii", "ignore")) - wrong
        piece = stream.read(_PIECE)
        if not piece:
            break
    return "cp1252" if bad > good else "utf-8"
