"""Every URL × method × person × own, foreign or missing object, checked against the URLconf."""

import re
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from tests import cast
from tests.conftest import truncate
from tests.isolation.belongings import belongings
from tests.isolation.doors import DOORS, PUBLIC
from trackstat.tenancy.models import Membership, Practice, User
from trackstat.tenancy.scope import practice_scope

PEOPLE = ("olive", "mona", "uma", "fred")
MISSING = 987654321


def url_names(patterns=None, namespace="", in_practice=False):
    """(name, is below a practice) of every URL there is; Django admin's own are one door, tested in test_admin."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        below = in_practice or "practice_slug" in str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.namespace == "admin":
                continue
            deeper = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from url_names(pattern.url_patterns, deeper, below)
        else:
            yield f"{namespace}{pattern.name}", below


@pytest.fixture(scope="module")
def made(django_db_setup, django_db_blocker):
    """Both practices with one of everything; committed, so that it is made once for all these tests."""
    with django_db_blocker.unblock(), transaction.atomic():
        northside, southside, world = cast.northside(), cast.southside(), {}
        people = cast.people(northside, southside)
        for name, practice, word in (("own", northside, "Northside"), ("foreign", southside, cast.CANARY)):
            with practice_scope(practice):
                world[name] = belongings(word)
        # What would now begin in the background stays as it was made.
        connection.run_on_commit.clear()
    yield SimpleNamespace(northside=northside, people=people, world=world)
    with django_db_blocker.unblock():
        truncate()


@pytest.fixture
def world(made, db):
    return made.world


@pytest.fixture
def northside(made, db):
    return Practice.objects.get(pk=made.northside.pk)


@pytest.fixture
def people(made, db):
    return SimpleNamespace(**{name: User.objects.get(pk=each.pk) for name, each in vars(made.people).items()})


def test_every_url_has_a_row_in_the_table():
    named = dict(url_names())
    assert {name for name, below in named.items() if below} == set(DOORS)
    assert {name for name, below in named.items() if not below} == set(PUBLIC)


def path(name, slug, things, args):
    return reverse(name, args=[slug, *(things[arg] for arg in args)])


def ask(client, door, method, url, things):
    """`@patient` in the data of a POST stands for the id of that thing."""
    data = {key: things[value[1:]] if str(value).startswith("@") else value for key, value in door.data.items()}
    return client.get(url + door.query) if method == "get" else client.post(url, data)


def held(people, northside, name):
    with practice_scope(northside):
        return Membership.objects.get(user=getattr(people, name)).permissions()


@pytest.mark.parametrize("name", sorted(DOORS))
def test_a_door_opens_for_whom_the_table_says_and_nobody_else(name, world, people, northside):
    door = DOORS[name]
    missing = dict.fromkeys(world["own"], MISSING)
    for method, permission in (("get", door.get), ("post", door.post)):
        own = path(name, "northside", world["own"], door.args)

        assert ask(Client(), door, method, own, world["own"]).status_code == 302, f"{method} by nobody"

        quinn = _signed_in(people.quinn)
        answer = ask(quinn, door, method, own, world["own"])
        assert answer.status_code == 404, f"{method} by a person of another practice"
        elsewhere = ask(quinn, door, method, path(name, "nowhere", world["own"], door.args), world["own"])
        assert (elsewhere.status_code, _body(elsewhere)) == (404, _body(answer)), (
            "a foreign practice is like a missing one"
        )

        for person in PEOPLE:
            may = permission in held(people, northside, person)
            client = _signed_in(getattr(people, person))
            if door.args:
                foreign = ask(client, door, method, path(name, "northside", world["foreign"], door.args), world["own"])
                absent = ask(client, door, method, path(name, "northside", missing, door.args), world["own"])
                expected = (404,) if may else (405,) if permission is None else (403,)
                if permission is None:
                    expected = (405, 404, 403)
                assert foreign.status_code in expected, f"{method} by {person} of a foreign object"
                assert (foreign.status_code, _body(foreign)) == (absent.status_code, _body(absent))
                assert cast.CANARY not in foreign.text
            if permission is None or not may:
                answer = ask(client, door, method, own, world["own"])
                allowed = (405, 403) if permission is None else (403,)
                assert answer.status_code in allowed, f"{method} by {person}: {answer.status_code}"


@pytest.mark.parametrize("name", sorted(DOORS))
def test_those_who_may_get_the_page_and_nothing_of_another_practice(name, world, people, northside):
    door = DOORS[name]
    url = path(name, "northside", world["own"], door.args)
    for method, permission, expected in (("get", door.get, door.ok_get), ("post", door.post, door.ok_post)):
        for person in PEOPLE:
            if permission not in held(people, northside, person):
                continue
            answer = ask(_signed_in(getattr(people, person)), door, method, url, world["own"])
            assert answer.status_code in expected, f"{method} by {person}: {answer.status_code}"
            assert cast.CANARY not in answer.text
            assert not any(cast.CANARY in value for value in answer.headers.values())
            assert "no-store" in answer.headers["Cache-Control"]
            assert door.csp in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", sorted(DOORS))
def test_no_other_method_opens_a_door(name, world, people):
    door = DOORS[name]
    url = path(name, "northside", world["own"], door.args)
    olive, quinn = _signed_in(people.olive), _signed_in(people.quinn)
    for method in ("put", "patch", "delete"):
        assert getattr(Client(), method)(url).status_code == 302, f"{method} by nobody"
        assert getattr(quinn, method)(url).status_code == 404, f"{method} by a person of another practice"
        assert getattr(olive, method)(url).status_code == 405, f"{method} by an Administrator"
    assert quinn.head(url).status_code == 404


@pytest.mark.parametrize("name", sorted(name for name, door in DOORS.items() if len(door.args) > 1))
def test_one_foreign_thing_among_our_own_is_a_missing_one(name, world, people):
    door, olive = DOORS[name], _signed_in(people.olive)
    method = "get" if door.get else "post"
    for swapped in door.args:
        mixed = ask(olive, door, method, path(name, "northside", _with(world, swapped, "foreign"), door.args), {})
        absent = ask(olive, door, method, path(name, "northside", _with(world, swapped, None), door.args), {})
        assert (mixed.status_code, _body(mixed)) == (absent.status_code, _body(absent)), swapped
        assert cast.CANARY not in mixed.text
        assert mixed.status_code in (404, 302, 204), f"{swapped}: {mixed.status_code}"


def _with(world, thing, whose):
    return world["own"] | {thing: world[whose][thing] if whose else MISSING}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_page_answers_anybody_as_the_table_says(name, db):
    page = PUBLIC[name]
    url = reverse(name, args=page.args)
    assert Client().get(url).status_code == page.get
    if page.post is not None:
        assert Client().post(url).status_code == page.post


def _signed_in(person):
    client = Client()
    client.force_login(person)
    return client


def _body(answer):
    """The page without its forgery token, which is new each time."""
    return re.sub(r"\b[A-Za-z0-9]{64}\b", "", answer.text)


@pytest.mark.parametrize(
    "name", sorted(name for name, door in DOORS.items() if "@" in "".join(map(str, door.data.values())))
)
def test_another_practices_id_in_a_form_is_a_missing_one(name, world, people):
    """Swap each id in a valid POST for one of the other practice, and for one that is nowhere."""
    door, olive = DOORS[name], _signed_in(people.olive)
    url = path(name, "northside", world["own"], door.args)
    foreign = ask(olive, door, "post", url, world["foreign"])
    missing = ask(olive, door, "post", url, dict.fromkeys(world["own"], MISSING))
    assert (foreign.status_code, _body(foreign)) == (missing.status_code, _body(missing))
    assert foreign.status_code in (404, 422)
    assert cast.CANARY not in foreign.text
