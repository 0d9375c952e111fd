"""A folder of FHIR files, read as a stream: one resource after the other, however large the folder.

What the files are called does not matter: NDJSON or one JSON document each (a resource, a Bundle, an array), plain or
gzip, told apart by their first bytes. A line that cannot be read becomes a `Rejection` and reading goes on.
"""

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple

import msgspec

from audience.ehr.clean import printable
from audience.ehr.fhir import reasons
from audience.ehr.fhir.resources import Bundle, Head
from audience.ehr.records import Rejection

# A resource of this size is a picture or a mistake; nothing that is read here comes near it.
LONGEST_LINE = 16 * 1024 * 1024
# Documents are not lines, so they are held whole.
LARGEST_DOCUMENT = 256 * 1024 * 1024
# Where a single line goes on for longer than this, the rest of the file is given up.
LONGEST_SKIP = 1024 * 1024 * 1024
_UNPACKED_AT_ONCE = 256 * 1024
# Bytes after which the line under way completes a piece.
_PIECE = 4 * 1024 * 1024
# After so many lines in a row without a resource, the rest of the file is not looked at.
MOST_UNREADABLE = 10_000
# Lists of records become 5 to 50 times smaller. What became smaller than this, and is large, is no list of records.
UNPACKED_TIMES = 200
UNPACKED_AT_LEAST = 256 * 1024 * 1024
# How nearly every line begins: type and id are told without reading the whole line for them.
_START = re.compile(rb'\{"resourceType":"([A-Z][A-Za-z]{1,59})","id":"([A-Za-z0-9.\-]{1,64})"[,}]')
_DELETED = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,59})/([A-Za-z0-9.\-]{1,64})$")
_TYPE = re.compile(r"^[A-Z][A-Za-z]{1,59}$")
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_SKIPPED_SUFFIXES = {".md", ".txt", ".pdf", ".html", ".csv", ".xml", ".log", ".part", ".crc", ".sha256"}


class Resource(NamedTuple):
    """One resource, still as bytes; `full_url` only where it stood in a Bundle."""

    file: str
    line: int
    resource_type: str
    external_id: str
    body: bytes | msgspec.Raw
    full_url: str


class Deletion(NamedTuple):
    """A resource that the EHR deleted: an entry of a `deleted` bundle."""

    file: str
    line: int
    resource_type: str
    external_id: str


Found = Resource | Deletion | Rejection


