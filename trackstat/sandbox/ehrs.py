"""The EHRs the sandbox stands in for: each a folder of FHIR files and the clients that may read it; in `ehrs.json`."""

import os
import re
from pathlib import Path
from typing import Any

import msgspec

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")
_REFERENCE = re.compile(r"[A-Z][A-Za-z]{1,59}/[A-Za-z0-9.\-]{1,64}")


class EhrClient(msgspec.Struct, forbid_unknown_fields=True):
    """A program that may sign in: its key set, or where that lies. `scopes`: what it is granted of what it asks."""

    jwks: dict[str, list[dict[str, Any]]] | None = None
    jwks_url: str = ""
    scopes: tuple[str, ...] = ("system/*.read", "system/*.rs")


class Ehr(msgspec.Struct, forbid_unknown_fields=True):
    """`left_out`: resource types that exports do not have. `polls`: looks at an export before it is ready.

    `retry_after`, `token_seconds`, `link_seconds`: what it says and does, in seconds. `per_file`, `page`: records.
    """

    name: str
    folder: str
    clients: dict[str, EhrClient]
    groups: list[str] = []
    left_out: tuple[str, ...] = ("Appointment",)
    polls: int = 2
    retry_after: int = 1
    token_seconds: int = 300
    link_seconds: int = 300
    per_file: int = 10_000
    page: int = 100
    # Reference and moment (ISO 8601) of what was deleted: no search or export has it any more.
    deleted: dict[str, str] = {}


class Ehrs:
    def __init__(self, path: Path):
        self._path = path
        self.by_name = msgspec.json.decode(path.read_bytes(), type=dict[str, Ehr]) if path.exists() else {}

    def put(self, name: str, said: dict) -> Ehr:
        """Replaces what was said before. Raises ValueError with a sentence."""
        try:
            ehr = msgspec.convert({**said, "name": name}, type=Ehr)
        except msgspec.ValidationError as wrong:
            raise ValueError(str(wrong)) from wrong
        if not _NAME.fullmatch(name):
            raise ValueError("an EHR's name has small letters, digits and hyphens")
        if not Path(ehr.folder).is_dir():
            raise ValueError(f"there is no folder {ehr.folder}")
        if any(not client.jwks and not client.jwks_url for client in ehr.clients.values()):
            raise ValueError("a client has jwks or jwks_url")
        if ehr.per_file < 1 or ehr.page < 1:
            raise ValueError("per_file and page are 1 or more")
        self.by_name[name] = ehr
        self._save()
        return ehr

    def delete(self, ehr: Ehr, references: list[str], at: str) -> None:
        """Raises ValueError with a sentence."""
        if not references or not all(isinstance(one, str) and _REFERENCE.fullmatch(one) for one in references):
            raise ValueError("references is a list such as Patient/7")
        ehr.deleted |= dict.fromkeys(references, at)
        self._save()

    def _save(self) -> None:
        draft = self._path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(self.by_name)))
        os.replace(draft, self._path)
