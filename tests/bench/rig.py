"""Servers of their own for a bench, with the settings of production: figures of a forgetful database mean nothing."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from trackstat.embedded import Services
from trackstat.embedded.surroundings import choose_ports, surroundings

GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "SANDBOX_DATABASE_URL", "REDIS_URL", "TWILIO_API_URL", "MAILGUN_API_URL")


@contextmanager
def servers(**more: str) -> Iterator[Path]:
    """Database and broker with all tables, Django set up on them as the restricted role; yields the folder for logs.

    `more` are settings from the environment, as strings. Everything is gone at the end.
    """
    for name in GIVEN:
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="trackstat-bench-"))
    services = Services(folder)
    services.home.make()
    services.home.remember(throwaway=True)
    try:
        found = services.hold()
        choose_ports(services.home)
        os.environ.update(surroundings(services.home, found, demo=True) | {"LOG_LEVEL": "WARNING"} | more)
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield folder
    finally:
        from django.db import connections

        connections.close_all()
        services.release()
        with services.home.only_watcher(wait=True):
            services.reset()
            shutil.rmtree(folder, ignore_errors=True)


def owner() -> psycopg.Connection:
    """Past row-level security, for making data and for limits without any wall; commits each statement."""
    return psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True)