class Streak:
    """Lines of a file in a row in which no resource was found; with `most` of them the rest is given up.

    `before`: how many came before the first resource.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.lines = 0
        self.before: int | None = None
        self.is_over = False

    def resource(self) -> None:
        if self.before is None:
            self.before = self.lines - 1
        self.lines = 0

    def goes_on(self, lines: int, before: int | None, after: int) -> bool:
        """After a piece of so many lines; False where the file is to be given up within it, which changes nothing."""
        if self.lines + (lines if before is None else before) >= self.most or after >= self.most:
            return False
        self.lines = self.lines + lines if before is None else after
        return True


class Piece(NamedTuple):
    """Some whole lines of a file from line `line` on, or a document; or (`problem`) why something of it is not read."""

    file: str
    line: int
    lines: int
    body: bytes
    streak: Streak
    is_document: bool = False
    problem: str = ""


class Folder:
    """The FHIR files under a path (a folder, or one file).

    `total_bytes` and `bytes_read` are bytes on disk, so their quotient is the progress also of compressed files.
    Links are not followed: who may write into the folder may not be allowed to read what they point to.
    """

    def __init__(self, path: Path, longest_line: int = LONGEST_LINE, largest_document: int = LARGEST_DOCUMENT):
        self.path = Path(path)
        self.longest_line = longest_line
        self.largest_document = largest_document
        self.links: list[Path] = []
        if self.path.is_file():
            self.files = [self.path]
        elif self.path.is_dir():
            found = sorted(
                file
                for file in self.path.rglob("*")
                if not file.name.startswith(".") and file.suffix.lower() not in _SKIPPED_SUFFIXES
            )
            self.files = [file for file in found if file.is_file() and not file.is_symlink()]
            # One to something in the folder itself hides nothing: that is read where it is.
            inside = self.path.resolve()
            self.links = [file for file in found if file.is_symlink() and not file.resolve().is_relative_to(inside)]
        else:
            raise FileNotFoundError(f"There is no folder {self.path}")
        self.total_bytes = sum(file.stat().st_size for file in self.files)
        self._done_bytes = 0
        self._open: BinaryIO | None = None

    @property
    def bytes_read(self) -> int:
        return self._done_bytes + (self._open.tell() if self._open else 0)

    def read(self) -> Iterator[Found]:
        """Every resource and deletion, and a rejection for every line that is none."""
        for piece in self.pieces():
            yield from found_in(piece)

    def pieces(self) -> Iterator[Piece]:
        """All files in pieces of a few megabytes (a line or a document may be larger).

        Whoever finds that the `streak` of a piece is over says so there, and the next piece is another file's.
        """
        for link in self.links:
            yield Piece(self._name(link), 1, 0, b"", Streak(MOST_UNREADABLE), problem=reasons.LINK)
        for file in self.files:
            name = self._name(file)
            try:
                with open(file, "rb", opener=self._open_file) as raw:
                    self._open = raw
                    yield from self._read_file(name, raw)
                    self._done_bytes += raw.seek(0, os.SEEK_END)
            except OSError:
                yield Piece(name, 1, 0, b"", Streak(MOST_UNREADABLE), problem=reasons.UNREADABLE_FILE)
            finally:
                self._open = None

    def _name(self, file: Path) -> str:
        # Names that are no UTF-8 come as lone surrogates, which nothing can store.
        name = str(file.relative_to(self.path) if file != self.path else file.name)[-200:]
        return name.encode("utf-8", "replace").decode()

    def _open_file(self, file: str, flags: int) -> int:
        """What has become a link since it was found is none of the folder's files."""
        return os.open(file, flags if file == str(self.path) else flags | os.O_NOFOLLOW)

    def _read_file(self, name: str, raw: BinaryIO) -> Iterator[Piece]:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        unpacked = io.BufferedReader(gzip.GzipFile(fileobj=raw), _UNPACKED_AT_ONCE) if packed else None
        stream: BinaryIO = unpacked or raw
        streak = Streak(MOST_UNREADABLE)
        line = 1
        try:
            first = stream.readline(self.longest_line + 1)
            if _is_document(first, name):
                whole = first + stream.read(self.largest_document + 1 - len(first))
                if len(whole) > self.largest_document:
                    problem = reasons.document_too_large(self.largest_document)
                    yield Piece(name, 1, 0, b"", streak, problem=problem)
                else:
                    yield Piece(name, 1, 0, whole.removeprefix(_BOM).strip(), streak, is_document=True)
                return
            taken, block = 0, first.removeprefix(_BOM)
            more = min(_PIECE, self.longest_line) - len(block)
            if not packed and block.endswith(b"\n") and more > 0:
                block += stream.read(more)
            while block:
                whole, rest, broken = self._to_the_end_of_a_line(stream, block)
                taken += len(whole) + len(rest)
                if lines := whole.count(b"\n") + (whole[-1:] not in (b"", b"\n")):
                    yield Piece(name, line, lines, whole, streak)
                    line += lines
                if broken:
                    raise broken
                if rest and not streak.is_over:
                    yield Piece(name, line, 1, b"", streak, problem=reasons.line_too_long(self.longest_line))
                    line += 1
                    if not _skip_line(stream, rest):
                        return
                if streak.is_over:
                    return
                if packed and taken > UNPACKED_AT_LEAST and taken > UNPACKED_TIMES * raw.tell():
                    yield Piece(name, line - 1, 0, b"", streak, problem=reasons.GZIP_BOMB)
                    return
                # Of a damaged file, what is unpacked already is not lost.
                size = min(_PIECE, self.longest_line)
                block = unpacked.read1(size) if unpacked else raw.read(size)
        except (EOFError, OSError, zlib.error):
            if not streak.is_over:
                problem = reasons.BROKEN_GZIP if packed else reasons.UNREADABLE_FILE
                yield Piece(name, line, 0, b"", streak, problem=problem)

    def _to_the_end_of_a_line(self, stream: BinaryIO, block: bytes) -> tuple[bytes, bytes, Exception | None]:
        """Whole lines; the beginning of a last one that is too long; and what went wrong behind them."""
        if block.endswith(b"\n") and len(block) <= self.longest_line:
            return block, b"", None
        start = block.rfind(b"\n", 0, -1) + 1
        try:
            end = stream.readline(self.longest_line + 1 - (len(block) - start))
        except (EOFError, OSError, zlib.error) as error:
            return block[:start], b"", error
        if len(block) - start + len(end) > self.longest_line:
            return block[:start], block[start:] + end, None
        return block + end, b"", None


