"""Households: patients who share a cell phone (texts) or a mailbox (emails), a household for each channel.

They are recognised by the normalised addresses the patients have at this moment, and kept nowhere: what the EHR changes
is right at once. Whoever is eldest stands for the others: so an adult does wherever there is one. Unknown birth dates
come last, and of two born on a day the record that was here first goes first.
"""

import datetime as dt
from collections.abc import Callable, Collection

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce, NullIf

from audience.filters.people import age_on
from audience.models import Channel, Patient

# The patient's column that holds the address of a channel.
COLUMNS = {Channel.TEXT: "cell", Channel.EMAIL: "email"}
PLACES = {Channel.TEXT: "cell phone", Channel.EMAIL: "email address"}
# Stands for an unknown birth date: younger than everybody.
_UNBORN = Value(dt.date.max)
ELDEST_FIRST = (F("birth_date").asc(nulls_last=True), F("pk").asc())
SHOWN = 100


def channel_of(first_message: str | None, require: Collection[str]) -> str | None:
    """The channel whose addresses make a household: the first message's; while there is none, that of the first ticked
    box, CellPhone before Email; None when nobody is written to."""
    if first_message is not None:
        return Channel(first_message)
    return next((channel for channel, column in COLUMNS.items() if column in require), None)


class Household:
    """One message an address, among the patients of `among`: a queryset that nothing was sorted or sliced of.

    `on` is the practice's local date, for ages in words. `filled`: all of them have an address on the channel.
    `of_few`: the same patients as `among`, in the form that is faster for a page.
    """

    key = "household"
    words = "Stands for the household"
    short = "same household"

    def __init__(
        self,
        channel: str,
        among: Callable[[], QuerySet[Patient]],
        on: dt.date,
        *,
        of_few: Callable[[], QuerySet[Patient]],
        filled: bool = False,
    ) -> None:
        self.column, self.place = COLUMNS[Channel(channel)], PLACES[Channel(channel)]
        self._among, self._of_few, self._on, self._filled = among, of_few, on, filled

    @property
    def q(self) -> Q:
        """Nobody of them comes before the patient at the same address; true of whoever has no address."""
        return ~Q(Exists(self._elders(self._among())))

    @property
    def q_of_few(self) -> Q:
        """The same, to be asked of a page or one patient."""
        return ~Q(Exists(self._elders(self._of_few())))

    def count(self, patients: QuerySet[Patient]) -> int:
        """How many of the patients stand for their household, in one pass: as many as there are addresses."""
        each_own = Coalesce(NullIf(self.column, Value("")), Cast("pk", CharField()))
        address = self.column if self._filled else each_own
        return patients.order_by().values_list(address).distinct().count()

    def left_out(self) -> QuerySet[Patient]:
        """For whom another one stands; `stands_id` is that patient's."""
        same = self._others(self._among()).filter(**{self.column: OuterRef(self.column)})
        eldest = Subquery(same.order_by(*ELDEST_FIRST).values("pk")[:1])
        return self._among().filter(Exists(self._elders(self._among()))).annotate(stands_id=eldest)

    def why(self, patient: Patient) -> str:
        address = getattr(patient, self.column)
        if not address:
            return f"No {self.place} to share"
        same = self._among().filter(**{self.column: address}).exclude(pk=patient.pk)
        others = list(same.order_by(*ELDEST_FIRST)[:SHOWN])
        if not others:
            return f"Nobody else here has this {self.place}"
        if _seniority(others[0]) < _seniority(patient):
            return f"{_named(others[0], self._on)} stands for the household"
        number = f"{SHOWN} and more" if len(others) == SHOWN else len(others)
        return f"Stands for {number} other{'' if len(others) == 1 else 's'} with this {self.place}"

    def _elders(self, among: QuerySet[Patient]) -> QuerySet[Patient]:
        theirs = Coalesce(OuterRef("birth_date"), _UNBORN)
        elder = Q(born__lt=theirs) | Q(born=theirs, pk__lt=OuterRef("pk"))
        same = self._others(among).filter(**{self.column: OuterRef(self.column)})
        return same.alias(born=Coalesce("birth_date", _UNBORN)).filter(elder)

    def _others(self, among: QuerySet[Patient]) -> QuerySet[Patient]:
        # Said as the partial index on the address says it.
        return among.filter(~Q(**{self.column: ""}))


def _seniority(patient: Patient) -> tuple[dt.date, int]:
    return patient.birth_date or dt.date.max, patient.pk


def _named(patient: Patient, on: dt.date) -> str:
    return patient.name if patient.birth_date is None else f"{patient.name} ({age_on(patient.birth_date, on)})"
