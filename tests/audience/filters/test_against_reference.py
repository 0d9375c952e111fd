"""Every filter's query against what it means (reference.py), over generated patients, alone and together."""

import datetime as dt
import itertools
import random

import pytest

from audience.filters import REGISTRY, Audience
from audience.models import Patient, Tag
from tests.audience.filters.reference import REFERENCE, matches, reachable
from tests.audience.filters.values import any_value
from tests.audience.filters.world import build
from trackstat.clock import now

# An ordinary day; the eve of a leap day's absence; a leap day; clocks going forward and back in New York.
DAYS = ["2026-11-21T16:30", "2027-02-28T14:00", "2028-02-29T20:00", "2026-03-08T15:00", "2026-11-01T23:30"]


@pytest.fixture(params=DAYS)
def world(request, in_northside, clock):
    moment = dt.datetime.fromisoformat(request.param).replace(tzinfo=dt.UTC)
    rows = build(in_northside, moment, clock, seed=DAYS.index(request.param))
    return World(in_northside, rows, now())


class World:
    def __init__(self, practice, rows, now):
        self.practice, self.rows, self.now, self.tz = practice, rows, now, practice.tz
        self.today = now.astimezone(self.tz).date()

    def audience(self, definition, **given):
        return Audience(self.practice, definition, self.today, category=given.pop("category", ""), **given)

    def expected(self, definition):
        return {pk for pk, row in self.rows.items() if matches(row, definition, self.today, self.now, self.tz)}


def test_the_reference_knows_every_filter():
    assert set(REFERENCE) == set(REGISTRY)


def test_each_filter_alone_finds_whom_it_means(world):
    dice = random.Random(1)
    for key in REGISTRY:
        seen = set()
        for _ in range(3):
            value = any_value(dice, key, world.today)
            for mode in ("include", "exclude"):
                definition = {"primary": None, "filters": [{"key": key, "mode": mode, "value": value}]}
                found = world.audience(definition).ids()
                assert set(found) == world.expected(definition), definition
                assert len(found) == len(set(found))
                seen.add(0 < len(found) < len(world.rows))
            if REGISTRY[key].may_be_primary:
                definition = {"primary": {"key": key, "value": value}, "filters": []}
                assert set(world.audience(definition).ids()) == world.expected(definition), definition
        assert True in seen, f"{key} never told patients apart: the generated patients are too tame"


def test_up_to_six_filters_together_find_whom_they_mean(world):
    dice = random.Random(2)
    found_some = 0
    for definition in _definitions(dice, world, 20):
        found = set(world.audience(definition).ids())
        assert found == world.expected(definition), definition
        found_some += bool(found)
    assert found_some


@pytest.mark.parametrize("world", DAYS[:2], indirect=True)
def test_requirements_hold_outside_the_filters(world):
    dice = random.Random(3)
    excluded = set(Tag.objects.filter(always_excluded=True).values_list("pk", flat=True))
    for definition in _definitions(dice, world, 20, most=2):
        require = [each for each in ("address", "email", "cell") if dice.random() < 0.5]
        category = dice.choice(["announcement", "appointment"])
        expected = {pk for pk in world.expected(definition) if reachable(world.rows[pk], require, category, excluded)}
        audience = world.audience(definition, require=require, category=category)
        assert set(audience.ids()) == expected, (definition, require, category)
        assert audience.count() == len(expected)
        assert set(audience.page(size=len(world.rows))) == expected, (definition, require, category)


@pytest.mark.parametrize("world", DAYS[2:3], indirect=True)
def test_the_explanation_agrees_with_the_query_for_every_patient(world):
    """Line by line, with other filters for every few patients."""
    dice = random.Random(4)
    keys = itertools.cycle(REGISTRY)
    for patients in itertools.batched(Patient.objects.all(), 6, strict=False):
        filters = [_one(dice, next(keys), world.today) for _ in range(5)]
        audience = world.audience({"primary": None, "filters": filters}, require=["cell"], category="announcement")
        inside = set(audience.ids())
        for patient in patients:
            explained = audience.explain(patient)
            for line, one in zip(explained.filters, filters, strict=True):
                meant = matches(world.rows[patient.pk], {"filters": [one]}, world.today, world.now, world.tz)
                assert line.passed == meant, (one, line)
                assert line.why and line.words, one
            assert all(line.why for line in explained.requirements)
            assert explained.is_in == (patient.pk in inside), filters


@pytest.mark.parametrize("world", DAYS[3:], indirect=True)
def test_the_numbers_of_the_breakdown_add_up(world):
    dice = random.Random(5)
    for definition in _definitions(dice, world, 10):
        audience = world.audience(definition, require=["cell"], category="announcement")
        told = audience.breakdown()
        assert told.everyone == len(world.rows)
        assert told.everyone - sum(effect.removed for effect in told.effects) == told.matched
        assert told.matched == len(world.expected(definition))
        assert told.matched - sum(each.count for each in told.left_out) == told.count == audience.count()
        wanted = dict(definition, filters=[])
        for effect, one in zip(told.effects[1 if definition["primary"] else 0 :], definition["filters"], strict=True):
            wanted["filters"] = [*wanted["filters"], one]
            assert effect.remaining == len(world.expected(wanted))


def _definitions(dice, world, n, most=6):
    for _ in range(n):
        keys = [dice.choice(list(REGISTRY)) for _ in range(dice.randint(1, most))]
        filters = [_one(dice, key, world.today) for key in keys]
        primary = None
        if REGISTRY[keys[0]].may_be_primary:
            first = filters.pop(0)
            primary = {"key": first["key"], "value": first["value"]}
        yield {"primary": primary, "filters": filters}


def _one(dice, key, today):
    return {
        "key": key,
        "mode": dice.choice(["include", "include", "exclude"]),
        "value": any_value(dice, key, today),
    }
