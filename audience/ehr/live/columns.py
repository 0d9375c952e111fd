"""What the files of a CSV drop have, for the page on which somebody says which column is which."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from audience.ehr.csv.fields import KINDS
from audience.ehr.csv.guess import FileFound, guess
from audience.ehr.csv.mapping import Mapping, parse
from audience.ehr.csv.table import Table, Unusable


def columns(folder: Path, saved: dict[str, Any]) -> dict[str, Any]:
    """{"files": [{"name", "kind", "headings", "columns"}, …], "problems": sentences about how they are read now,
    "words": {"appointments.status": {"kpt": 12}}}. `kind` is '' where nobody can tell. Raises mapping.Wrong.

    Also files that the saved mapping passes over, and ones whose headings nobody knows: these most of all.
    """
    mapping = parse(saved)
    as_usual = guess(folder, replace(mapping, files={}))
    as_saved = guess(folder, mapping)
    return {
        "files": [_file(folder, file, mapping) for file in as_usual.files],
        "problems": as_saved.problems,
        "words": as_saved.words,
    }


def _file(folder: Path, file: FileFound, mapping: Mapping) -> dict[str, Any]:
    mapped = mapping.kinds_of(file.name)
    return {
        "name": file.name,
        "kind": mapped[0] if mapped else file.kind or _by_name(file.name),
        "headings": file.headings or _headings(folder / file.name, mapping),
        "columns": file.columns,
    }


def _by_name(name: str) -> str:
    name = name.lower()
    return next((kind.name for kind in KINDS.values() if any(word in name for word in kind.words)), "")


def _headings(path: Path, mapping: Mapping) -> list[str]:
    """The first line that has the most words in it; [] where the file is none that can be read."""
    try:
        table = Table(path, "", mapping.encoding, mapping.separator)
        return [heading.strip() for heading in table.headings(_count_words).fields]
    except (Unusable, OSError):
        return []


def _count_words(fields: list[str]) -> int:
    return sum(bool(field.strip()) and not any(sign.isdigit() for sign in field) for field in fields)
