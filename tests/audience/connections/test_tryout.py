"""Testing a connection: what it says, in words, and that it changes nothing."""

import json

import pytest

from audience.ehr.live import tryout
from audience.ehr.live.advice import advice
from audience.ehr.live.keys import give_key, key_set
from audience.ehr.live.trouble import Patience
from audience.models import EhrConnection, EhrSync, EhrTest, ImportRun, Patient
from tests.audience.connections.conftest import ROOT, desk
from tests.audience.ehr.exports import patient
from trackstat.tenancy.scope import practice_scope


def tried(practice, connection, patience: float = 10) -> EhrTest:
    with practice_scope(practice):
        pk = tryout.ask(connection).pk
        assert tryout.ask(connection).pk == pk, "asked twice it is one test"
    tryout.work(practice, pk, Patience(patience))
    with practice_scope(practice):
        return EhrTest.objects.get(pk=pk)


def said_of(test: EhrTest) -> str:
    return " ".join(advice(test.problem))


def test_a_server_says_how_many_patients_would_come_and_nothing_comes(clinic, people):
    test = tried(clinic.practice, clinic.connection)
    assert (test.state, test.problem, test.found["patients"]) == ("done", "", 2)
    with practice_scope(clinic.practice):
        assert not Patient.objects.exists()
        assert not EhrSync.objects.exists()
    assert clinic.sandbox.ehr(clinic.name)["exports"] == [], "the order is taken back"
    page = desk(people.olive, clinic.practice).get(f"{clinic.connection.pk}/")
    assert "It works: 2 patients would come." in page


def test_a_server_that_does_not_count_is_asked_for_an_export_of_patients(clinic, monkeypatch):
    monkeypatch.setattr(tryout, "_total", lambda body: None)
    assert tried(clinic.practice, clinic.connection).found["patients"] == 2
    assert [set(fact["types"]) == {"Patient"} for fact in clinic.facts("ehr.export")] == [False, True]
    assert len(clinic.facts("ehr.dropped")) == 2


def test_a_group_is_counted_by_its_export(clinic):
    clinic.behave(groups=["ours"])
    clinic.set(export_level=EhrConnection.Level.GROUP, group_id="ours")
    assert tried(clinic.practice, clinic.connection).found["patients"] == 2
    clinic.set(group_id="theirs")
    assert "no group with this id" in said_of(tried(clinic.practice, clinic.connection))


def test_without_bulk_export_none_is_ordered(clinic):
    clinic.set(export_level=EhrConnection.Level.NONE, polled_types=["Patient"])
    assert tried(clinic.practice, clinic.connection).found["patients"] == 2
    assert clinic.facts("ehr.export") == []


def test_a_key_the_ehr_does_not_know_is_told_with_what_to_do(clinic):
    with practice_scope(clinic.practice):
        give_key(clinic.connection)
        clinic.connection.save()
    test = tried(clinic.practice, clinic.connection)
    assert test.state == "failed"
    assert "does not know our client id or our key" in said_of(test)


def test_a_missing_permission_is_told_and_what_else_is_not_allowed_is_named(clinic):
    clinic.behave(clients={"trackstat": {"jwks": key_set(clinic.connection), "scopes": ["system/Appointment.read"]}})
    test = tried(clinic.practice, clinic.connection)
    assert test.problem == "The EHR does not allow us to read Patient"
    assert "has not allowed our client id to read these records" in said_of(test)
    scopes = ["system/Appointment.read", "system/Patient.read"]
    clinic.behave(clients={"trackstat": {"jwks": key_set(clinic.connection), "scopes": scopes}})
    test = tried(clinic.practice, clinic.connection)
    assert test.found["patients"] == 2 and "Coverage" in test.found["not_allowed"]


def test_an_address_without_a_fhir_server_is_told(clinic):
    clinic.set(base_url=f"{clinic.sandbox.url}/nothing")
    assert "no FHIR server that lets programs sign in" in said_of(tried(clinic.practice, clinic.connection))


def test_an_ehr_that_is_away_is_told_and_nothing_waits_for_it(clinic, no_sleep):
    clinic.set(base_url="https://localhost:1/fhir")
    test = tried(clinic.practice, clinic.connection, patience=0)
    assert test.state == "failed"
    assert "inside a private network" in test.problem


def test_a_folder_is_read_and_compared_without_changing_anything(northside, installation, tmp_path):
    with practice_scope(northside):
        drop = EhrConnection.objects.create(kind="folder", name="Drop", source="drop", folder="")
    assert "no place yet" not in said_of(tried(northside, drop))
    assert "Nothing is there under this name" in said_of(tried(northside, drop))
    folder = tmp_path / "drop" / "northside"
    folder.mkdir(parents=True)
    assert "nothing in it that can be read" in said_of(tried(northside, drop))
    lines = [json.dumps(patient("p1")), json.dumps(patient("p2")), "{oops"]
    (folder / "all.ndjson").write_text("\n".join(lines))
    test = tried(northside, drop)
    assert (test.state, test.problem) == ("done", "")
    assert test.found["dry_run"]["counts"]["Patient"]["new"] == 2
    assert sum(number for _, number, _ in test.found["dry_run"]["rejections"]) == 1
    with practice_scope(northside):
        assert not Patient.objects.exists()
        assert not ImportRun.objects.exists()


