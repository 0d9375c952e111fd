"""A sync that is killed goes on where it was; two never work on one connection, and not too many work at all."""

import os
import signal
import subprocess
import sys
import time
from urllib.parse import quote

import pytest
from django.db import connection as database

from audience import tasks
from audience.ehr.live import sync as syncing
from audience.ehr.live.locks import AT_ONCE
from audience.models import EhrSync
from tests.audience.ehr.exports import patient
from tests.audience.live.conftest import changed, rule
from trackstat.tenancy.scope import practice_scope

# A worker of its own, until it is killed.
WORK = """
import sys, django
django.setup()
from audience.ehr.live.sync import work
from audience.ehr.live.trouble import Patience
from trackstat.tenancy.models import Practice
work(Practice.objects.get(slug="northside"), int(sys.argv[1]), Patience(60))
"""


@pytest.mark.django_db(transaction=True)
def test_killed_while_fetching_it_goes_on_with_the_same_export_and_keeps_the_files_that_are_whole(clinic):
    clinic.behave(per_file=1)
    clinic.has(*(changed(patient(f"p{number}")) for number in range(4)))
    clinic.sandbox.set_faults([rule(clinic.name, "ehr.file", "stall_before", {"nth": 3}, seconds=60)])
    with practice_scope(clinic.practice):
        pk = syncing.ask(clinic.connection).pk
    killed = _worker(clinic)
    _until(lambda: len(clinic.facts("fault")) == 1, killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    with practice_scope(clinic.practice):
        left = EhrSync.objects.get(pk=pk)
    assert (left.state, left.is_over, left.marker != "") == ("fetching", False, True)
    assert clinic.reload().marker == ""

    clinic.sandbox.set_faults([])
    sync = _work_when_free(clinic)
    assert (sync.pk, sync.state, sync.import_run.counts["Patient"]["new"]) == (pk, "done", 4)
    assert len(clinic.facts("ehr.export")) == 1
    fetched = sorted(fact["file"] for fact in clinic.facts("ehr.file"))
    assert fetched == [f"{number}.Patient.ndjson" for number in range(1, 5)], "each once"


def test_killed_between_import_and_the_end_it_imports_again_and_changes_nothing(clinic, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*args):
        raise Killed

    with monkeypatch.context() as during:
        during.setattr(syncing._Sync, "_succeed", killed)
        with pytest.raises(Killed):
            clinic.sync()
    assert clinic.reload().marker == ""
    sync = clinic.sync()
    assert (sync.state, sync.import_run.counts["Patient"]["unchanged"]) == ("done", 2)
    assert len(clinic.facts("ehr.export")) == len(clinic.facts("ehr.file")) == 1
    assert clinic.connection.marker == sync.marker


def test_another_process_that_is_at_it_is_left_alone(clinic, owner):
    owner.execute(
        "SELECT pg_advisory_lock(hashtextextended(%s, 0))",
        [f"ehr sync {clinic.practice.pk} {clinic.connection.pk}"],
    )
    with practice_scope(clinic.practice):
        clinic.connection.marker = "2026-11-01T00:00:00Z"
        clinic.connection.save()
    sync = clinic.sync()
    assert (sync.is_over, clinic.facts("ehr.token")) == (False, [])
    with practice_scope(clinic.practice), pytest.raises(syncing.Refused, match="at work"):
        syncing.ask(clinic.connection, from_start=True)
    owner.execute("SELECT pg_advisory_unlock_all()")
    assert clinic.sync().state == "done"


def test_workers_leave_places_for_sending(clinic, owner):
    for number in range(AT_ONCE):
        owner.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"ehr sync place {number}"])
    with practice_scope(clinic.practice):
        syncing.ask(clinic.connection)
    tasks.sync(clinic.practice.pk, clinic.connection.pk)
    assert clinic.patients() == {}
    owner.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", ["ehr sync place 1"])
    tasks.sync(clinic.practice.pk, clinic.connection.pk)
    assert set(clinic.patients()) == {"p1", "p2"}


def _worker(clinic) -> subprocess.Popen:
    of = database.settings_dict
    address = f"{quote(of['USER'])}:{quote(of['PASSWORD'])}@{of['HOST']}:{of['PORT']}/{of['NAME']}"
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{address}",
        "DJANGO_SETTINGS_MODULE": "trackstat.settings",
        "SANDBOX_URL": clinic.sandbox.url,
        "EHR_WORK_FOLDER": str(clinic.folder.parent / "work"),
    }
    return subprocess.Popen([sys.executable, "-c", WORK, str(clinic.connection.pk)], env=environment)


def _until(reached, process: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert process.poll() is None, "it was done, or failed, before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.1)


def _work_when_free(clinic) -> EhrSync:
    """PostgreSQL takes a moment to notice that the killed process is gone."""
    end = time.monotonic() + 10
    while not (sync := syncing.work(clinic.practice, clinic.connection.pk, syncing.Patience(30))):
        assert time.monotonic() < end
        time.sleep(0.1)
    return sync
