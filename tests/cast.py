"""The people and practices of the tests.

Olive, Mona, Uma and Fred work at Northside; Quinn at Southside must see nothing of it.
"""

import datetime as dt
from types import SimpleNamespace

from trackstat.tenancy.models import Membership, Practice, PracticeSettings, User
from trackstat.tenancy.roles import seed_roles
from trackstat.tenancy.scope import practice_scope

PASSWORD = "correct horse 9 battery"

# Everything that belongs to Southside carries it; no page of Northside may ever show it.
CANARY = "ZZSOUTHSIDE"


def northside() -> Practice:
    return _practice("Northside Chiropractic", "northside", "America/New_York", "Boston", "MA", "02118", "+16175550100")


def southside() -> Practice:
    return _practice(f"{CANARY} Wellness", "southside", "America/Denver", "Boise", "ID", "83702", "+12085550100")


def people(northside: Practice, southside: Practice) -> SimpleNamespace:
    who = {
        "olive": (northside, "Administrator"),
        "mona": (northside, "Manager"),
        "uma": (northside, "User Plus"),
        "fred": (northside, "User"),
        "quinn": (southside, "Administrator"),
    }
    return SimpleNamespace(**{name: _person(name, *place) for name, place in who.items()})


def _practice(name, slug, time_zone, city, state, postal_code, phone) -> Practice:
    practice = Practice.objects.create(name=name, slug=slug)
    with practice_scope(practice):
        PracticeSettings.objects.create(
            practice=practice,
            time_zone=time_zone,
            phone=phone,
            address_line="1 Main Street",
            city=city,
            state=state,
            postal_code=postal_code,
            attested_at=dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
            attested_by="Olive Owner",
            attested_wording="I agree to receive texts about offers and news.",
        )
        seed_roles()
    return practice


def _person(name: str, practice: Practice, role: str) -> User:
    user = User.objects.create_user(f"{name}@{practice.slug}.example", PASSWORD, name=name.title())
    with practice_scope(practice):
        Membership.objects.create(user=user, role=seed_roles()[role])
    return user
