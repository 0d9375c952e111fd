"""Bulk exports of the stand-in EHR: files made when one is asked for, links to them that end."""

import hashlib
import hmac
import secrets
import shutil
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from trackstat.sandbox.ehr_records import records
from trackstat.sandbox.ehrs import Ehr


@dataclass
class ExportFile:
    name: str
    kind: str
    count: int


@dataclass
class Export:
    """`looks`: how often its status was asked for. `asked_at`: the last time, Unix seconds."""

    id: str
    ehr: str
    client: str
    request: str
    at: datetime
    folder: Path
    output: list[ExportFile] = field(default_factory=list)
    deleted: list[ExportFile] = field(default_factory=list)
    looks: int = 0
    asked_at: float = 0.0


class Exports:
    """Not kept over a restart: the server has forgotten them then, as real ones do some day."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._secret = secrets.token_bytes(32)
        self.by_id: dict[str, Export] = {}
        shutil.rmtree(folder, ignore_errors=True)

    def make(
        self, ehr: Ehr, client: str, request: str, kinds: set[str], since: datetime | None, at: datetime
    ) -> Export:
        """Everything of these types that changed after `since`. Reads the whole folder: in a thread."""
        number = secrets.token_hex(12)
        export = Export(number, ehr.name, client, request, at, self._folder / number)
        export.folder.mkdir(mode=0o700, parents=True)
        writer = _Writer(export, ehr.per_file)
        for record in records(ehr):
            if record.kind in kinds and record.kind not in ehr.left_out and (not since or record.changed > since):
                writer.write(record.kind, record.body)
        writer.close()
        if since:
            _write_deleted(export, [one for one, when in ehr.deleted.items() if datetime.fromisoformat(when) > since])
        self.by_id[export.id] = export
        return export

    def drop(self, export: Export) -> None:
        self.by_id.pop(export.id, None)
        shutil.rmtree(export.folder, ignore_errors=True)

    def link(self, export: Export, name: str, seconds: float) -> str:
        """The part of an address that lets somebody in until it ends."""
        until = str(int(time.time() + seconds))
        return f"{export.id}/{name}?until={until}&signature={self._signature(export.id, name, until)}"

    def opens(self, export_id: str, name: str, until: str, signature: str) -> bool:
        signed = hmac.compare_digest(self._signature(export_id, name, until), signature)
        return signed and until.isdigit() and int(until) > time.time()

    def _signature(self, export_id: str, name: str, until: str) -> str:
        return hmac.new(self._secret, f"{export_id}/{name}/{until}".encode(), hashlib.sha256).hexdigest()


class _Writer:
    """A new file of a type when the last one is full."""

    def __init__(self, export: Export, per_file: int):
        self._export, self._per_file = export, per_file
        self._open: dict[str, tuple[ExportFile, IO[bytes]]] = {}
        self._numbers: dict[str, int] = defaultdict(int)

    def write(self, kind: str, body: bytes) -> None:
        if kind not in self._open:
            self._numbers[kind] += 1
            file = ExportFile(f"{self._numbers[kind]}.{kind}.ndjson", kind, 0)
            self._export.output.append(file)
            self._open[kind] = file, (self._export.folder / file.name).open("wb")
        file, out = self._open[kind]
        out.write((msgspec.json.format(body, indent=-1) if b"\n" in body else body) + b"\n")
        file.count += 1
        if file.count == self._per_file:
            out.close()
            del self._open[kind]

    def close(self) -> None:
        for _, out in self._open.values():
            out.close()


def _write_deleted(export: Export, references: list[str]) -> None:
    if not references:
        return
    entries = [{"request": {"method": "DELETE", "url": reference}} for reference in references]
    file = ExportFile("deleted.ndjson", "Bundle", 1)
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    (export.folder / file.name).write_bytes(msgspec.json.encode(bundle) + b"\n")
    export.deleted.append(file)
