"""A mapping proposed for a practice's files, and in sentences what is not certain about it.

Looks at the headings and at the first rows of every file. Nothing is guessed silently: what may be read in two ways is
read the usual American way and named in `Proposal.problems`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from audience.ehr.csv.fields import KINDS, Kind
from audience.ehr.csv.mapping import FileMapping, Mapping
from audience.ehr.csv.sheets import Refusal, Sheet, files_in, pattern_of, recognise
from audience.ehr.csv.words import MEANINGS

# Rows of a file that are looked at.
_ROWS = 2000
# Words of a column that nobody knows, shown of each.
_MOST_WORDS = 20
_PARTS = re.compile(r"^\s*(\d{1,2})([/.-])(\d{1,2})\2(?:\d{4}|\d\d)\b")
_EUROPEAN = re.compile(r",\d{2}\)?-?\s*(?:€|EUR)?$")
_AMERICAN = re.compile(r"\.\d{2}\)?-?$")
_DATES = {
    "birth_date", "deceased", "starts_at", "ends_at", "checked_in_at", "starts_on", "ends_on", "since", "visit_on",
    "paid_on",
    "opted_out_at", "changed_at",
}  # fmt: skip


@dataclass
class FileFound:
    """One file: what it seems to hold, its columns by field, the headings nothing is read from, and what is wrong."""

    name: str
    kind: str
    label: str
    encoding: str = ""
    separator: str = ""
    headings: list[str] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class Proposal:
    """`words`: column ("appointments.status") → words nobody knows → how often they came; they have to be mapped.

    `doubts`: those of the problems that are about values which may be read in two ways.
    """

    mapping: Mapping
    files: list[FileFound]
    problems: list[str]
    doubts: list[str]
    words: dict[str, dict[str, int]]


def guess(files: Path | Iterable[Path], mapping: Mapping | None = None, only: str = "") -> Proposal:
    """A proposal for the files (or a folder), beginning from what `mapping` says. Raises FileNotFoundError."""
    mapping = mapping or Mapping()
    paths = files_in(files) if isinstance(files, Path) else sorted(files)
    seen = _Seen(mapping)
    found = [seen.look(path, recognise(path, path.name, mapping, only)) for path in paths]
    problems = [] if paths else ["There are no CSV files (.csv, .tsv, .txt) in this folder."]
    return seen.propose([one for one in found if one], problems)


class _Seen:
    """What the first rows of all files say together."""

    def __init__(self, mapping: Mapping):
        self.mapping = mapping
        self.dates: Counter[str] = Counter()
        self.decimals: Counter[str] = Counter()
        self.words: dict[str, Counter[str]] = defaultdict(Counter)

    def look(self, path: Path, sheet: Sheet | Refusal | None) -> FileFound | None:
        if sheet is None:
            return None
        if isinstance(sheet, Refusal):
            kind = sheet.kind
            found = FileFound(
                sheet.name, kind.name if kind else "", kind.label if kind else "", problems=[sheet.reason]
            )
            if sheet.table:
                found.encoding = sheet.table.encoding
            return found
        headings = sheet.headings.fields
        used = {place for places in sheet.columns.values() for place in places}
        self._look_at_rows(sheet)
        return FileFound(
            sheet.table.name,
            sheet.kind.name,
            sheet.kind.label,
            sheet.table.encoding,
            sheet.headings.separator,
            headings,
            {name: [headings[place] for place in places] for name, places in sheet.columns.items()},
            [heading for place, heading in enumerate(headings) if place not in used and heading],
        )

    def _look_at_rows(self, sheet: Sheet) -> None:
        mapped = [name for name in MEANINGS if name.startswith(f"{sheet.kind.name}.")]
        for row in islice(sheet.table.rows(sheet.headings), _ROWS):
            if row.problem:
                continue
            for name, places in sheet.columns.items():
                value = row.fields[places[0]].strip()
                if name in _DATES:
                    self._look_at_date(value)
                elif name == "amount":
                    self.decimals[","] += bool(_EUROPEAN.search(value))
                    self.decimals["."] += bool(_AMERICAN.search(value))
                elif (column := f"{sheet.kind.name}.{name}") in mapped and value:
                    word = " ".join(value.split()).lower()
                    if self.mapping.meaning(column, word) is None:
                        self.words[column][word[:60]] += 1

    def _look_at_date(self, value: str) -> None:
        if parts := _PARTS.match(value):
            first, second = int(parts[1]), int(parts[3])
            self.dates["dots" if parts[2] == "." else "either"] += 1
            self.dates["dmy"] += first > 12 >= second
            self.dates["mdy"] += second > 12 >= first

    def propose(self, files: list[FileFound], problems: list[str]) -> Proposal:
        read = [file for file in files if not file.problems]
        for file in files:
            problems += [f"{file.name}: {reason}." for reason in file.problems]
        by_kind: dict[str, list[FileFound]] = defaultdict(list)
        for file in read:
            by_kind[file.kind].append(file)
        if files and "patients" not in by_kind and set(by_kind) - {"opt_outs"}:
            problems.append(
                "None of the files has the patients: without them only what belongs to known patients comes."
            )
        doubts: list[str] = []
        mapping = Mapping(
            {kind: self._file(KINDS[kind], of, problems) for kind, of in by_kind.items()},
            self.mapping.words,
            self._order(doubts),
            self._decimal(doubts),
            self.mapping.encoding,
            self.mapping.separator,
        )
        words = {column: dict(found.most_common(_MOST_WORDS)) for column, found in self.words.items()}
        for column, found in words.items():
            kind, _, name = column.partition(".")
            shown = ", ".join(f"“{word}” ({number:,})" for word, number in list(found.items())[:5])
            problems.append(
                f"{KINDS[kind].label}: nobody knows what these words of “{KINDS[kind].field(name).label}” mean:"
                f" {shown}. Rows with them are refused until they are mapped."
            )
        return Proposal(mapping, files, [*problems, *doubts], doubts, words)

    def _file(self, kind: Kind, files: list[FileFound], problems: list[str]) -> FileMapping:
        patterns = dict.fromkeys(pattern_of(file.name) for file in files)
        different = [file.name for file in files[1:] if file.columns != files[0].columns]
        if different:
            problems.append(
                f"{kind.label}: {', '.join(different)} has other columns than {files[0].name}; one mapping is for all"
                " of them, and a file without one of its columns is refused."
            )
        return FileMapping(";".join(patterns), files[0].columns)

    def _order(self, doubts: list[str]) -> str:
        """Which of day and month stands first, and whether that is certain."""
        saw, said = self.dates, self.mapping.dates
        if saw["dmy"] and saw["mdy"]:
            doubts.append(
                "Some dates can only be month first and others only day first: those that do not fit are refused."
            )
            return said if said != "mdy" else "dmy" if saw["dmy"] > saw["mdy"] else "mdy"
        if saw["dmy"]:
            return "dmy"
        if saw["mdy"]:
            return "mdy"
        if saw["either"] or saw["dots"]:
            first = "day first: March 4" if said == "dmy" else "month first: March 4"
            example = "4/3/2026" if said == "dmy" else "3/4/2026"
            doubts.append(
                f"No date tells whether the month or the day stands first. They are read {first} is {example};"
                " say so in the mapping if that is wrong."
            )
            if saw["dots"] and said != "dmy":
                doubts.append("Dates with dots are read only where the mapping says that the day stands first.")
        return said

    def _decimal(self, doubts: list[str]) -> str:
        if self.decimals[","] and self.decimals["."]:
            doubts.append("Some amounts have cents after a comma and others after a point: the fewer ones are refused.")
        return "," if self.decimals[","] > self.decimals["."] else self.mapping.decimal
