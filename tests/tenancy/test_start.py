"""What web and workers refuse to start with."""

import datetime as dt

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from tests import conftest
from trackstat import prepared
from trackstat.clock import now, today
from trackstat.startup import refuse_unsafe_start
from trackstat.tenancy.scope import across_practices, practice_scope


def test_the_restricted_role_may_start(db):
    refuse_unsafe_start()


def test_the_owner_of_the_tables_may_not(transactional_db):
    conftest._become("owner")
    try:
        with pytest.raises(ImproperlyConfigured, match="restricted role"):
            refuse_unsafe_start()
    finally:
        conftest._become("default")


def test_a_moved_clock_is_refused_outside_the_sandbox(db, clock, settings):
    clock.ahead(dt.timedelta(hours=3))
    refuse_unsafe_start()
    settings.SANDBOX, settings.PUBLIC_URL = False, "https://messages.example.org"
    with pytest.raises(ImproperlyConfigured, match="clock"):
        refuse_unsafe_start()


def test_sql_and_python_read_the_same_movable_clock(db, clock):
    noon = dt.datetime(2027, 3, 14, 16, 0, tzinfo=dt.UTC)
    clock.at(noon)
    with connection.cursor() as cursor:
        cursor.execute("SELECT trackstat.now()")
        assert cursor.fetchone()[0] == now()
    assert noon <= now() < noon + dt.timedelta(minutes=1)


def test_the_time_is_asked_once_a_transaction(northside, southside, monkeypatch):
    asked = []
    monkeypatch.setattr(prepared, "run", lambda *said, run=prepared.run: asked.append(said) or run(*said))
    with practice_scope(northside):
        asked.clear()
        first = now()
        assert len(asked) == 1
        assert now() == first
        assert len(asked) == 1
        with practice_scope(southside):
            asked.clear()
            assert now() == first
            assert asked == []


@pytest.mark.django_db(transaction=True)
def test_every_transaction_asks_the_time_anew(northside):
    moments = set()
    for _ in range(2):
        with practice_scope(northside):
            moments.add(now())
        with across_practices("to see the time"):
            moments.add(now())
    assert len(moments) == 4


def test_today_is_the_practices_date(northside, southside, clock):
    # Half past midnight in Boston is still the evening before in Boise.
    clock.at(dt.datetime(2027, 3, 2, 5, 30, tzinfo=dt.UTC))
    with practice_scope(northside):
        assert today(northside) == dt.date(2027, 3, 2)
    with practice_scope(southside):
        assert today(southside) == dt.date(2027, 3, 1)


def test_the_product_itself_may_not_move_the_clock(db):
    from django.db import ProgrammingError, transaction

    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE trackstat.clock SET shift = '1 hour'")


def test_production_needs_an_https_address_that_others_reach(db, settings):
    settings.SANDBOX, settings.PUBLIC_URL = False, "http://127.0.0.1:8000"
    with pytest.raises(ImproperlyConfigured, match="PUBLIC_URL"):
        refuse_unsafe_start()
