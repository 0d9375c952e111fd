"""What goes wrong between us and an EHR, each fault over HTTP: it is waited for, gone around, or said in words."""

import datetime as dt

import pytest

from audience.ehr.live import sync as syncing
from audience.models import EhrSync
from tests.audience.ehr.exports import patient
from tests.audience.live.conftest import LATER, changed, rule
from trackstat.tenancy.scope import practice_scope

PLACES = ("ehr.token", "ehr.export", "ehr.status", "ehr.file", "ehr.search")


def whole(clinic) -> bool:
    return set(clinic.patients()) == {"p1", "p2"}


@pytest.mark.parametrize("where", PLACES)
def test_too_many_requests_are_waited_for_as_long_as_the_ehr_says(clinic, no_sleep, where):
    clinic.fault(where, "429", retry_after=17)
    assert clinic.sync().state == "done"
    assert whole(clinic)
    assert 17 in no_sleep


@pytest.mark.parametrize("action", ["500_before", "reset_before"])
@pytest.mark.parametrize("where", PLACES)
def test_an_error_of_the_ehrs_and_a_broken_connection_are_tried_again(clinic, no_sleep, where, action):
    clinic.fault(where, action)
    assert clinic.sync().state == "done"
    assert whole(clinic)


@pytest.mark.parametrize("where", ["ehr.export", "ehr.status", "ehr.file", "ehr.search"])
def test_a_token_that_ends_on_the_way_is_replaced(clinic, where):
    clinic.fault(where, "expired_token")
    assert clinic.sync().state == "done"
    assert whole(clinic)
    assert len(clinic.facts("ehr.token")) == 2


def test_a_token_is_replaced_before_its_time_is_over(clinic, no_sleep):
    clinic.behave(token_seconds=1)
    assert clinic.sync().state == "done"


def test_links_that_expire_are_asked_for_again_and_what_is_there_is_not_fetched_twice(clinic, no_sleep):
    clinic.behave(per_file=1)
    clinic.fault("ehr.file", "expired_link", match={"nth": 2})
    assert clinic.sync().state == "done"
    assert whole(clinic)
    fetched = [fact["file"] for fact in clinic.facts("ehr.file")]
    assert sorted(fetched) == ["1.Patient.ndjson", "2.Patient.ndjson"], "each once"
    assert len(clinic.facts("ehr.export")) == 1


def test_links_that_never_work_are_given_up_for_now(clinic, no_sleep):
    clinic.fault("ehr.file", "expired_link", match={})
    sync = clinic.sync()
    assert (sync.state, sync.is_over, sync.tries) == ("fetching", False, 1)
    assert sync.problem == "A link to a file of the export has expired (403)"


@pytest.mark.parametrize("action", ["cut", "cut_silently"])
def test_a_cut_file_is_fetched_again(clinic, no_sleep, action):
    clinic.fault("ehr.file", action)
    sync = clinic.sync()
    assert (sync.state, sync.import_run.counts["Patient"]["new"]) == ("done", 2)
    assert "rejected" not in sync.import_run.counts["Patient"] or not sync.import_run.counts["Patient"]["rejected"]
    assert len(clinic.facts("ehr.file")) == 2


@pytest.mark.parametrize(
    ("patients", "words"),
    [(2, "A file of Patient has 1 of 2 records"), (3, "A file of Patient ends in the middle of a record")],
)
def test_a_file_that_is_always_cut_is_never_imported(clinic, no_sleep, patients, words):
    clinic.has(*(changed(patient(f"p{number}")) for number in range(patients)))
    clinic.fault("ehr.file", "cut_silently", match={})
    sync = clinic.sync()
    assert (sync.is_over, sync.import_run) == (False, None)
    assert sync.problem == words
    assert clinic.patients() == {}


def test_an_export_the_ehr_has_forgotten_is_asked_for_anew(clinic, no_sleep):
    clinic.fault("ehr.status", "gone")
    assert clinic.sync().state == "done"
    assert whole(clinic)
    assert len(clinic.facts("ehr.export")) == 2


