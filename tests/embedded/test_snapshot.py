"""A snapshot of the database's disk that is put back: cluster, timeline and database are the same, only older."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import psycopg

from trackstat.embedded.home import CHECKOUT

# One process that answers as often as it is asked, each time on a connection of its own. The tables of tenancy are all
# that it looks at.
ANSWER = """
import os, sys, django, psycopg
django.setup()
from django.db import connection
from messaging.restored import confirm, sending_allowed
for line in sys.stdin:
    if line == "confirm\\n":
        with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
            confirm(owner, "the test")
    print(sending_allowed(), flush=True)
    connection.close()
"""


def environment(found):
    return os.environ | found | {"DEBUG": "1", "DJANGO_SETTINGS_MODULE": "trackstat.settings"}


def python(found, *words):
    done = subprocess.run(
        [sys.executable, *words], cwd=CHECKOUT, env=environment(found), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def write(found, megabytes):
    """So much more of the write-ahead log."""
    with psycopg.connect(found["DATABASE_OWNER_URL"], autocommit=True) as owner:
        for _ in range(megabytes):
            owner.execute("SELECT pg_logical_emit_message(true, 'filler', repeat('x', 1048576), true)")


@contextmanager
def asked(found):
    """Asks the product whether it may send."""
    with subprocess.Popen(
        [sys.executable, "-c", ANSWER],
        cwd=CHECKOUT,
        env=environment(found),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def ask(first=""):
            process.stdin.write(f"{first}\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip()
            assert answer in {"True", "False"}
            return answer == "True"

        yield ask
        process.stdin.close()


def test_a_snapshot_put_back_sends_nothing_until_confirmed(services, tmp_path):
    found = services.start()
    python(found, "manage.py", "migrate", "tenancy", "--verbosity=1")
    with asked(found) as may_send:
        assert may_send()
        cluster, snapshot = services.postgres.cluster, tmp_path / "snapshot"
        services.postgres.stop()
        subprocess.run(["cp", "-a", str(cluster), str(snapshot)], check=True)

        services.postgres.start()
        write(found, 3)
        assert may_send(), "a restart is no way back"
        services.postgres.restart_at_once()
        assert may_send(), "nor is what a power cut does"

        services.postgres.stop()
        shutil.rmtree(cluster)
        subprocess.run(["cp", "-a", str(snapshot), str(cluster)], check=True)
        services.postgres.start()
        assert not may_send()
        write(found, 5)
        assert not may_send(), "also when it has written more than was lost"
        assert may_send("confirm")
        assert may_send()
