"""The pages of connections: adding, changing, running, watching and removing."""

import datetime as dt
import re
import socket
from contextlib import nullcontext

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audience.ehr.live import sync
from audience.models import EhrConnection, EhrSync, EhrTest, ImportRejection, ImportRun, Patient
from tests.audience.connections.conftest import ROOT, SERVER, add_run, desk
from tests.factories import PatientFactory
from trackstat.clock import now
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope


def test_without_a_connection_the_page_says_where_patients_come_from(olive):
    page = olive.get()
    assert "No EHR is connected yet" in page and "Add Connection" in page


def test_a_server_is_added_with_a_key_of_its_own_and_fetches_nothing_before_it_is_switched_on(olive, northside):
    page = olive.post("add/?kind=fhir", SERVER).text
    (made,) = olive.connections()
    assert (made.name, made.source, made.is_active, made.every_minutes) == ("ChiroCloud", "chirocloud", False, 60)
    assert "Nothing is fetched until you run it or switch it on" in page
    assert made.key_id in page and "/jwks.json" in page
    assert "PRIVATE" not in made.encrypted_private_key
    with practice_scope(northside):
        assert not EhrSync.objects.exists()
        assert AuditEvent.objects.get(action="ehr.connected").object_id == made.pk


def test_the_private_key_is_on_no_page(olive, server):
    secrets = [server.encrypted_private_key, *re.findall(r"[A-Za-z0-9+/=]{40,}", server.private_key)]
    assert len(secrets) > 2
    for where in ("", f"{server.pk}/", f"{server.pk}/edit/"):
        page = olive.get(where)
        assert "ChiroCloud" in page
        assert not any(secret in page for secret in secrets)
        assert "PRIVATE" not in page


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://fhir.vendor.example/r4", "must begin with https"),
        ("https://10.1.2.3/fhir", "inside a private network"),
        ("https://169.254.169.254/latest", "inside a private network"),
        ("https://[::1]/fhir", "inside a private network"),
        ("https://staff:secret@fhir.vendor.example/r4", "holds a password"),
        ("https://fhir.vendor.example/r4?key=1", "Leave out the question mark"),
        ("fhir vendor", "Enter a valid URL"),
    ],
)
def test_an_address_that_may_not_be_asked_is_refused_in_words_and_nothing_is_looked_up(
    address, words, olive, monkeypatch
):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: pytest.fail("a name was looked up"))
    answer = olive.post("add/?kind=fhir", SERVER | {"base_url": address})
    assert answer.status_code == 422
    assert words in answer.text
    assert olive.connections() == []


def test_what_does_not_go_together_is_refused_beside_its_field(olive):
    page = olive.post("add/?kind=fhir", SERVER | {"export_level": "group"}).text
    assert "gives you the group&#x27;s id" in page
    page = olive.post("add/?kind=fhir", SERVER | {"export_level": "none"}).text
    assert "nobody comes unless patients are ticked" in page
    page = olive.post("add/?kind=folder", {"name": "Drop", "folder": "../southside"}).text
    assert "without “..”" in page
    assert olive.connections() == []


def test_pressing_run_twice_is_one_run(olive, server):
    olive.post(f"{server.pk}/run/")
    assert "It is running already" in olive.post(f"{server.pk}/run/").text
    assert [sync.since for sync in olive.syncs()] == [server.marker]
    olive.post(f"{server.pk}/run/?from=start")
    olive.post(f"{server.pk}/run/?from=start")
    assert [(sync.since, sync.state) for sync in olive.syncs()] == [(server.marker, "failed"), ("", "asking")]


def test_who_ran_it_is_recorded_once(olive, server, northside):
    olive.post(f"{server.pk}/run/")
    olive.post(f"{server.pk}/run/")
    with practice_scope(northside):
        event = AuditEvent.objects.select_related("user").get(action="ehr.run")
    assert (event.user.name, event.detail["from_start"]) == ("Olive", False)


