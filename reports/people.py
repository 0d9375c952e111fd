"""The patients behind a number: the same SQL as the number itself, a page at a time."""

from dataclasses import dataclass, field

from django.db import connection

from audience.models import Patient
from messaging.explained import Explained, explained
from reports.numbers import FLAGS, PART, PARTS, RECIPIENTS, STANDING
from trackstat.tenancy.scope import current_practice_id


@dataclass(frozen=True, slots=True)
class Person:
    patient: Patient
    words: Explained
    at: object
    flags: list[str]


@dataclass
class People:
    """Recipients of a step, for Django's Paginator: has `count()` and slices.

    `show`: "recipients", a part or a flag; `reason` and `code` narrow it to one cause.
    """

    campaign_id: int
    step_id: int | None
    show: str = "recipients"
    reason: str = ""
    code: str = ""
    q: str = ""
    _where: str = field(init=False, default="")
    _values: list = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        where, values = ["e.practice_id = %s", "e.campaign_id = %s"], [current_practice_id(), self.campaign_id]
        self._add(where, values, "s.id IS NOT DISTINCT FROM %s", self.step_id)
        if self.show in PARTS:
            self._add(where, values, f"{PART} = %s", self.show)
        elif self.show in FLAGS:
            where.append(FLAGS[self.show])
        if self.reason:
            self._add(where, values, "coalesce(m.reason, e.reason) = %s", self.reason)
        if self.code:
            self._add(where, values, "m.error_code = %s", self.code)
        for word in self.q.split():
            self._add(where, values, "(p.first_name || ' ' || p.last_name) ILIKE %s", f"%{_plain(word)}%")
        self._where, self._values = " AND ".join(where), values

    def count(self) -> int:
        return self._read("SELECT count(*)", "")[0][0]

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, piece: slice) -> list[Person]:
        start, stop = piece.start or 0, piece.stop
        columns = f"""SELECT p.id, {STANDING}, coalesce(m.reason, e.reason), coalesce(m.error_code, ''),
            coalesce(m.done_at, m.sent_at, m.due_at, e.due_at), {", ".join(FLAGS.values())}"""
        order = "ORDER BY p.last_name, p.first_name, p.id, e.id LIMIT %s OFFSET %s"
        rows = self._read(columns, order, stop - start, start)
        patients = Patient.objects.in_bulk([row[0] for row in rows])
        return [self._person(patients[row[0]], row) for row in rows]

    def _person(self, patient: Patient, row: tuple) -> Person:
        _, standing, reason, code, at = row[:5]
        flags = dict(zip(FLAGS, row[5:], strict=True))
        words = explained(standing, reason, code, bounced=bool(flags["bounced"]), opened=bool(flags["opened"]))
        return Person(patient, words, at, [name for name in ("unsubscribed", "replied") if flags[name]])

    def _read(self, columns: str, end: str, *values: object) -> list[tuple]:
        joined = "JOIN audience_patient p ON p.practice_id = e.practice_id AND p.id = e.patient_id"
        with connection.cursor() as cursor:
            cursor.execute(f"{columns} {RECIPIENTS} {joined} WHERE {self._where} {end}", [*self._values, *values])
            return cursor.fetchall()

    @staticmethod
    def _add(where: list[str], values: list, condition: str, value: object) -> None:
        where.append(condition)
        values.append(value)


def _plain(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
