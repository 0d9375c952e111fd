"""An import that is killed leaves whole chunks behind and the next one finishes; tables are left in order."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from urllib.parse import quote

import pytest
from django.db import connection

from audience.ehr.run import AlreadyRunning, import_folder
from audience.ehr.staging import run
from audience.models import Appointment, ImportRun, Patient
from tests.audience.ehr.outcome import state
from trackstat.seed.generator import NORTHSIDE, write
from trackstat.tenancy.scope import practice_scope

AT = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)
# A process of its own, with chunks small enough to be killed between two of them.
IMPORT = """
import sys, django
django.setup()
from pathlib import Path
from audience.ehr import compare, run
from trackstat.tenancy.models import Practice
compare.CHUNK = 5
run.import_folder(Practice.objects.get(slug="northside"), Path(sys.argv[1]))
"""


@pytest.mark.django_db(transaction=True)
def test_an_import_killed_in_the_middle_leaves_no_half_patient_and_the_next_run_completes_it(
    northside, southside, tmp_path, owner
):
    write(replace(NORTHSIDE, patients=400), tmp_path, AT)
    with practice_scope(southside):
        southside.settings.time_zone = "America/New_York"
        southside.settings.save()
    import_folder(southside, tmp_path)
    whole = dict(owner.execute(_APPOINTMENTS_BY_PATIENT, [southside.pk]).fetchall())

    killed = subprocess.Popen([sys.executable, "-c", IMPORT, str(tmp_path)], env=_environment())
    until = time.monotonic() + 60
    while owner.execute(_PATIENTS, [northside.pk]).fetchone()[0] < 50:
        assert killed.poll() is None, "it was done, or failed, before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    half = dict(owner.execute(_APPOINTMENTS_BY_PATIENT, [northside.pk]).fetchall())
    assert 50 <= len(half) < 400
    assert half == {patient: whole[patient] for patient in half}, "a patient comes with everything of theirs"
    with practice_scope(northside):
        assert ImportRun.objects.get().state == ImportRun.State.RUNNING

    run = _import_when_free(northside, tmp_path)
    assert run.counts["Patient"]["unchanged"] == len(half)
    assert state(northside) == state(southside)
    with practice_scope(northside):
        assert list(ImportRun.objects.order_by("id").values_list("state", "error")) == [
            ("failed", "Interrupted"),
            ("done", ""),
        ]
        assert Patient.objects.count() == 400
        assert Appointment.objects.count() == sum(whole.values())


_PATIENTS = "SELECT count(*) FROM audience_patient WHERE practice_id = %s"
_APPOINTMENTS_BY_PATIENT = """
    SELECT p.external_id, count(a.id) FROM audience_patient p
    LEFT JOIN audience_appointment a ON a.practice_id = p.practice_id AND a.patient_id = p.id
    WHERE p.practice_id = %s GROUP BY 1"""


def _import_when_free(practice, folder):
    """PostgreSQL takes a moment to notice that the killed process is gone, and holds its lock until then."""
    until = time.monotonic() + 10
    while True:
        try:
            return import_folder(practice, folder)
        except AlreadyRunning:
            assert time.monotonic() < until
            time.sleep(0.05)


def _environment() -> dict[str, str]:
    """The environment of this process, with the test database as the restricted role."""
    of = connection.settings_dict
    address = f"{quote(of['USER'])}:{quote(of['PASSWORD'])}@{of['HOST']}:{of['PORT']}/{of['NAME']}"
    return os.environ | {"DATABASE_URL": f"postgresql://{address}", "DJANGO_SETTINGS_MODULE": "trackstat.settings"}


@pytest.mark.django_db(transaction=True)
def test_after_a_large_import_an_audience_is_counted_from_the_index_alone(northside, tmp_path, owner):
    write(replace(NORTHSIDE, patients=400), tmp_path, AT)
    # As in production. What committed without waiting for the log counts as uncommitted to VACUUM until the log is out.
    run("SET synchronous_commit = on")
    try:
        import_folder(northside, tmp_path)
    finally:
        run("RESET synchronous_commit")
    visible = dict(owner.execute("SELECT relname, relallvisible > 0 FROM pg_class WHERE relname LIKE 'audience%'"))
    assert visible["audience_patient"]
    assert visible["audience_appointment"]
    owner.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    words = _plan(owner, northside)
    assert "Index Only Scan using patient_last_visit" in words, words
    assert "Heap Fetches: 0" in words, words


def _plan(owner, practice) -> str:
    plan = owner.execute(
        """EXPLAIN (ANALYZE, COSTS OFF) SELECT count(*) FROM audience_patient
           WHERE practice_id = %s AND merged_into_id IS NULL AND last_visit_on < '2026-06-01'""",
        [practice.pk],
    )
    return "\n".join(line for (line,) in plan.fetchall())
