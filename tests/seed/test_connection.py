"""The demo's EHR: the sandbox plays it, and everything an Administrator may press there works."""

from dataclasses import replace

from audience.ehr.live.sync import ask, work
from audience.ehr.live.trouble import Patience
from audience.ehr.live.tryout import try_out
from audience.models import EhrConnection, EhrSync, Patient
from tests.sandbox.conftest import sandbox, sandbox_server
from trackstat.seed.demo import seed_offices, seed_patients
from trackstat.seed.generator import SOUTHSIDE
from trackstat.tenancy.scope import practice_scope

__all__ = ["sandbox", "sandbox_server"]

PLAN = replace(SOUTHSIDE, patients=40)


def test_the_demos_connection_can_be_tested_and_run_and_brings_nobody_twice(
    db, sandbox, sandbox_server, settings, monkeypatch, tmp_path
):
    settings.SANDBOX_URL = sandbox_server.url
    settings.EHR_WORK_FOLDER = str(tmp_path / "work")
    monkeypatch.setenv("TRACKSTAT_HOME", str(tmp_path))
    (practice,) = seed_offices((PLAN,))
    seed_patients(PLAN)
    with practice_scope(practice):
        connection = EhrConnection.objects.get()
        people = set(Patient.objects.values_list("pk", flat=True))
    assert (connection.state, connection.is_active) == ("working", True)
    assert try_out(practice, connection, Patience(10))["patients"] == 40
    with practice_scope(practice):
        pk = ask(connection, from_start=True).pk
    work(practice, connection.pk, Patience(10))
    with practice_scope(practice):
        sync = EhrSync.objects.select_related("import_run").get(pk=pk)
        assert (sync.state, sync.problem) == ("done", "")
        assert (sync.sums["new"], sync.sums["changed"]) == (0, 0)
        assert set(Patient.objects.values_list("pk", flat=True)) == people
        assert EhrSync.objects.filter(state="done").count() == 2, "the demo's first import counts as a run"
    seed_patients(PLAN)
    with practice_scope(practice):
        assert EhrConnection.objects.count() == 1
