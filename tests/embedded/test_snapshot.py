"""A snapshot of the database's disk that is put back: cluster, timeline and database are the same, only older."""

import os
import shutil
import subprocess
import sys

import psycopg

from trackstat.embedded.home import CHECKOUT

ASK = "import django; django.setup(); from messaging.restored import sending_allowed; print(sending_allowed())"


def python(found, *words):
    environment = os.environ | found | {"DEBUG": "1", "DJANGO_SETTINGS_MODULE": "trackstat.settings"}
    done = subprocess.run(
        [sys.executable, *words], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def write(found, megabytes):
    """So much more of the write-ahead log."""
    with psycopg.connect(found["DATABASE_OWNER_URL"], autocommit=True) as owner:
        for _ in range(megabytes):
            owner.execute("SELECT pg_logical_emit_message(true, 'filler', repeat('x', 1048576), true)")


def test_a_snapshot_put_back_sends_nothing_until_confirmed(services, tmp_path):
    found = services.start()
    python(found, "manage.py", "migrate", "--verbosity=1")
    assert python(found, "-c", ASK) == "True"
    cluster, snapshot = services.postgres.cluster, tmp_path / "snapshot"
    services.postgres.stop()
    subprocess.run(["cp", "-a", str(cluster), str(snapshot)], check=True)

    services.postgres.start()
    write(found, 3)
    assert python(found, "-c", ASK) == "True", "a restart is no way back"
    services.postgres.restart_at_once()
    assert python(found, "-c", ASK) == "True", "nor is what a power cut does"

    services.postgres.stop()
    shutil.rmtree(cluster)
    subprocess.run(["cp", "-a", str(snapshot), str(cluster)], check=True)
    services.postgres.start()
    assert python(found, "-c", ASK) == "False"
    write(found, 5)
    assert python(found, "-c", ASK) == "False", "also when it has written more than was lost"
    assert python(found, "manage.py", "confirm_sending", "--yes") == "Sending is on. Workers go on within a tick."
    assert python(found, "-c", ASK) == "True"
