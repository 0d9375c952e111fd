"""The values of one row by field, and what reading them depends on."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from operator import itemgetter

from audience.ehr import clean
from audience.ehr.csv import values
from audience.ehr.csv.fields import Kind
from audience.ehr.csv.mapping import Mapping
from audience.ehr.csv.values import Ways
from audience.ehr.records import Rejected

_MOST_MEANINGS = 1000


# A practice has a few dozen providers and purposes, and names them in each row.
@lru_cache(maxsize=50_000)
def _printable(value: str) -> str:
    return clean.printable(value, 200)


class Cells:
    """One row after the other of a file: `take` the next, then ask it. A field without a column is empty.

    `file_date` is when the file was made: how new its rows are where they do not say so themselves.
    """

    def __init__(self, kind: Kind, columns: dict[str, list[int]], mapping: Mapping, ways: Ways, file_date: datetime):
        self.kind, self.mapping, self.ways, self.file_date = kind, mapping, ways, file_date
        self._empty = dict.fromkeys((field.name for field in kind.fields), "")
        self._single = tuple(name for name, places in columns.items() if len(places) == 1)
        self._pick = _picker([columns[name][0] for name in self._single])
        self._many = [
            (name, places, kind.field(name).joint or " ") for name, places in columns.items() if len(places) > 1
        ]
        self._columns = columns
        self._values = self._empty
        self._meanings: dict[tuple[str, str], str] = {}

    def take(self, fields: list[str]) -> None:
        self._values = self._empty | dict(zip(self._single, self._pick(fields), strict=True))
        for name, places, joint in self._many:
            self._values[name] = joint.join(value for place in places if (value := fields[place].strip()))

    def __getitem__(self, field: str) -> str:
        return self._values[field]

    def words(self, field: str) -> str:
        """The field's text without control characters and doubled spaces, cut at 200."""
        value = self._values[field]
        return _printable(value) if value else ""

    def has(self, field: str) -> bool:
        """Whether the file has a column for it."""
        return field in self._columns

    def meaning(self, field: str) -> str:
        """What the word in the field means; raises Rejected for one that nobody knows."""
        value = self._values[field]
        meaning = self._meanings.get((field, value))
        if meaning is None:
            meaning = self.mapping.meaning(f"{self.kind.name}.{field}", " ".join(value.split()))
            if meaning is None:
                raise Rejected(f"“{self.kind.field(field).label}” says a word that is not mapped yet")
            if len(self._meanings) < _MOST_MEANINGS:
                self._meanings[field, value] = meaning
        return meaning

    def changed_at(self) -> datetime:
        said = self._values["changed_at"]
        if said:
            try:
                return values.moment(said, "", "", self.ways) or self.file_date
            except Rejected:
                on = values.day(said, "The date of the last change", self.ways)
                return datetime(on.year, on.month, on.day, tzinfo=self.ways.zone) if on else self.file_date
        return self.file_date


def _picker(places: list[int]) -> Callable[[list[str]], tuple[str, ...]]:
    if not places:
        return lambda fields: ()
    if len(places) == 1:
        return lambda fields: (fields[places[0]],)
    return itemgetter(*places)
