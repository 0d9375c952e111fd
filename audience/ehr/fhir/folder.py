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


class Folder:
    """The FHIR files under a path (a folder, or one file).

    `total_bytes` and `bytes_read` are bytes on disk, so their quotient is the progress also of compressed files.
    """

    def __init__(self, path: Path, longest_line: int = LONGEST_LINE, largest_document: int = LARGEST_DOCUMENT):
        self.path = Path(path)
        self.longest_line = longest_line
        self.largest_document = largest_document
        if self.path.is_file():
            self.files = [self.path]
        elif self.path.is_dir():
            self.files = sorted(
                file
                for file in self.path.rglob("*")
                if file.is_file() and not file.name.startswith(".") and file.suffix.lower() not in _SKIPPED_SUFFIXES
            )
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
        for file in self.files:
            # Names that are no UTF-8 come as lone surrogates, which nothing can store.
            name = str(file.relative_to(self.path) if file != self.path else file.name)[-200:]
            name = name.encode("utf-8", "replace").decode()
            try:
                with file.open("rb") as raw:
                    self._open = raw
                    yield from self._read_file(name, raw)
                    self._done_bytes += raw.seek(0, os.SEEK_END)
            except OSError:
                yield Rejection(name, 1, "", "", reasons.UNREADABLE_FILE)
            finally:
                self._open = None

    def _read_file(self, name: str, raw: BinaryIO) -> Iterator[Found]:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        stream = io.BufferedReader(gzip.GzipFile(fileobj=raw), _UNPACKED_AT_ONCE) if packed else raw
        number = taken = unreadable = 0
        try:
            first = stream.readline(self.longest_line + 1)
            if _is_document(first, name):
                whole = first + stream.read(self.largest_document + 1 - len(first))
                if len(whole) > self.largest_document:
                    yield Rejection(name, 1, "", "", reasons.document_too_large(self.largest_document))
                else:
                    yield from _resources(name, 1, whole.removeprefix(_BOM).strip())
                return
            line = first.removeprefix(_BOM)
            while line:
                number += 1
                unreadable += 1
                if len(line) > self.longest_line:
                    yield Rejection(name, number, "", "", reasons.line_too_long(self.longest_line))
                    if not _skip_line(stream, line):
                        return
                elif body := line.strip():
                    for found in _resources(name, number, body):
                        if not isinstance(found, Rejection):
                            unreadable = 0
                        yield found
                taken += len(line)
                if packed and taken > UNPACKED_AT_LEAST and taken > UNPACKED_TIMES * raw.tell():
                    yield Rejection(name, number, "", "", reasons.GZIP_BOMB)
                    return
                if unreadable >= MOST_UNREADABLE:
                    yield Rejection(name, number, "", "", reasons.NO_RECORDS)
                    return
                line = stream.readline(self.longest_line + 1)
        except (EOFError, OSError, zlib.error):
            yield Rejection(name, number + 1, "", "", reasons.BROKEN_GZIP if packed else reasons.UNREADABLE_FILE)


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