def test_progress_says_how_fast_and_how_long_and_asks_again_until_the_run_is_over(olive, server, northside):
    olive.post(f"{server.pk}/run/")
    with practice_scope(northside):
        EhrSync.objects.update(
            state="importing",
            progress={"step": "Reading", "words": "", "done": 50, "total": 200, "records": 4000, "seconds": 4.0},
        )
        ImportRun.objects.create(source="chirocloud", counts={"Patient": {"new": 1200, "read": 4000}})
    page = olive.get(f"{server.pk}/")
    assert "Reading · 4,000 records" in page and "1,000 a second · about 12 s left" in page
    assert 'value="25" max="100"' in page and "1,200 patients" in page
    assert 'hx-trigger="every 2s"' in page
    with practice_scope(northside):
        EhrSync.objects.update(state="done", finished_at=now())
    assert "every 2s" not in olive.get(f"{server.pk}/")


def test_a_connection_that_does_not_work_says_why_and_what_to_do(olive, server, northside, people):
    with practice_scope(northside):
        words = "fhir.chirocloud.example does not let us sign in: invalid_client"
        EhrConnection.objects.update(state="failing", problem=words)
    page = olive.get(f"{server.pk}/")
    assert "Does not work" in page and words in page
    assert "Your EHR does not know our client id or our key" in page and "Compare the client id under Edit" in page
    notice = f'href="{ROOT}{server.pk}/">What to do</a>'
    assert notice in olive.client.get("/northside/patients/").text
    assert notice not in desk(people.mona, northside).client.get("/northside/patients/").text


def test_runs_are_listed_newest_first_ten_on_a_page_in_the_same_number_of_statements(olive, server, northside):
    with practice_scope(northside):
        for minutes in range(3):
            add_run(server, minutes_ago=minutes)
    with CaptureQueriesContext(database) as few:
        olive.get(f"{server.pk}/")
    with practice_scope(northside):
        for minutes in range(3, 14):
            add_run(server, minutes_ago=minutes)
    with CaptureQueriesContext(database) as many:
        page = olive.get(f"{server.pk}/")
    assert len(many) == len(few)
    assert "1–10 of 14" in page and page.count('class="opens"') == 10
    assert "11–14 of 14" in olive.get(f"{server.pk}/", page=2)


def test_a_run_shows_what_came_and_what_was_rejected_by_reason(olive, server, northside):
    with practice_scope(northside):
        sync = add_run(server)
        for line in range(1, 4):
            ImportRejection.objects.create(
                run=sync.import_run, file="a.ndjson", line=line, resource_type="Patient", reason="It has no id"
            )
        ImportRejection.objects.create(run=sync.import_run, file="=cmd|x", line=9, external_id="p9", reason="Cut off")
        ImportRun.objects.filter(pk=sync.import_run_id).update(left_out={"Claim": {"It is cancelled": 7}})
    page = olive.get(f"{server.pk}/runs/{sync.pk}/")
    assert "It has no id <b>3</b>" in page and "It is cancelled" in page and "a.ndjson" in page
    only = olive.get(f"{server.pk}/runs/{sync.pk}/", reason="Cut off")
    assert "p9" in only and "a.ndjson" not in only
    answer = olive.client.get(f"{ROOT}{server.pk}/runs/{sync.pk}/rejected.csv")
    assert "attachment" in answer["Content-Disposition"]
    assert "'=cmd|x,9,,p9,Cut off" in answer.text, "a spreadsheet program runs nothing of it"
    with practice_scope(northside):
        assert AuditEvent.objects.get(action="ehr.rejected_downloaded").detail == {"rows": 4}


def test_another_address_means_everything_is_fetched_anew_and_a_name_does_not(olive, server):
    olive.post(f"{server.pk}/edit/", SERVER | {"name": "Cloud"})
    assert [(one.name, one.marker) for one in olive.connections()] == [("Cloud", server.marker)]
    olive.post(f"{server.pk}/edit/", SERVER | {"base_url": "https://other.example/r4"})
    assert [one.marker for one in olive.connections()] == [""]


def test_another_kind_of_key_is_another_key(olive, server):
    olive.post(f"{server.pk}/edit/", SERVER)
    assert olive.connections()[0].key_id == server.key_id
    olive.post(f"{server.pk}/key/")
    changed = olive.connections()[0]
    assert changed.key_id != server.key_id
    assert changed.encrypted_private_key != server.encrypted_private_key


