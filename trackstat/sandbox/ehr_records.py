"""The records in an EHR's folder: FHIR R4 as NDJSON or JSON documents, plain or gzip."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from trackstat.sandbox.ehrs import Ehr

_SUFFIXES = (".ndjson", ".json", ".ndjson.gz", ".json.gz")


class Record(NamedTuple):
    """`changed`: its meta.lastUpdated, else when its file was written. `body`: itself, as it stands."""

    kind: str
    id: str
    changed: datetime
    body: bytes


class _Meta(msgspec.Struct):
    last_updated: datetime | None = msgspec.field(default=None, name="lastUpdated")


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _Head(msgspec.Struct):
    kind: str = msgspec.field(name="resourceType")
    id: str = ""
    meta: _Meta | None = None
    entry: list[_Entry] = []


_head = msgspec.json.Decoder(_Head)


def records(ehr: Ehr) -> Iterator[Record]:
    """What the EHR has now; raises msgspec.DecodeError for a file that is no FHIR."""
    for file in sorted(Path(ehr.folder).rglob("*")):
        if file.is_file() and file.name.endswith(_SUFFIXES):
            written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            for body in _bodies(file):
                for record in _records(body, written):
                    if f"{record.kind}/{record.id}" not in ehr.deleted:
                        yield record


def _bodies(file: Path) -> Iterator[bytes]:
    with gzip.open(file) if file.name.endswith(".gz") else file.open("rb") as content:
        if ".ndjson" in file.name:
            yield from filter(None, map(bytes.strip, content))
        else:
            yield content.read()


def _records(body: bytes, written: datetime) -> Iterator[Record]:
    head = _head.decode(body)
    if head.kind == "Bundle":
        for entry in head.entry:
            if bytes(entry.resource):
                yield from _records(bytes(entry.resource), written)
        return
    changed = head.meta.last_updated if head.meta and head.meta.last_updated else written
    yield Record(head.kind, head.id, changed if changed.tzinfo else changed.replace(tzinfo=UTC), body)
