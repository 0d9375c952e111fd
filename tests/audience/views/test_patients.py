"""The list of patients, the search of the top bar, and a patient's page."""

import datetime as dt

import pytest
from django.test import Client

from audience import tags
from audience.models import ContactPoint, ImportRun, Patient, PatientTag, Tag
from tests import cast
from tests.factories import AppointmentFactory, PatientFactory, TagFactory
from trackstat.clock import now
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def fred(people):
    """The front desk: may see patients, tags and campaigns not."""
    return _signed_in(people.fred)


@pytest.fixture
def uma(people):
    return _signed_in(people.uma)


def _signed_in(person):
    client = Client()
    client.force_login(person)
    return client


def test_the_list_shows_patients_by_name_and_when_the_ehr_was_read(fred, northside):
    with practice_scope(northside):
        PatientFactory(first_name="Zoe", last_name="Zimmer")
        PatientFactory(first_name="Ana", last_name="Alvarez", cell="+16175550134")
        ImportRun.objects.create(source="ehr", state="done", finished_at=now() - dt.timedelta(minutes=12))
    page = fred.get("/northside/patients/").text
    assert page.index("Alvarez, Ana") < page.index("Zimmer, Zoe")
    assert "(617) 555-0134" in page
    assert "EHR read 12 minutes ago" in page


def test_an_empty_list_says_that_patients_come_only_from_the_ehr_and_why(fred):
    page = fred.get("/northside/patients/").text
    assert "They come only from your EHR" in page
    assert "nobody who is not your patient ever gets a message" in page


def test_nobody_found_is_not_nobody_there(fred, northside):
    with practice_scope(northside):
        PatientFactory()
    page = fred.get("/northside/patients/?q=nobody").text
    assert "Nobody is found by that" in page
    assert "They come only from your EHR" not in page


@pytest.mark.parametrize(
    "words",
    ["alv", "ana", "Alvarez, Ana", "ana alv", "617 555-0134", "(617) 555", "0134", "ana@mail", "ANA@MAIL.EXAMPLE"],
)
def test_search_finds_by_the_beginning_of_names_by_digits_and_by_email(words, fred, northside):
    with practice_scope(northside):
        PatientFactory(first_name="Ana", last_name="Alvarez", cell="+16175550134", email="ana@mail.example")
        PatientFactory(first_name="Bo", last_name="Baker", cell="+16175559999", email="bo@mail.example")
    for address in ("/northside/patients/", "/northside/patients/search/"):
        page = fred.get(address, {"q": words}).text
        assert "Alvarez" in page
        assert ("Baker" in page) == (words == "(617) 555")


def test_the_search_of_the_top_bar_answers_htmx_with_links_only(fred, northside):
    with practice_scope(northside):
        ana = PatientFactory()
    answer = fred.get("/northside/patients/search/", {"q": "alv"}, headers={"HX-Request": "true"})
    assert f'href="/northside/patients/{ana.pk}/"' in answer.text
    assert "<html" not in answer.text
    assert fred.get("/northside/patients/search/", {"q": "a"}, headers={"HX-Request": "true"}).text.strip() == ""


@pytest.mark.parametrize("sort,first", [("age", "Young"), ("-age", "Old"), ("-last", "Young"), ("nonsense", "Old")])
def test_the_list_sorts_by_what_the_address_says(sort, first, fred, northside):
    with practice_scope(northside):
        PatientFactory(last_name="Old", birth_date=dt.date(1940, 1, 1), last_visit_on=dt.date(2025, 1, 1))
        PatientFactory(last_name="Young", birth_date=dt.date(2010, 1, 1), last_visit_on=dt.date(2026, 1, 1))
    page = fred.get("/northside/patients/", {"sort": sort}).text
    other = {"Young": "Old", "Old": "Young"}[first]
    assert page.index(first + ", Ana") < page.index(other + ", Ana")


def test_the_list_asks_the_same_number_of_questions_for_three_patients_as_for_thirty(
    fred, northside, django_assert_num_queries
):
    with practice_scope(northside):
        _patients_with_everything(3)
    asked = _questions(fred, "/northside/patients/")
    with practice_scope(northside):
        _patients_with_everything(27)
    assert _questions(fred, "/northside/patients/") == asked
    assert _questions(fred, "/northside/patients/search/?q=al") <= asked


