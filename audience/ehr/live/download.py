"""The files of an export, into a folder of our own: each is whole or not there, however often it is begun again."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import requests

from audience.ehr.live.bulk import File, Manifest
from audience.ehr.live.server import Outcome, Server
from audience.ehr.live.trouble import Later, Refused

# Bytes.
LARGEST_FILE = 8 * 1024**3
LARGEST_EXPORT = 64 * 1024**3
# What must stay free on the disk.
_ROOM = 512 * 1024**2
_LOOK_FOR_ROOM = 64 * 1024**2
# A line longer than this is refused when it is read, so it need not be looked into here.
_LONGEST_LINE = 16 * 1024**2
# Times a file is fetched that comes cut.
_TRIES = 3
_TYPE = re.compile(r"^[A-Za-z]{1,60}$")
# Which export the folder holds. Folders are read without names that begin with a dot or end in .part.
_NOTE = ".export.json"
_ERRORS = ".errors"

type Tell = Callable[[str, int, int], None]


class Note(msgspec.Struct):
    status_url: str
    transaction_time: str
    files: list[tuple[str, int | None]]


class Download:
    """`tell(words, done, total)` hears how many files there are."""

    def __init__(self, server: Server, folder: Path, status_url: str, manifest: Manifest, tell: Tell):
        self._server, self._folder, self._tell = server, folder, tell
        self.manifest = manifest
        self._status_url = status_url
        self._files = {f"{number:06}.{_kind(file)}.ndjson": file for number, file in enumerate(manifest.output)}
        self._files |= {f"deleted.{number:06}.ndjson": file for number, file in enumerate(manifest.deleted)}
        self._files |= {f"{_ERRORS}.{number:06}": file for number, file in enumerate(manifest.error)}
        # Files that are whole, and the bytes in them.
        self.whole, self.size = 0, 0

    def fetch(self) -> None:
        """What is there already of this very export is kept. Raises Expired where a link has."""
        self._make_room()
        for number, (name, file) in enumerate(self._files.items()):
            self._tell(file.type, number, len(self._files))
            target = self._folder / name
            if not target.exists():
                self._fetch_whole(target, file)
            self.whole += 1
            self.size += target.stat().st_size
        self._tell("", len(self._files), len(self._files))

    def errors(self) -> Counter[str]:
        """What the EHR says it could not export, by code; warnings are none."""
        found: Counter[str] = Counter()
        for errors in sorted(self._folder.glob(f"{_ERRORS}.*")):
            with errors.open("rb") as lines:
                while line := lines.readline(_LONGEST_LINE):
                    if line.strip():
                        found.update(_codes(line))
        return found

    def _make_room(self) -> None:
        note = Note(
            self._status_url,
            self.manifest.transaction_time,
            [(file.type, file.count) for file in self._files.values()],
        )
        kept = self._folder / _NOTE
        if not kept.exists() or _note(kept) != note:
            empty(self._folder)
            kept.write_bytes(msgspec.json.encode(note))
        for left in self._folder.glob("*.part"):
            left.unlink()

    def _fetch_whole(self, target: Path, file: File) -> None:
        wrong = ""
        for attempt in range(_TRIES):
            if attempt:
                self._server.patience.wait(2.0**attempt, wrong)
            part = target.with_name(f"{target.name}.{os.getpid()}.part")
            try:
                self._receive(part, file)
                wrong = _what_is_cut(part, file)
            except requests.RequestException as error:
                wrong = f"A file of {file.type} broke off ({type(error).__name__})"
            if not wrong:
                os.replace(part, target)
                return
            part.unlink(missing_ok=True)
        raise Later(60, wrong)

    def _receive(self, part: Path, file: File) -> None:
        received, next_look = 0, 0
        with (
            self._server.file(file.url, signed_in=self.manifest.requires_access_token) as pieces,
            part.open("wb") as out,
        ):
            for piece in pieces:
                if received >= next_look:
                    next_look += _LOOK_FOR_ROOM
                    if shutil.disk_usage(self._folder).free < _ROOM:
                        raise Refused("There is no room left on this machine's disk for the export")
                received += len(piece)
                if received > LARGEST_FILE or self.size + received > LARGEST_EXPORT:
                    raise Refused(f"The export is too large: more than {LARGEST_EXPORT // 1024**3} GB in all")
                out.write(piece)


def empty(folder: Path) -> None:
    """An empty folder that nobody else on this machine may look into."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True)


def _what_is_cut(part: Path, file: File) -> str:
    """Where the connection itself did not tell: a last line that is no JSON, or fewer records than announced."""
    lines, last = 0, b"\n"
    with part.open("rb") as written:
        while piece := written.read(1024**2):
            lines += piece.count(b"\n")
            last = piece[-1:]
        if last != b"\n":
            lines += 1
            written.seek(max(0, written.tell() - _LONGEST_LINE))
            tail = written.read().rpartition(b"\n")[2].strip()
            if tail and not _is_json(tail):
                return f"A file of {file.type} ends in the middle of a record"
    if file.count is not None and lines < file.count:
        return f"A file of {file.type} has {lines:,} of {file.count:,} records"
    return ""


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _codes(line: bytes) -> list[str]:
    try:
        outcome = msgspec.json.decode(line, type=Outcome)
    except (msgspec.MsgspecError, RecursionError):
        return ["unreadable"]
    return [issue.code[:40] or "unknown" for issue in outcome.issue if issue.severity in ("error", "fatal")]


def _kind(file: File) -> str:
    """Part of a file's name, so nothing but letters."""
    if not _TYPE.match(file.type):
        raise Refused("The EHR's list has a file without a resource type")
    return file.type


def _note(path: Path) -> Note | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Note)
    except (OSError, msgspec.MsgspecError):
        return None
