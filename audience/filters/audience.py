"""An audience: who of a practice's patients meets a definition on a day, how many, and why or why not."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import BooleanField, Case, Count, IntegerField, Q, QuerySet, Value, When

from audience.filters.definition import Chosen, parse
from audience.filters.households import Household
from audience.filters.registry import On
from audience.filters.requirements import Reason, Requirement, alive, requirements
from audience.models import Category, Patient
from trackstat.tenancy.models import Practice


@dataclass(frozen=True)
class Effect:
    """One filter in its place: how many are left after it, how many it took away."""

    words: str
    excludes: bool
    remaining: int
    removed: int


@dataclass(frozen=True)
class LeftOut:
    """How many match all filters and are left out for a reason (each patient under one reason)."""

    key: str
    words: str
    count: int


@dataclass(frozen=True)
class Breakdown:
    """everyone − what each filter took = matched; matched − everyone left out = count."""

    everyone: int
    effects: tuple[Effect, ...]
    matched: int
    left_out: tuple[LeftOut, ...]
    count: int


@dataclass(frozen=True)
class Line:
    """A filter or requirement about one patient: what was asked, whether it holds, the value that decided."""

    key: str
    words: str
    excludes: bool
    passed: bool
    why: str


@dataclass(frozen=True)
class Explanation:
    filters: tuple[Line, ...]
    requirements: tuple[Line, ...]

    @property
    def is_in(self) -> bool:
        return all(line.passed for line in self.filters + self.requirements)


class Audience:
    """Use within the practice's scope. Raises BadDefinition when the definition cannot be meant.

    `on` is the practice's local date. `require`: fields each patient must have, of "address", "email", "cell".
    `category` of the messages decides which opt-outs and tags keep someone out. `removed`: rows with a `patient`,
    taken out by hand. `may_be_blank` where something else narrows it, such as a drip's trigger. `household`: the
    channel on which patients who share an address get one message; None = each patient gets one.
    """

    def __init__(
        self,
        practice: Practice,
        definition: dict[str, Any],
        on: dt.date,
        require: Collection[str] = (),
        *,
        category: str = Category.ANNOUNCEMENT,
        removed: QuerySet | None = None,
        may_be_blank: bool = False,
        household: str | None = None,
    ) -> None:
        self.practice = practice
        self.definition = parse(definition, may_be_blank=may_be_blank)
        self.on = On(on, practice.tz)
        self.requirements: list[Requirement] = requirements(require, category, removed)
        if household is not None and not any(each.key == "alive" for each in self.requirements):
            # Nobody is left without a message because of someone who can get none.
            self.requirements.append(alive())
        filled = any(each.key == f"can_{household}" for each in self.requirements)
        self.household = None
        if household is not None:
            self.household = Household(household, self._everybody, on, of_few=self._everybody_of_few, filled=filled)

    def queryset(self) -> QuerySet[Patient]:
        """The patients, each once, in no order; one statement, whatever is asked of it."""
        return self._everybody().filter(*([self.household.q] if self.household else []))

    def listed(self) -> QuerySet[Patient]:
        """The same, faster where a page of it is read: opted-out addresses are looked up one by one, with households
        only those of who shares an address."""
        return self._everybody().filter(self.household.q_of_few) if self.household else self._everybody_of_few()

    def same_household(self) -> QuerySet[Patient]:
        """For whom another one of the audience stands, each with that patient's id as `stands_id`."""
        return self.household.left_out() if self.household else Patient.objects.none()

    def matching(self) -> QuerySet[Patient]:
        """Whoever meets the filters, reachable or not."""
        return Patient.objects.filter(*self._filters)

    def count(self) -> int:
        return self._counted(self._everybody())

    def ids(self) -> list[int]:
        """In no order: sorting would take as long as finding them. As one value, which is read faster than rows."""
        return self.queryset().aggregate(ids=ArrayAgg("pk"))["ids"] or []

    def page(self, number: int = 1, size: int = 50) -> list[int]:
        """Ids by name, in the order of an index: what is shown of them is looked up of these alone."""
        first = (number - 1) * size
        by_name = self.listed().order_by("last_name", "first_name", "pk").values_list("pk", flat=True)
        return list(by_name[first : first + size])

    def contactable(self) -> int:
        """How many of the whole practice meet the requirements: what "the whole database" is measured by (A3)."""
        return self._counted(Patient.objects.filter(*self._required))

    def breakdown(self) -> Breakdown:
        """Everyone, each patient's first obstacle, and the households, counted: a statement each.

        The first filter narrows the rows by its index; the others are asked one after the other, and only of those
        who came so far.
        """
        chosen = self.definition.chosen
        base = Patient.objects.filter(*self._filters[:1])
        found = base.annotate(stage=self._stages()).values("stage").annotate(n=Count("pk")).order_by()
        at = dict(found.values_list("stage", "n"))
        everyone = Patient.objects.count()
        left, effects = everyone, []
        for place, each in enumerate(chosen):
            remaining = sum(at.values()) if place == 0 else left - at.get(place, 0)
            effects.append(Effect(each.words, each.excludes, remaining, left - remaining))
            left = remaining
        numbers = ((reason, at.get(place, 0)) for place, reason in self._reasons.items())
        left_out = [LeftOut(reason.key, reason.words, n) for reason, n in numbers if n]
        count = at.get(0, 0)
        if self.household and count:
            standing = self.count()
            if standing != count:
                left_out.append(LeftOut(self.household.key, self.household.short, count - standing))
            count = standing
        return Breakdown(everyone, tuple(effects), left, tuple(left_out), count)

    def explain(self, patient: Patient) -> Explanation:
        """One statement asks every filter and requirement of the patient; the words come from the patient's values."""
        household = [self.household.q_of_few] if self.household else []
        asked = {f"asked_{n}": Case(When(q, then=True), default=False, output_field=BooleanField())
                 for n, q in enumerate([*self._filters, *self._required_of_few, *household])}  # fmt: skip
        answers = iter(Patient.objects.filter(pk=patient.pk).values_list(*asked.values()).get() if asked else ())
        filters = [
            Line(
                each.filter.key, each.words, each.excludes, next(answers), each.filter.why(each.value, patient, self.on)
            )
            for each in self.definition.chosen
        ]
        requirements: list[Requirement | Household] = [*self.requirements]
        if self.household:
            requirements.append(self.household)
        required = [Line(each.key, each.words, False, next(answers), each.why(patient)) for each in requirements]
        return Explanation(tuple(filters), tuple(required))

    def sentences(self) -> list[str]:
        """Every chosen filter in plain words (A10); those that leave out begin with "not"."""
        return [_said(each) for each in self.definition.chosen]

    def sentence(self) -> str:
        wanted = [each.words for each in self.definition.chosen if not each.excludes]
        unwanted = [each.words for each in self.definition.chosen if each.excludes]
        words = f"Patients with {_listed(wanted, 'and')}" if wanted else "Patients"
        if unwanted:
            words += f"{',' if wanted else ''} without {_listed(unwanted, 'or')}"
        return f"{words}." if wanted or unwanted else "All patients."

    def _everybody(self) -> QuerySet[Patient]:
        """Whoever meets filters and requirements, whether or not somebody else stands for them."""
        return Patient.objects.filter(*self._filters, *self._required)

    def _everybody_of_few(self) -> QuerySet[Patient]:
        return Patient.objects.filter(*self._filters, *self._required_of_few)

    def _counted(self, patients: QuerySet[Patient]) -> int:
        return self.household.count(patients) if self.household else patients.count()

    @cached_property
    def _filters(self) -> list[Q]:
        return [each.q(self.on) for each in self.definition.chosen]

    @cached_property
    def _required(self) -> list[Q]:
        return [each.q for each in self.requirements]

    @property
    def _required_of_few(self) -> list[Q]:
        return [each.of_few for each in self.requirements]

    @cached_property
    def _reasons(self) -> dict[int, Reason]:
        """Numbered behind the filters: what `_stages` answers for someone who fails a requirement."""
        reasons = [reason for each in self.requirements for reason in each.reasons()]
        return dict(enumerate(reasons, start=len(self._filters) + 1))

    def _stages(self) -> Case | Value:
        """0 for who is in, else the number of the first filter or reason that keeps the patient out.

        Nested, so each question is asked only of those who passed the one before; "unknown" counts as not passed.
        """
        numbers = {reason.key: number for number, reason in self._reasons.items()}
        stage: Case | Value = Value(0, output_field=IntegerField())
        for each in reversed(self.requirements):
            *special, rest = each.reasons()
            whens = [When(reason.q, then=numbers[reason.key]) for reason in special]
            default = Case(*whens, default=numbers[rest.key], output_field=IntegerField())
            stage = Case(When(each.q, then=stage), default=default, output_field=IntegerField())
        for number, q in reversed(list(enumerate(self._filters))[1:]):
            stage = Case(When(q, then=stage), default=Value(number), output_field=IntegerField())
        return stage


def _said(chosen: Chosen) -> str:
    words = f"not {chosen.words}" if chosen.excludes else chosen.words
    return words[0].upper() + words[1:]


def _listed(words: list[str], joint: str) -> str:
    return f" {joint} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
