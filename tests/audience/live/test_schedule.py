"""When connections are synced by themselves, and `ehr_sync` as a person runs it."""

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from audience import tasks
from audience.ehr.live import sync as syncing
from trackstat.clock import now
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def rung(monkeypatch) -> list[tuple]:
    found: list[tuple] = []
    monkeypatch.setattr(tasks, "ring", lambda task, *args: found.append(args))
    return found


def test_a_connection_is_rung_when_its_schedule_is_due_and_not_before(clinic, rung, clock, southside):
    ids = (clinic.practice.pk, clinic.connection.pk)
    tasks.tick()
    assert rung == [], "without a schedule nobody asks"
    clinic.set(every_minutes=30)
    tasks.tick()
    assert rung == [ids]
    tasks.sync(*ids)
    assert clinic.reload().last_ended_at
    tasks.tick()
    assert rung == [ids], "it has just been done"
    clock.ahead(dt.timedelta(minutes=31))
    tasks.tick()
    assert rung == [ids, ids]
    clinic.set(is_active=False)
    tasks.tick()
    assert rung == [ids, ids]


def test_a_sync_under_way_is_rung_when_it_is_to_be_looked_at_again(clinic, rung):
    with practice_scope(clinic.practice):
        sync = syncing.ask(clinic.connection)
    clinic.set(every_minutes=30)
    tasks.tick()
    assert len(rung) == 1
    with practice_scope(clinic.practice):
        sync.next_at = now() + dt.timedelta(minutes=1)
        sync.save()
    tasks.tick()
    assert len(rung) == 1
    tasks.sync(clinic.practice.pk, clinic.connection.pk)
    assert clinic.patients() == {}, "not before its time"


def test_asking_twice_is_one_sync(clinic):
    with practice_scope(clinic.practice):
        assert syncing.ask(clinic.connection).pk == syncing.ask(clinic.connection).pk


def run(*words) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("ehr_sync", *words, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def test_the_command_says_what_it_waits_for_and_what_came(clinic):
    clinic.behave(polls=2)
    out, err = run("northside")
    assert f"{clinic.name}: The EHR is preparing the export: 33% done" in err
    assert f"{clinic.name}: Applying" in err
    assert f"{clinic.name}: 1 files" in out
    assert "  Patient: 2 read, 2 new" in out
    out, _ = run("northside", clinic.name, "--from-start")
    assert "  Patient: 2 read, 2 unchanged" in out


def test_the_command_goes_on_where_an_ehr_was_away_for_a_while(clinic, monkeypatch, clock):
    """Five times 500 is more than one call takes; the clock goes on while the command sleeps."""
    clinic.fault("ehr.export", "500_before", match={"count": 5})
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.ahead(dt.timedelta(hours=len(slept)))
        assert len(slept) < 50

    monkeypatch.setattr("time.sleep", sleep)
    out, err = run("northside")
    assert "127.0.0.1 answers 500" in err
    assert "Patient: 2 read, 2 new" in out


def test_the_command_fails_with_the_words_of_the_problem(clinic):
    clinic.set(client_id="stranger")
    with pytest.raises(CommandError, match=f"Not synced: {clinic.name}"):
        run("northside")
    assert "nobody is registered by that name" in clinic.reload().problem
    with pytest.raises(CommandError, match="no such EHR connection"):
        run("northside", "another")
    with pytest.raises(CommandError, match="no practice"):
        run("nowhere")