def test_a_patients_page_asks_the_same_number_of_questions_however_much_there_is(fred, northside):
    with practice_scope(northside):
        ana = PatientFactory()
        AppointmentFactory(patient=ana)
    asked = _questions(fred, f"/northside/patients/{ana.pk}/")
    with practice_scope(northside):
        for n in range(20):
            AppointmentFactory(patient=ana)
            PatientTag.objects.create(patient=ana, tag=TagFactory(name=f"Tag {n}"))
    assert _questions(fred, f"/northside/patients/{ana.pk}/") == asked


def _patients_with_everything(n):
    for _ in range(n):
        patient = PatientFactory()
        AppointmentFactory(patient=patient, status="scheduled", starts_at=now() + dt.timedelta(days=3))
        PatientTag.objects.create(patient=patient, tag=TagFactory())


def _questions(client, address):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    return len(asked)


def test_a_patients_page_says_how_they_can_be_reached_and_records_who_looked(fred, people, northside):
    with practice_scope(northside):
        ana = PatientFactory(cell="+16175550134", home_phone="+16175550199", email="")
        ContactPoint.objects.filter(address="+16175550134").update(validity="landline")
        AppointmentFactory(patient=ana, status="missed")
    page = fred.get(f"/northside/patients/{ana.pk}/").text
    assert "Landline" in page and "None in the EHR" in page and "Missed" in page
    with practice_scope(northside):
        looked = AuditEvent.objects.get(action="patient.viewed")
        assert (looked.object_id, looked.user_id) == (ana.pk, people.fred.pk)


@pytest.mark.parametrize(
    "flags,words",
    [
        ({}, "May be texted"),
        ({"all_opted_out_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "Opted out of everything"),
        ({"announcement_opted_out_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "Opted out: office updates"),
        ({"validity": "invalid"}, "Not in service or mistyped"),
    ],
)
def test_the_state_of_a_phone_is_said_in_words(flags, words, fred, northside):
    with practice_scope(northside):
        ana = PatientFactory()
        ContactPoint.objects.filter(address=ana.cell).update(**flags)
    assert words in fred.get(f"/northside/patients/{ana.pk}/").text


def test_a_patient_of_another_practice_is_like_a_missing_one(fred, southside):
    with practice_scope(southside):
        theirs = PatientFactory(last_name=cast.CANARY)
    foreign, missing = fred.get(f"/northside/patients/{theirs.pk}/"), fred.get("/northside/patients/987654321/")
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert cast.CANARY not in foreign.text
    for address in (
        "/northside/patients/",
        f"/northside/patients/?q={cast.CANARY}",
        "/northside/patients/search/?q=zz",
    ):
        assert "ZZSOUTHSIDE, Ana" not in fred.get(address).text


def test_tags_are_put_on_and_taken_off_by_those_who_may(uma, fred, northside):
    with practice_scope(northside):
        ana = PatientFactory()
    assert fred.post(f"/northside/patients/{ana.pk}/tags/", {"name": "VIP"}).status_code == 403
    assert "Add a tag" not in fred.get(f"/northside/patients/{ana.pk}/").text

    uma.post(f"/northside/patients/{ana.pk}/tags/", {"name": " VIP  gold "})
    with practice_scope(northside):
        tag = Tag.objects.get()
        assert tag.name == "VIP gold"
        assert PatientTag.objects.get(patient=ana, tag=tag).tagged_by_id is not None
    assert "VIP gold" in uma.get(f"/northside/patients/{ana.pk}/").text
    uma.post(f"/northside/patients/{ana.pk}/tags/{tag.pk}/remove/")
    with practice_scope(northside):
        assert not PatientTag.objects.exists()


def test_a_tag_that_cannot_be_used_is_refused_with_a_sentence(uma, northside):
    with practice_scope(northside):
        ana = PatientFactory()
        TagFactory(name="np start", reserved=True)
    answer = uma.post(f"/northside/patients/{ana.pk}/tags/", {"name": "NP start"}, follow=True)
    assert "is put on by TrackStat itself" in answer.text
    with practice_scope(northside):
        assert not PatientTag.objects.exists()
        assert tags.put_on(TagFactory(name="fine"), Patient.objects.all()) == 1
