"""The database as in production: made by the owner, used as the restricted role, behind row-level security."""

import datetime as dt
import os
import shutil

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase
from hypothesis import settings as property_settings
from playwright.sync_api import sync_playwright

from tests import cast
from trackstat.tenancy.scope import Moment, current_scope, practice_scope

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's own event loop; nothing of ours is async.


# How long an example takes says something about the machine, nothing about the property.
property_settings.register_profile("untimed", deadline=None)
property_settings.load_profile("untimed")


def pytest_configure(config):
    missing = [name for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL") if not os.environ.get(name)]
    if missing:
        pytest.exit(f"{', '.join(missing)} not set: run the tests with bin/test, which starts the services.", 2)

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # The real ones are slow on purpose.


def _become(alias):
    """From now on `default` connects as the role of `alias`."""
    connections["default"].close()
    for key in ("USER", "PASSWORD"):
        connections["default"].settings_dict[key] = _ROLES[alias][key]


_ROLES = {alias: {key: database[key] for key in ("USER", "PASSWORD")} for alias, database in settings.DATABASES.items()}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings):
    _become("owner")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        _become("default")
    yield
    with django_db_blocker.unblock():
        _become("owner")


def owner_connection() -> psycopg.Connection:
    """To the test database as the owner of the tables, past row-level security; commits each statement."""
    parameters = connections["default"].settings_dict
    return psycopg.connect(
        host=parameters["HOST"],
        port=parameters["PORT"],
        dbname=parameters["NAME"],
        user=_ROLES["owner"]["USER"],
        password=_ROLES["owner"]["PASSWORD"],
        autocommit=True,
    )


KEPT = ("django_migrations", "django_content_type", "auth_permission")


def truncate():
    """Empty every table but those that migrations filled."""
    connections["default"].close()
    with owner_connection() as owner:
        tables = owner.execute(
            "SELECT string_agg(format('%%I', tablename), ', ') FROM pg_tables"
            " WHERE schemaname = 'public' AND NOT tablename = ANY(%s)",
            [list(KEPT)],
        ).fetchone()[0]
        for last in (False, False, False, True):
            try:
                return owner.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
            except psycopg.errors.DeadlockDetected:  # with a worker process that a test has running
                if last:
                    raise


# The restricted role may not truncate.
TransactionTestCase._fixture_teardown = lambda self: truncate()


@pytest.fixture
def owner(db):
    """The owner's connection: sees committed rows only."""
    with owner_connection() as connection:
        yield connection


@pytest.fixture
def clock(django_db_setup):
    """Move the product's clock: `clock.at(datetime)` or `clock.ahead(timedelta)`; put back afterwards."""
    mover = _Clock()
    yield mover
    mover.ahead(dt.timedelta())


class _Clock:
    def at(self, moment: dt.datetime) -> None:
        """Let the product's now be `moment` (aware), going on from there."""
        self.ahead(moment - dt.datetime.now(dt.UTC))

    def ahead(self, shift: dt.timedelta) -> None:
        with owner_connection() as owner:
            owner.execute("UPDATE trackstat.clock SET shift = %s", [shift])
        # A transaction that is open goes on in the new time, as nothing but a test can wish.
        (current_scope().moment or Moment()).at = None


BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium():
    """One browser for all: Playwright cannot be started twice in a process."""
    path = os.environ.get("BROWSER_PATH") or shutil.which("chromium")
    assert path, "No Chromium: run the tests with bin/test, which installs it."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def northside(db):
    return cast.northside()


@pytest.fixture
def southside(db):
    return cast.southside()


@pytest.fixture
def people(northside, southside):
    """The fixed cast: olive, mona, uma, fred of Northside, quinn of Southside, each a User; password cast.PASSWORD."""
    return cast.people(northside, southside)


@pytest.fixture
def in_northside(northside):
    with practice_scope(northside):
        yield northside
