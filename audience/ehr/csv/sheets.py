"""Which files a drop has, what each of them holds, and in which of its columns what stands."""

import datetime as dt
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from audience.ehr.csv.fields import KINDS, OPT_OUTS, Kind, plain
from audience.ehr.csv.mapping import Mapping, missing
from audience.ehr.csv.table import Headings, Table, Unusable

SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
# What may be anything else, too: without headings that are known it is passed over rather than refused.
_MAYBE = ".txt"
# Headings that a list of opt-outs has, where nothing else says that it is one.
_OPTING = re.compile("opt|unsub|stop")
_STAMP = re.compile(
    r"(?<!\d)(?:(20\d\d)[-_.]?(\d\d)[-_.]?(\d\d)|(\d{1,2})[-_.](\d{1,2})[-_.](20\d\d))"
    r"(?:[-_T. ]?(\d\d)[-_.:]?(\d\d)(?:[-_.:]?(\d\d))?)?(?!\d)"
)


class Sheet(NamedTuple):
    """A file that can be read: `columns` are places in its rows, by field."""

    table: Table
    kind: Kind
    headings: Headings
    columns: dict[str, list[int]]


class Refusal(NamedTuple):
    """A file that is refused as a whole, and why; `kind` None where nobody can tell what it is."""

    table: Table | None
    name: str
    kind: Kind | None
    reason: str


def files_in(path: Path) -> list[Path]:
    """The CSV files under a folder, or the one file that `path` is. Raises FileNotFoundError."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"There is no folder {path}")
    # A link may lead out of the practice's own folder.
    return sorted(file for file in path.rglob("*") if is_csv(file) and file.is_file() and not file.is_symlink())


def is_csv(file: Path) -> bool:
    return not file.name.startswith(".") and file.name.lower().removesuffix(".gz").endswith(SUFFIXES)


def recognise(path: Path, name: str, mapping: Mapping, only: str = "") -> Sheet | Refusal | None:
    """What a file holds, as the mapping says, else its headings; `only`: it is of this kind. None: pass it over."""
    asked = [only] if only else mapping.kinds_of(name)
    if mapping.files and not asked:
        return None
    try:
        table = Table(path, name, mapping.encoding, mapping.separator)
    except Unusable as unusable:
        return Refusal(None, name, None, str(unusable))
    known = [KINDS[kind] for kind in asked or KINDS]
    try:
        headings = table.headings(lambda fields: max(len(_columns(kind, fields, mapping)) for kind in known))
    except Unusable as unusable:
        maybe = not asked and name.lower().removesuffix(".gz").endswith(_MAYBE)
        return None if maybe else Refusal(table, name, known[0] if len(known) == 1 else None, str(unusable))
    kind = known[0] if len(known) == 1 else _told(name, headings.fields, known, mapping)
    if kind is None:
        return Refusal(table, name, None, "It is not clear what this file holds: name the kind of file in the mapping")
    columns = _columns(kind, headings.fields, mapping)
    if reason := _lacks(kind, columns, mapping):
        return Refusal(table, name, kind, reason)
    return Sheet(table, kind, headings, columns)


def newest(sheets: Iterable[Sheet]) -> list[Sheet]:
    """Of files whose names differ in their date only, the newest: for snapshots, where the older ones are over."""
    by_name: dict[tuple[str, str], list[Sheet]] = {}
    for sheet in sheets:
        by_name.setdefault((sheet.kind.name, _STAMP.sub("*", sheet.table.name)), []).append(sheet)
    return [max(group, key=lambda sheet: made_on(sheet.table.path, sheet.table.name)) for group in by_name.values()]


def pattern_of(name: str) -> str:
    """A pattern that the name fits, and tomorrow's name, too."""
    plain_name = re.sub(r"[\[?*]", r"[\g<0>]", name.rsplit("/", 1)[-1]).replace(";", "?")
    return re.sub(r"\*+", "*", _STAMP.sub("*", plain_name))


def made_on(path: Path, name: str, zone: dt.tzinfo = dt.UTC) -> dt.datetime:
    """When a file was made: the date (of the `zone`) in its name, else when it was written."""
    written = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    if found := _STAMP.search(name):
        year, month, day, month_first, day_first, year_last, hour, minute, second = found.groups()
        try:
            on = dt.date(int(year or year_last), int(month or month_first), int(day or day_first))
            named = dt.datetime.combine(on, dt.time(int(hour or 0), int(minute or 0), int(second or 0)), zone)
        except ValueError:
            return written
        # A date to come is not when it was made.
        return named if named < written + dt.timedelta(days=1) else written
    return written


def _columns(kind: Kind, headings: list[str], mapping: Mapping) -> dict[str, list[int]]:
    """Places by field: of the headings that are mapped, else of those that are usual, the surest of each."""
    found: dict[str, list[int]] = {}
    if kind.name in mapping.files:
        places = {plain(heading): place for place, heading in reversed(list(enumerate(headings)))}
        exact = {heading: place for place, heading in reversed(list(enumerate(headings)))}
        for field, wanted in mapping.files[kind.name].columns.items():
            there = [exact.get(one, places.get(plain(one))) for one in wanted]
            if None not in there:
                found[field] = [place for place in there if place is not None]
        return found
    surest: dict[str, int] = {}
    for place, heading in enumerate(headings):
        field, doubt = kind.named(heading)
        if not field:
            continue
        if kind.field(field).joint:
            found.setdefault(field, []).append(place)
        elif field not in found or doubt < surest[field]:
            found[field], surest[field] = [place], doubt
    return found


def _lacks(kind: Kind, columns: dict[str, list[int]], mapping: Mapping) -> str:
    """Why a file with these columns is refused; '' when it is not."""
    if kind.name in mapping.files:
        for field, wanted in mapping.files[kind.name].columns.items():
            if field not in columns:
                return (
                    f"The column “{'”, “'.join(wanted)}”, mapped to “{kind.field(field).label}”, is not in this file:"
                    " map another column, or none"
                )
    for lacking in missing(kind.name, columns):
        usual = ", ".join(f"“{one}”" for one in lacking.synonyms[:3])
        return f"It has no column for “{lacking.label}”, such as {usual}: map the column that has it"
    return ""


def _told(name: str, headings: list[str], known: list[Kind], mapping: Mapping) -> Kind | None:
    """The one kind that the file's name says, or that its headings fit best."""
    bare = plain(name.rsplit("/", 1)[-1])
    named = [kind for kind in known if any(word in bare for word in kind.words)]
    if named and OPT_OUTS in named:
        return OPT_OUTS
    if not named and not any(_OPTING.search(plain(heading)) for heading in headings):
        known = [kind for kind in known if kind is not OPT_OUTS]
    scores: dict[Kind, tuple[bool, int]] = {}
    for kind in named or known:
        columns = _columns(kind, headings, mapping)
        scores[kind] = (not missing(kind.name, columns), len(columns))
    best = max(scores.values())
    first = [kind for kind, score in scores.items() if score == best]
    return first[0] if len(first) == 1 and (best[0] or named) else None
