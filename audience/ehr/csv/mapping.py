"""How one practice's CSV files are to be read: saved with its connection, or proposed by `guess`.

As JSON (`EhrConnection.mapping`; {} = the usual headings and words, looked for anew in each file):

    {"files": {"patients": {"pattern": "Patient*.csv",
                            "columns": {"id": ["Acct #"], "cell": ["Cell"], "diagnoses": ["Dx1", "Dx2"]}}},
     "words": {"appointments.status": {"kpt": "checked_in"}},
     "dates": "mdy", "decimal": ".", "encoding": "", "separator": ""}

A kind of file that stands in "files" has the columns that stand there and no others; a file whose name fits no pattern
(several may stand there, with ; between them) is not read. "words" add to the usual ones (`words.USUAL`) and win over
them. `encoding` and `separator` '' are told from each file.
"""

import codecs
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field as made
from fnmatch import fnmatchcase
from typing import Any

from audience.ehr.csv.fields import KINDS, Field
from audience.ehr.csv.words import MEANINGS, OTHERWISE, USUAL
from audience.models import EhrConnection

DATES = {"mdy": "Month first: 3/4/2026 is March 4", "dmy": "Day first: 3/4/2026 is April 3", "ymd": "Year first"}
DECIMALS = {".": "1,234.50", ",": "1.234,50"}
ENCODINGS = {"": "Told from each file", "utf-8": "UTF-8", "cp1252": "Windows-1252", "utf-16": "UTF-16"}
SEPARATORS = {"": "Told from each file", ",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}


class Wrong(Exception):
    """A mapping that cannot be used; `problems` are sentences for staff."""

    def __init__(self, problems: list[str]):
        self.problems = problems
        super().__init__(" ".join(problems))


@dataclass(frozen=True)
class FileMapping:
    """`columns`: field → headings as they stand in the files."""

    pattern: str
    columns: dict[str, list[str]]


@dataclass(frozen=True)
class Mapping:
    files: dict[str, FileMapping] = made(default_factory=dict)
    words: dict[str, dict[str, str]] = made(default_factory=dict)
    dates: str = "mdy"
    decimal: str = "."
    encoding: str = ""
    separator: str = ""

    def kinds_of(self, name: str) -> list[str]:
        """The kinds of file whose pattern a file's name fits, whatever its case."""
        name = name.lower()
        bare = name.rsplit("/", 1)[-1]
        return [
            kind
            for kind, of in self.files.items()
            if any(fnmatchcase(one, pattern) for pattern in _patterns(of) for one in (name, bare))
        ]

    def meaning(self, column: str, word: str) -> str | None:
        """What a value of `column` ("appointments.status") means; None when nobody knows."""
        word = word.lower()
        own = self.words.get(column, {})
        return own[word] if word in own else USUAL[column].get(word, OTHERWISE.get(column))

    def as_json(self) -> dict[str, Any]:
        return {
            "files": {kind: {"pattern": of.pattern, "columns": of.columns} for kind, of in self.files.items()},
            "words": self.words,
            "dates": self.dates,
            "decimal": self.decimal,
            "encoding": self.encoding,
            "separator": self.separator,
        }


def parse(said: Any) -> Mapping:
    """The mapping that JSON (or a form) says; raises Wrong with everything that is wrong with it."""
    problems: list[str] = []
    if not isinstance(said, dict):
        raise Wrong(["The mapping is not a JSON object."])
    unknown = set(said) - {"files", "words", "dates", "decimal", "encoding", "separator"}
    problems += [f"“{name}” is not a part of a mapping." for name in sorted(map(str, unknown))]
    choices = {
        name: _choice(said, name, allowed, problems)
        for name, allowed in (("dates", DATES), ("decimal", DECIMALS), ("separator", SEPARATORS))
    }
    mapping = Mapping(_files(said.get("files", {}), problems), _words(said.get("words", {}), problems),
                      encoding=_encoding(said.get("encoding", ""), problems), **choices)  # fmt: skip
    if problems:
        raise Wrong(problems)
    return mapping


def save(connection: EhrConnection, said: Any) -> Mapping:
    """Checks and keeps a connection's mapping; {} = the usual headings. Raises Wrong. Within the practice."""
    mapping = parse(said)
    connection.mapping = mapping.as_json() if said else {}
    connection.save(update_fields=["mapping"])
    return mapping


def _patterns(of: FileMapping) -> list[str]:
    return [one.strip() for one in of.pattern.lower().split(";")] or ["*"]


def _choice(said: dict, name: str, allowed: dict[str, str], problems: list[str]) -> str:
    value = said.get(name, next(iter(allowed)))
    if value not in allowed:
        shown = ", ".join(f"“{one}”" for one in allowed)
        problems.append(f"“{name}” is “{value}”; it can be {shown}.")
        return next(iter(allowed))
    return value


def _encoding(value: Any, problems: list[str]) -> str:
    try:
        # Codecs that make no text raise, too.
        "".encode(value or "utf-8")
        return codecs.lookup(value).name if value else ""
    except (LookupError, TypeError, ValueError):
        problems.append(f"There is no encoding “{value}”.")
        return ""


def _files(said: Any, problems: list[str]) -> dict[str, FileMapping]:
    files: dict[str, FileMapping] = {}
    for name, of in _items(said, "files", problems):
        kind = KINDS.get(name)
        if kind is None:
            problems.append(f"There is no kind of file “{name}”; there are {', '.join(KINDS)}.")
            continue
        columns: dict[str, list[str]] = {}
        known = {field.name: field for field in kind.fields}
        for field_name, headings in _items(of.get("columns", {}) if isinstance(of, dict) else None, name, problems):
            of_field = [headings] if isinstance(headings, str) else headings
            if field_name not in known:
                problems.append(f"{kind.label} have no field “{field_name}”.")
            elif not isinstance(of_field, list) or not all(isinstance(one, str) and one.strip() for one in of_field):
                problems.append(f"{kind.label}: the column of “{known[field_name].label}” is not a heading.")
            elif len(of_field) > 1 and not known[field_name].joint:
                problems.append(f"{kind.label}: “{known[field_name].label}” can have one column only.")
            elif of_field:
                columns[field_name] = [one.strip() for one in of_field]
        for field in missing(name, columns):
            others = "".join(f" or “{kind.field(other).label}”" for other in field.instead)
            problems.append(f"{kind.label} need a column for “{field.label}”{others}.")
        pattern = of.get("pattern", "*") if isinstance(of, dict) else "*"
        files[name] = FileMapping(str(pattern).strip()[:200], columns)
    return files


def missing(kind: str, columns: Collection[str]) -> list[Field]:
    """The required fields that these columns lack."""
    return [
        field
        for field in KINDS[kind].required
        if field.name not in columns and not any(other in columns for other in field.instead)
    ]


def _words(said: Any, problems: list[str]) -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = {}
    for column, own in _items(said, "words", problems):
        if column not in MEANINGS:
            problems.append(f"The words of “{column}” cannot be mapped.")
            continue
        for word, meaning in _items(own, column, problems):
            if meaning in MEANINGS[column]:
                words.setdefault(column, {})[str(word).strip().lower()] = meaning
            else:
                problems.append(
                    f"“{word}” cannot mean “{meaning}”; it can be {', '.join(f'“{one}”' for one in MEANINGS[column])}."
                )
    return words


def _items(said: Any, what: str, problems: list[str]) -> list[tuple[str, Any]]:
    if not isinstance(said, dict):
        problems.append(f"“{what}” is not a JSON object.")
        return []
    return list(said.items())
