"""Saved audiences: kept under a name, tried out in the address, told of when somebody else changed them."""

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audience import saved
from audience.filters import BadDefinition
from audience.models import Patient, SavedAudience
from audience.trying import packed, unpacked
from tests.factories import PatientFactory, TagFactory
from trackstat.tenancy.scope import practice_scope

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
ADULTS = {"primary": None, "filters": [{"key": "age", "mode": "include", "value": {"min": 18}}]}
AGE = {"row": "f0", "f0-key": "age", "f0-mode": "include", "f0-min": "18", "f0-max": ""}
ROOT = "/northside/audiences/"


@pytest.fixture
def uma(people):
    client = Client()
    client.force_login(people.uma)
    return client


@pytest.fixture
def adults(people, in_northside):
    PatientFactory(last_name="Baker")
    PatientFactory(last_name="Child", birth_date=dt.date(2020, 1, 1))
    return saved.create("Adults", "For newsletters", ADULTS, None, people.uma)


def _address(response) -> str:
    return response["HX-Replace-Url"]


def test_without_an_audience_the_list_says_what_one_is_for(uma):
    assert "No audiences are saved yet" in uma.get(ROOT).text


def test_who_a_group_is_can_be_looked_at_without_keeping_anything(uma, in_northside):
    PatientFactory(last_name="Baker", cell="", email="", address_line="")
    response = uma.post(f"{ROOT}new/try/", AGE, headers=HTMX)
    assert '<span class="n">1</span>' in response.text
    page = uma.get(_address(response)).text
    assert 'name="f0-min" value="18"' in page and "Baker" in page
    assert "age 18 or older" in uma.get(f"{_address(response)}&show=effects", headers=HTMX).text
    assert not SavedAudience.objects.exists()


def test_without_script_what_is_tried_is_in_the_address_too(uma, in_northside):
    response = uma.post(f"{ROOT}new/try/", AGE | {"add": "sex"})
    assert response.status_code == 302
    assert 'name="f0-min" value="18"' in uma.get(response["Location"]).text


def test_a_filter_without_its_value_survives_a_reload_and_says_what_it_waits_for(uma, in_northside):
    response = uma.post(f"{ROOT}new/try/", AGE | {"f0-min": ""}, headers=HTMX)
    page = uma.get(_address(response)).text
    assert "Say from or to which age." in page and 'value="f0"' in page


def test_what_was_found_is_kept_under_a_name_and_opens(uma, in_northside):
    response = uma.post(f"{ROOT}new/save/", AGE | {"name": "  Grown  ups ", "description": "Newsletter"}, follow=True)
    assert "Saved as “Grown ups”" in response.text
    row = SavedAudience.objects.get()
    assert (row.definition, row.require, row.created_by.email) == (ADULTS, None, "uma@northside.example")


def test_what_cannot_be_saved_keeps_what_was_typed_and_says_at_the_filter_what_it_lacks(uma, in_northside):
    typed = AGE | {"f0-min": "", "name": "Grown ups", "description": "Newsletter"}
    page = uma.post(f"{ROOT}new/save/", typed, follow=True).text
    assert "Not saved. Age: Say from or to which age." in page
    assert 'value="Grown ups"' in page and 'value="Newsletter"' in page
    assert '<ul class="errorlist"' in page.split('id="row-f0"')[1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": ""}, "Give the audience a name."),
        ({"name": "adults"}, "There is an audience “adults” already."),
        ({"name": "Others", "f0-min": ""}, "Say from or to which age."),
        ({"name": "Everyone", "row": []}, "an audience is never the whole practice"),
    ],
)
def test_what_cannot_be_kept_says_why_and_the_filters_stay_on_the_page(uma, adults, given, words):
    response = uma.post(f"{ROOT}new/save/", AGE | given, follow=True)
    assert words in response.text
    assert urlsplit(response.request["QUERY_STRING"]).path.startswith("is=")
    assert SavedAudience.objects.count() == 1


def test_changes_are_only_on_the_page_until_they_are_saved(uma, adults):
    tried = uma.post(f"{ROOT}{adults.pk}/try/", AGE | {"f0-min": "30", "version": "1"}, headers=HTMX)
    assert "Not saved yet." in tried.text
    adults.refresh_from_db()
    assert adults.definition == ADULTS
    assert "Not saved yet." in uma.get(_address(tried)).text
    uma.post(f"{ROOT}{adults.pk}/save/", AGE | {"f0-min": "30", "version": "1"})
    adults.refresh_from_db()
    assert (adults.definition["filters"][0]["value"], adults.version) == ({"min": 30}, 2)


def test_filters_saved_by_somebody_else_meanwhile_are_not_overwritten(uma, adults, people):
    men = {"primary": None, "filters": [{"key": "sex", "mode": "include", "value": {"sex": ["male"]}}]}
    saved.save_filters(adults, men, None, 1, people.mona)
    response = uma.post(f"{ROOT}{adults.pk}/save/", AGE | {"f0-min": "30", "version": "1"}, follow=True)
    assert "Mona has changed “Adults” meanwhile" in response.text and 'value="30"' in response.text
    adults.refresh_from_db()
    assert adults.definition == men