def test_while_a_run_is_under_way_what_it_needs_stays_as_it_is(olive, server):
    olive.post(f"{server.pk}/run/")
    answer = olive.post(f"{server.pk}/edit/", SERVER | {"client_id": "other"})
    assert answer.status_code == 422 and "A run is under way" in answer.text
    assert "A run is under way" in olive.post(f"{server.pk}/remove/").text
    assert "A run is under way" in olive.post(f"{server.pk}/key/").text
    assert [(one.client_id, one.key_id) for one in olive.connections()] == [("trackstat", server.key_id)]
    olive.post(f"{server.pk}/edit/", SERVER | {"every": "1440"})
    assert olive.connections()[0].every_minutes == 1440


def test_a_run_that_waits_is_stopped_and_one_at_work_is_not(olive, server, northside, monkeypatch):
    olive.post(f"{server.pk}/run/")
    assert "Stop this run" in olive.get(f"{server.pk}/")
    with monkeypatch.context() as patched:
        patched.setattr(sync, "_alone", lambda connection: nullcontext(False))
        assert "It is at work at this moment" in olive.post(f"{server.pk}/stop/").text
    assert [one.is_over for one in olive.syncs()] == [False]
    assert "Stopped by hand" in olive.post(f"{server.pk}/stop/").text
    olive.post(f"{server.pk}/stop/")
    assert [(one.state, one.problem) for one in olive.syncs()] == [("failed", "Stopped by hand")]
    olive.post(f"{server.pk}/edit/", SERVER | {"client_id": "other"})
    assert [(one.client_id, one.state) for one in olive.connections()] == [("other", "new")]
    with practice_scope(northside):
        assert AuditEvent.objects.filter(action="ehr.run_stopped").count() == 1


def test_switching_on_twice_is_on_and_off_keeps_the_schedule(olive, server):
    for on in ("0", "0", "1", "1"):
        olive.post(f"{server.pk}/switch/", {"on": on})
        assert olive.connections()[0].is_active == (on == "1")
        assert olive.connections()[0].every_minutes == 60


def test_removing_says_in_numbers_what_it_means_and_patients_stay(olive, server, northside):
    with practice_scope(northside):
        PatientFactory(source="chirocloud")
        PatientFactory(source="chirocloud")
        add_run(server)
        EhrTest.objects.create(connection=server, finished_at=now())
    assert "<b>2</b> patients from it stay" in olive.get(f"{server.pk}/")
    assert "2 patients stay as last read" in olive.post(f"{server.pk}/remove/").text
    assert olive.connections() == []
    with practice_scope(northside):
        assert Patient.objects.count() == 2
        assert AuditEvent.objects.get(action="ehr.disconnected").detail == {"source": "chirocloud", "patients": 2}


def test_a_new_connection_may_go_on_with_patients_who_are_here_and_otherwise_never_touches_them(olive, northside):
    with practice_scope(northside):
        PatientFactory(source="chirocloud")
    assert "Goes on with the 1 from “chirocloud”" in olive.get("add/", kind="fhir")
    olive.post("add/?kind=fhir", SERVER)
    olive.post("add/?kind=fhir", SERVER | {"name": "Second", "goes_on_with": "chirocloud"})
    assert [one.source for one in olive.connections()] == ["chirocloud-2", "chirocloud"]


def test_an_ehr_fetches_our_public_key_by_a_signed_address_and_nothing_else(olive, server):
    page = olive.get(f"{server.pk}/")
    path = re.search(r"/keys/[^/]+/jwks\.json", page)[0]
    (key,) = Client().get(path).json()["keys"]
    assert key["kid"] == server.key_id and "d" not in key
    token = path.split("/")[2]
    other = token.replace(f"-{server.pk}.", f"-{server.pk + 1}.")
    assert other != token
    assert Client().get(path.replace(token, other)).status_code == 404


def test_how_old_the_data_is_stands_above_the_patients(olive, server, northside, people):
    list_page = "/northside/patients/"
    assert "Not read from the EHR yet" in olive.client.get(list_page).text
    with practice_scope(northside):
        EhrConnection.objects.update(last_ended_at=now() - dt.timedelta(minutes=12), state="working")
    assert "EHR read 12 minutes ago" in olive.client.get(list_page).text
    with practice_scope(northside):
        EhrConnection.objects.update(last_ended_at=now() - dt.timedelta(hours=7))
    page = olive.client.get(list_page).text
    assert "EHR read 7 hours ago" in page and "triangle-alert" not in page
    assert 'class="state warn"' in page and f'href="{ROOT}"' in page.split('id="rows"')[1]
    assert f'href="{ROOT}"' not in desk(people.mona, northside).client.get(list_page).text