CSV = "Nummer;Vorname;Nachname;Handy\n1;Ana;Alvarez;(617) 555-0134\n2;Ben;Baker;\n"


def test_columns_nobody_knows_are_chosen_once_and_then_the_patients_would_come(
    northside, installation, tmp_path, people
):
    folder = tmp_path / "drop" / "northside" / "daily"
    folder.mkdir(parents=True)
    (folder / "patients_2026-11-20.csv").write_text(CSV)
    olive = desk(people.olive, northside)
    olive.post("add/?kind=csv", {"name": "FrontDesk", "folder": "daily", "every": "", "is_snapshot": "on"})
    (connection,) = olive.connections()
    assert (connection.kind, connection.is_snapshot, connection.every_minutes) == ("csv", True, None)
    assert "Nobody has looked into the folder yet" in olive.get(f"{connection.pk}/columns/")
    tried(northside, connection)
    page = olive.get(f"{connection.pk}/columns/")
    assert "Nachname" in page and "patients_*.csv" in page
    chosen = {"patients-id": "Nummer", "patients-first_name": "Vorname", "patients-last_name": "Nachname"}
    said = chosen | {"patients-pattern": "patients_*.csv", "dates": "mdy", "decimal": "."}
    refused = olive.post(f"{connection.pk}/columns/", said | {"patients-id": ""})
    assert refused.status_code == 422 and "This field is required" in refused.text
    twice = olive.post(f"{connection.pk}/columns/", said | {"patients-last_name": ""})
    assert twice.status_code == 422 and "need a column for “Last name”" in twice.text
    olive.post(f"{connection.pk}/columns/", said | {"patients-cell": "Handy"})
    (connection,) = olive.connections()
    assert connection.mapping["files"]["patients"]["columns"]["cell"] == ["Handy"]
    test = tried(northside, connection)
    assert test.found["dry_run"]["counts"]["Patient"]["new"] == 2
    page = olive.get(f"{connection.pk}/")
    assert "2 patients would come: 2 new." in page
    olive.post(f"{connection.pk}/columns/", {"usual": "1"})
    assert olive.connections()[0].mapping == {}


def test_a_file_that_nobody_knows_is_said_to_be_what_it_is(northside, installation, tmp_path, people):
    folder = tmp_path / "drop" / "northside"
    folder.mkdir(parents=True)
    (folder / "kartei.csv").write_text(CSV)
    with practice_scope(northside):
        connection = EhrConnection.objects.create(kind="csv", name="FrontDesk", source="desk")
    tried(northside, connection)
    olive = desk(people.olive, northside)
    page = olive.get(f"{connection.pk}/columns/")
    assert "What do these files have?" in page and "Nachname" not in page
    assert "Nachname" in olive.get(f"{connection.pk}/columns/", has="patients:kartei.csv")


PROBLEMS = (
    "The connection has no client id or no key yet",
    "The address http://x is not encrypted: it must begin with https",
    "x.example is an address inside a private network: nothing there is asked",
    "x.example does not say at https://x.example/.well-known/smart-configuration how to sign in (404)",
    "x.example takes keys for RS384, not for ES384",
    "x.example does not let us sign in: invalid_scope: none",
    "x.example does not let us sign in: invalid_client",
    "The EHR does not allow us to read Patient",
    "The EHR allows us to read nothing that is used here",
    "x.example answers 404 when asked for an export: not-found",
    "x.example answers 400 when asked for an export",
    "x.example does not answer (SSLError)",
    "x.example does not answer (ConnectTimeout)",
    "x.example answers 503",
    "The EHR could not export everything: exception (1)",
    "A file of Patient ends in the middle of a record",
    "No drop folder is set up on this installation (EHR_DROP_FOLDER)",
    "There is no folder northside/x in the drop folder",
    "Files are still being written",
    "There is no room left on this machine's disk for the export",
    "Stopped by OperationalError",
    "The column mapping cannot be used. Patients need a column for “Patient id”.",
)


def test_each_problem_has_a_meaning_of_its_own_and_something_to_do():
    told = [advice(problem) for problem in PROBLEMS]
    assert all(each.means and each.todo for each in told)
    assert len({each.means for each in told}) == len(PROBLEMS)
    assert advice("Something new").todo


def test_the_result_shows_by_itself(clinic, people):
    olive = desk(people.olive, clinic.practice)
    page = olive.post(f"{clinic.connection.pk}/test/").text
    assert "Being tested" in page and f'hx-get="{ROOT}{clinic.connection.pk}/"' in page
    with practice_scope(clinic.practice):
        pk = EhrTest.objects.get().pk
    tryout.work(clinic.practice, pk, Patience(10))
    answer = olive.client.get(
        f"{ROOT}{clinic.connection.pk}/", headers={"HX-Request": "true", "HX-Request-Type": "partial"}
    )
    assert "2 patients would come" in answer.text and "every 2s" not in answer.text and "<html" not in answer.text


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_test_that_is_over_is_not_done_again(clinic, state, monkeypatch):
    with practice_scope(clinic.practice):
        test = EhrTest.objects.create(connection=clinic.connection, state=state, finished_at="2026-11-20T10:00Z")
    monkeypatch.setattr(tryout, "try_out", lambda *args: pytest.fail("it was done again"))
    tryout.work(clinic.practice, test.pk, Patience(0))
