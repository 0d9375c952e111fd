"""A valid value of any filter, picked at random, for a world as `world.build` makes it."""

import datetime as dt
import random

from audience.filters import REGISTRY
from audience.filters.choices import Rows
from audience.models import Tag
from tests.audience.filters.charts import CITIES, STATES

RANGES = {"visit", "last_visit", "first_visit", "next_visit"}


def any_value(dice: random.Random, key: str, today: dt.date) -> dict:
    if key in RANGES:
        return any_range(dice, today, ahead=key == "next_visit")
    return VALUES[key](dice, today)


def some(dice, key: str, name: str, least: int = 1) -> list[int]:
    """Ids of rows for a field of a filter."""
    field = REGISTRY[key].form.base_fields[name]
    assert isinstance(field, Rows)
    ids = list(field.model.objects.order_by("pk").values_list("pk", flat=True))
    return dice.sample(ids, dice.randint(least, min(2, len(ids))))


def _ever_or_range(dice, today, ahead=False):
    return {"range": "ever"} if dice.random() < 0.4 else any_range(dice, today, ahead=ahead and dice.random() < 0.5)


def _status(dice, today):
    if dice.random() < 0.4:
        return {"status": "active"}
    reasons = [each for each in ("inactive", "discharged", "archived", "deceased") if dice.random() < 0.4]
    return {"status": "inactive"} | ({"reasons": reasons} if reasons else {})


def _age(dice, today):
    low, high = sorted([dice.choice([0, 17, 18, 19, 30, 65]), dice.choice([0, 17, 18, 64, 65, 66, 130])])
    return dice.choice([{"min": low}, {"max": high}, {"min": low, "max": high}])


def _tags(dice, today):
    tags = list(Tag.objects.order_by("pk").values_list("pk", flat=True))
    return {"match": dice.choice(["any", "all", "none"]), "tags": dice.sample(tags, dice.randint(1, 3))}


def _future(dice, today):
    value = {"has": dice.choice(["yes", "no"])}
    for name in ("purposes", "providers"):
        if dice.random() < 0.5:
            value[name] = some(dice, "has_future_appointment", name)
    return value


def _of_appointment(key, name):
    def value(dice, today):
        which = dice.choice(["appointment", "last_visit", "next_visit", *(["primary"] if key == "provider" else [])])
        found = {"which": which, name: some(dice, key, name)}
        return found | (_ever_or_range(dice, today, ahead=True) if which == "appointment" else {})

    return value


def _diagnosis(dice, today):
    value = {"which": dice.choice(["ever", "current"])}
    picked, begun = dice.choice([(True, False), (False, True), (True, True)])
    if picked:
        value["codes"] = some(dice, "diagnosis", "codes")
    if begun:
        value["beginnings"] = dice.sample(["M54", "M545", "M54.50", "S", "m", "99"], dice.randint(1, 2))
    return value


def _of_case(key, name):
    return lambda dice, today: {"which": dice.choice(["open", "any"]), name: some(dice, key, name)}


def _paid(dice, today):
    low, high = sorted(dice.sample([(0, "0"), (1, "0.01"), (9999, "99.99"), (10000, "100"), (10001, "100.01")], 2))
    return dice.choice([{"min": low[1]}, {"max": high[1]}, {"min": low[1], "max": high[1]}])


def _replied(dice, today):
    value = _ever_or_range(dice, today) | {"campaigns": some(dice, "replied", "campaigns", least=0)}
    return value | ({"days": dice.choice([1, 7])} if dice.random() < 0.5 else {})


def _several(dice, values):
    return dice.sample(values, dice.randint(1, min(3, len(values))))


VALUES = {
    "has_future_appointment": _future,
    "status": _status,
    "age": _age,
    "sex": lambda dice, today: {"sex": dice.sample(["female", "male", "other", "unknown"], dice.randint(1, 4))},
    "tags": _tags,
    "purpose": _of_appointment("purpose", "purposes"),
    "provider": _of_appointment("provider", "providers"),
    "visit_count": lambda dice, today: {
        "compare": dice.choice(["exactly", "at_least", "at_most"]),
        "visits": dice.choice([0, 1, 2, 5]),
    },
    "birthday_month": lambda dice, today: {
        "months": _several(dice, ["this", "next", *(str(month) for month in range(1, 13))])
    },
    "referral_source": lambda dice, today: {"sources": some(dice, "referral_source", "sources")},
    "service": lambda dice, today: {"codes": some(dice, "service", "codes")} | _ever_or_range(dice, today),
    "diagnosis": _diagnosis,
    "case_type": _of_case("case_type", "types"),
    "attorney": _of_case("attorney", "attorneys"),
    "care_package": _of_case("care_package", "packages"),
    "fee_schedule": _of_case("fee_schedule", "schedules"),
    "care_phase": lambda dice, today: {"phases": _several(dice, ["in_care", "pending", "none"])},
    "insurer": lambda dice, today: {
        "which": dice.choice(["now", "ever"]),
        "insurers": some(dice, "insurer", "insurers"),
    },
    "total_paid": _paid,
    "city": lambda dice, today: {"cities": _several(dice, [each for each in CITIES if each])},
    "state": lambda dice, today: {"states": _several(dice, sorted({each for each in STATES if each}))},
    "zip": lambda dice, today: {"zips": _several(dice, ["02118", "021", "02118-1234", "10001", "M5V", "99", "02119"])},
    "reachable": lambda dice, today: {
        "by": dice.choice(["text", "email", "either", "both"]),
        "category": dice.choice(["announcement", "appointment"]),
    },
    "household": lambda dice, today: {"what": dice.choice(["text", "email", "either"])},
    "received": lambda dice, today: (
        _ever_or_range(dice, today) | {"campaigns": some(dice, "received", "campaigns", least=0)}
    ),
    "replied": _replied,
}


def any_range(dice, today, ahead):
    past = ["ago", "more_than_ago", "last", "between", "today", "yesterday", "this_month", "last_month"]
    future = ["next", "ahead", "more_than_ahead", "between", "today", "tomorrow", "this_month", "next_month"]
    kind = dice.choice(future if ahead else [*past, "this_year", "last_year"])
    if kind == "between":
        days = sorted(today + dt.timedelta(days=dice.randrange(-600, 400)) for _ in range(2))
        start, end = (each.isoformat() for each in days)
        return {"range": kind} | dice.choice([{"start": start}, {"end": end}, {"start": start, "end": end}])
    least, most = sorted([dice.choice([0, 1, 2, 6]), dice.choice([1, 7, 12, 18, 30])])
    unit = dice.choice(["days", "weeks", "months", "years"])
    needs = {
        "ago": {"least": least, "most": most, "unit": unit},
        "ahead": {"least": least, "most": most, "unit": unit},
        "more_than_ago": {"least": least, "unit": unit},
        "more_than_ahead": {"least": least, "unit": unit},
        "last": {"most": most, "unit": unit},
        "next": {"most": most, "unit": unit},
    }
    return {"range": kind} | needs.get(kind, {})