def test_what_the_ehr_could_not_export_is_said_and_asked_for_again(clinic):
    clinic.sync()
    before = clinic.connection.marker
    clinic.has(changed(patient("p3"), LATER), file="new.ndjson")
    clinic.fault("ehr.status", "error", match={})
    sync = clinic.sync()
    assert (sync.state, sync.left_out) == ("done", {"exception": 1})
    assert set(clinic.patients()) == {"p1", "p2", "p3"}, "what came is taken"
    assert clinic.connection.problem == "The EHR could not export everything: exception (1)"
    assert clinic.connection.marker == before
    clinic.sandbox.set_faults([])
    assert clinic.sync().left_out == {}
    assert clinic.facts("ehr.export")[-1]["since"] == before
    assert clinic.connection.problem == ""


def test_a_worker_waits_for_an_export_only_so_long_and_a_later_call_goes_on(clinic, clock):
    clinic.behave(polls=2, retry_after=120)
    sync = clinic.sync(patience=20)
    assert (sync.state, sync.problem, sync.tries) == ("waiting", "", 0)
    assert dt.timedelta(seconds=100) < sync.next_at - sync.started_at < dt.timedelta(seconds=140)
    clinic.behave(polls=0)
    clock.ahead(dt.timedelta(seconds=130))
    assert syncing.work(clinic.practice, clinic.connection.pk, syncing.Patience(20)).pk == sync.pk
    assert whole(clinic)
    assert len(clinic.facts("ehr.export")) == 1, "the same export"


def test_an_ehr_that_stays_away_is_given_up_after_some_times_and_the_schedule_begins_anew(clinic, no_sleep, clock):
    clinic.set(every_minutes=60)
    clinic.fault("ehr.export", "500_before", match={})
    moved = dt.timedelta()
    for number in range(1, syncing.TRIES):
        sync = clinic.sync()
        assert (sync.is_over, sync.tries, sync.problem) == (False, number, "127.0.0.1 answers 500")
        moved += dt.timedelta(hours=1)
        clock.ahead(moved)
    sync = clinic.sync()
    assert (sync.state, clinic.connection.state, clinic.connection.marker) == ("failed", "failing", "")
    clinic.sandbox.set_faults([])
    assert clinic.connection.next_at > sync.finished_at
    assert syncing.work(clinic.practice, clinic.connection.pk, syncing.Patience(20)) is None, "not due yet"
    clock.ahead(moved + dt.timedelta(hours=2))
    assert syncing.work(clinic.practice, clinic.connection.pk, syncing.Patience(20)).state == "done"
    assert whole(clinic)


def test_an_import_that_stops_leaves_the_moment_where_it_was_and_is_tried_again(clinic, no_sleep, monkeypatch, clock):
    def broken(*args, **how):
        raise RuntimeError("disk")

    with monkeypatch.context() as during:
        during.setattr(syncing, "import_export", broken)
        sync = clinic.sync()
    assert (sync.is_over, sync.problem, clinic.connection.marker) == (False, "Stopped by RuntimeError", "")
    assert clinic.sync().state == "done"
    assert whole(clinic)
    assert len(clinic.facts("ehr.file")) == 1, "the files were still there"


def test_everything_at_once(clinic, no_sleep):
    """Faults at every place, one after the other, and still every record is there once."""
    clinic.behave(per_file=1, page=1)
    clinic.has(*(changed(patient(f"p{n}")) for n in range(12)))
    clinic.sandbox.set_faults(
        [
            rule(clinic.name, "ehr.file", "cut", {"every": 4}),
            rule(clinic.name, "ehr.file", "expired_link", {"every": 5}),
            rule(clinic.name, "ehr.file", "expired_token", {"every": 7}),
            rule(clinic.name, "ehr.file", "429", {"every": 6}),
            rule(clinic.name, "ehr.status", "500_before", {"every": 3}),
            rule(clinic.name, "ehr.token", "reset_before", {"every": 2}),
        ]
    )
    sync = clinic.sync(patience=600)
    assert (sync.state, sync.import_run.counts["Patient"]["new"]) == ("done", 12)
    with practice_scope(clinic.practice):
        assert EhrSync.objects.count() == 1