def test_a_name_is_there_once_whatever_its_capitals(uma, adults, people):
    other = saved.create("Seniors", "", ADULTS, None, people.uma)
    assert "There is an audience" in uma.post(f"{ROOT}{other.pk}/name/", {"name": "ADULTS"}, follow=True).text
    assert "It is called “Elders”" in uma.post(f"{ROOT}{other.pk}/name/", {"name": "Elders"}, follow=True).text
    with pytest.raises(saved.BadName):
        saved.create("elders", "", ADULTS, None, people.uma)


def test_copies_take_the_next_free_name(uma, adults):
    for _ in range(2):
        assert "This is a copy of “Adults”" in uma.post(f"{ROOT}{adults.pk}/copy/", follow=True).text
    names = set(SavedAudience.objects.values_list("name", flat=True))
    assert names == {"Adults", "Adults (copy)", "Adults (copy 2)"}


def test_a_deleted_one_is_gone(uma, adults):
    assert "Deleted “Adults”" in uma.post(f"{ROOT}{adults.pk}/delete/", follow=True).text
    assert uma.get(f"{ROOT}{adults.pk}/").status_code == 404


def test_each_row_of_the_list_counts_itself_and_keeps_the_number_with_its_time(uma, adults):
    assert "Counting …" in uma.get(ROOT).text
    row = uma.get(f"{ROOT}{adults.pk}/count/", headers=HTMX).text
    assert "Patients with age 18 or older." in row and ">1<" in row
    again = uma.get(ROOT).text
    assert "Patients with age 18 or older." in again and 'hx-trigger="load"' not in again


def test_a_filter_that_names_a_deleted_tag_is_something_to_mend_and_never_everyone(uma, people, in_northside):
    PatientFactory()
    tag = TagFactory(name="Workshop")
    without = {
        "primary": None,
        "filters": [{"key": "tags", "mode": "exclude", "value": {"match": "any", "tags": [tag.pk]}}],
    }
    row = saved.create("Others", "", without, None, people.uma)
    tag.delete()
    listed = uma.get(f"{ROOT}{row.pk}/count/", headers=HTMX).text
    assert "To mend" in listed and "no longer exists" in listed
    row.refresh_from_db()
    assert row.counted is None
    page = uma.get(f"{ROOT}{row.pk}/").text
    assert "no longer exists. Choose again." in page and '<span class="n">–</span>' in page
    with pytest.raises(BadDefinition):
        saved.copy(row, people.uma)


def test_an_address_is_ours_or_means_nothing_is_tried(uma, adults):
    told = packed(ADULTS, ["cell"])
    assert unpacked(told) == (ADULTS, ["cell"])
    for words in (
        "x",
        told[: len(told) // 2],
        "A" * 900,
        packed({"filters": ["x"]}, None),
        packed({"everyone": 1}, None),
    ):
        assert unpacked(words) is None
        assert uma.get(f"{ROOT}new/", {"is": words}).status_code == 200
    ids = [n * 7919 for n in range(3000)]
    with pytest.raises(BadDefinition, match="So many choices"):
        packed({"primary": None, "filters": [{"key": "tags", "mode": "include", "value": {"tags": ids}}]}, None)


def test_an_unknown_filter_in_the_address_is_a_sentence(uma, in_northside):
    words = packed({"primary": None, "filters": [{"key": "shoe", "mode": "include", "value": {}}]}, None)
    assert "There is no filter “shoe”" in uma.get(f"{ROOT}new/", {"is": words}).text


def test_why_someone_is_not_in_it_is_asked_of_what_is_tried_out(uma, adults):
    tried = uma.post(f"{ROOT}new/try/", AGE | {"f0-min": "99"}, headers=HTMX)
    state = parse_qs(urlsplit(_address(tried)).query)["is"][0]
    baker = Patient.objects.get(last_name="Baker")
    told = uma.get(f"{ROOT}new/", {"is": state, "show": "why", "patient": baker.pk}, headers=HTMX).text
    assert "Not in the audience" in told and "Age " in told


def test_the_list_asks_the_database_as_often_for_20_audiences_as_for_2(uma, people, northside):
    def fill(n, start):
        with practice_scope(northside):
            for i in range(start, start + n):
                saved.create(f"Audience {i}", "", ADULTS, None, people.uma)

    def asked():
        with CaptureQueriesContext(connection) as questions:
            uma.get(ROOT)
        return len(questions)

    fill(2, 0)
    few = asked()
    fill(18, 2)
    assert asked() == few


def test_who_may_not_build_audiences_sees_none(people, adults):
    client = Client()
    client.force_login(people.fred)
    assert client.get(ROOT).status_code == 403
    assert client.post(f"{ROOT}{adults.pk}/delete/").status_code == 403