def found_in(piece: Piece) -> Iterator[Found]:
    """Every resource and deletion of a piece, and a rejection for every line that is none.

    Line after line without a resource ends the file's `streak`, and nothing more is found in its pieces.
    """
    streak = piece.streak
    if streak.is_over:
        return
    if piece.is_document:
        yield from _resources(piece.file, piece.line, piece.body)
        return
    if piece.problem:
        yield Rejection(piece.file, piece.line, "", "", piece.problem)
    # One after the other: a line is read while it is in the processor's cache.
    lines = [b""] * piece.lines if piece.problem else io.BytesIO(piece.body)
    file = piece.file
    for number, line in enumerate(lines, piece.line):
        streak.lines += 1
        if (start := _START.match(line)) and start[1] != b"Bundle":
            streak.resource()
            yield Resource(file, number, start[1].decode(), start[2].decode(), line, "")
            continue
        if body := line.strip():
            for found in _resources(file, number, body):
                if not isinstance(found, Rejection):
                    streak.resource()
                yield found
        if streak.lines >= streak.most:
            streak.is_over = True
            yield Rejection(piece.file, number, "", "", reasons.NO_RECORDS)
            return


def _is_document(first: bytes, name: str) -> bool:
    """Whether the file holds one JSON document over many lines rather than one resource a line."""
    start = first.removeprefix(_BOM).strip()
    suffix = PurePath(name.lower().removesuffix(".gz")).suffix
    if suffix in (".ndjson", ".jsonl"):
        return False
    if start in (b"", b"{", b"["):
        return suffix == ".json" or bool(start)
    if suffix != ".json":
        return start.startswith(b"[")
    try:
        msgspec.json.decode(start, type=msgspec.Raw)
    except RecursionError:
        # Whole, and too deep to be read: the next line may be better.
        pass
    except (msgspec.DecodeError, ValueError):
        return True
    return start.startswith(b"[")


def _skip_line(stream: BinaryIO, start: bytes) -> bool:
    """Reads to the end of an overlong line without holding it; False where that is not worth it any more."""
    skipped, piece = len(start), start
    while piece and not piece.endswith(b"\n"):
        piece = stream.readline(1024 * 1024)
        skipped += len(piece)
        if skipped > LONGEST_SKIP:
            return False
    return True


_head = msgspec.json.Decoder(Head)
_bundle = msgspec.json.Decoder(Bundle)
_array = msgspec.json.Decoder(list[msgspec.Raw])


def _resources(file: str, line: int, body: bytes | msgspec.Raw, full_url: str = "") -> Iterator[Found]:
    """The resource in `body`, or those of the Bundle or the array that it is."""
    if isinstance(body, bytes) and (start := _START.match(body)) and start[1] != b"Bundle":
        yield Resource(file, line, start[1].decode(), start[2].decode(), body, full_url)
        return
    try:
        if isinstance(body, bytes):
            # Files that were put together of several carry the marks of all of them.
            body = body.removeprefix(_BOM).strip()
        if isinstance(body, bytes) and body.startswith(b"["):
            for element in _array.decode(body):
                yield from _resources(file, line, element)
            return
        head = _head.decode(body)
        if head.resource_type == "Bundle":
            for entry in _bundle.decode(body).entry or ():
                if bytes(entry.resource) in (b"", b"null"):
                    if entry.request and entry.request.method == "DELETE":
                        yield _deletion(file, line, entry.request.url or "")
                else:
                    yield from _resources(file, line, entry.resource, entry.full_url or "")
            return
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        yield Rejection(file, line, "", "", reasons.unreadable(error))
        return
    if not _TYPE.match(head.resource_type):
        yield Rejection(file, line, "", "", reasons.NO_TYPE)
        return
    yield Resource(file, line, head.resource_type, printable(head.id or "", 200), body, full_url)


def _deletion(file: str, line: int, url: str) -> Deletion | Rejection:
    found = _DELETED.search(url)
    return Deletion(file, line, found[1], found[2]) if found else Rejection(file, line, "", "", reasons.NO_DELETION)
