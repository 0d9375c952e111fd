"""Picking from long lists: what a search finds, what is picked, and nothing of another practice."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audience.filters import REGISTRY
from audience.models import AppointmentPurpose, DiagnosisCode, Insurer
from tests.factories import PatientFactory
from trackstat.tenancy.scope import practice_scope

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
URL = "/northside/audiences/choices/"


@pytest.fixture
def ask(people):
    client = Client()
    client.force_login(people.uma)

    def ask(key, field, search=None, **more):
        given = {"filter": key, "field": field, "row": "f0"} | ({} if search is None else {"search": search}) | more
        return client.get(URL, given, headers=HTMX)

    return ask


@pytest.fixture
def codes(northside):
    with practice_scope(northside):
        return DiagnosisCode.objects.bulk_create(
            DiagnosisCode(system="icd10", code=f"M{n // 10:02}.{n % 10}", name="Low back pain" if n == 545 else "Pain")
            for n in range(500, 600)
        )


def test_a_search_looks_into_codes_and_words(ask, codes):
    for search in ("m54.5", "low back", "BACK m54"):
        found = ask("diagnosis", "codes", search).text
        assert found.count('type="checkbox"') == 1
        assert 'name="f0-codes"' in found and "M54.5 Low back pain" in found


def test_of_many_some_are_shown_and_it_says_that_there_are_more(ask, codes):
    found = ask("diagnosis", "codes", "pain").text
    assert found.count('type="checkbox"') == 20
    assert "There are more: type to find them." in found
    assert "No code with “xyz”." in ask("diagnosis", "codes", "xyz").text


def test_what_is_picked_stays_on_top_whatever_is_searched(ask, codes):
    picked = codes[7]
    found = ask("diagnosis", "codes", "m54.5", **{"f0-codes": [picked.pk, 987654321]}).text
    assert f'value="{picked.pk}" checked' in found
    assert "code that is gone" in found
    assert found.index(str(picked)) < found.index("M54.5 Low back pain")
    again = ask("diagnosis", "codes", str(picked.code), **{"f0-codes": [picked.pk]}).text
    assert again.count('type="checkbox"') == 1 and "No other code with" in again


def test_cities_are_those_of_patients_however_they_are_written(ask, northside, southside):
    with practice_scope(northside):
        for city in ("Boston", "BOSTON", "Lynn", ""):
            PatientFactory(city=city)
    with practice_scope(southside):
        PatientFactory(city="Boca Raton")
    found = ask("city", "cities", "bo").text
    assert found.count('type="checkbox"') == 1 and 'value="Boston"' in found


def test_another_practices_choices_are_neither_found_nor_named(ask, southside):
    with practice_scope(southside):
        theirs = Insurer.objects.create(name="Southern Mutual", external_id="1")
    assert "Southern" not in ask("insurer", "insurers", "").text
    assert "The EHR has used none so far." in ask("insurer", "insurers", "").text
    assert "Southern" not in ask("insurer", "insurers", "", **{"f0-insurers": [theirs.pk]}).text


def test_what_cannot_be_searched_is_not_found(ask):
    assert ask("shoe_size", "sizes", "").status_code == 404
    assert ask("diagnosis", "which", "").status_code == 404
    assert ask("diagnosis", "codes", "", row="f0' onclick='x").status_code == 404
    for pk in ("x", "-1", "9" * 40):
        assert ask("diagnosis", "codes", "", **{"f0-codes": pk}).status_code == 200


def test_a_search_asks_the_same_number_of_questions_whatever_is_picked(ask, codes):
    numbers = set()
    for picked in (codes[:1], codes[:2], codes[:40]):
        with CaptureQueriesContext(connection) as asked:
            ask("diagnosis", "codes", "pain", **{"f0-codes": [code.pk for code in picked]})
        numbers.add(len(asked))
    assert len(numbers) == 1


def test_only_a_list_that_is_long_is_searched(in_northside):
    for n in range(7):
        AppointmentPurpose.objects.create(name=f"Purpose {n}")
    form = REGISTRY["purpose"].form.of({"which": "appointment"}, prefix="f0")
    assert not form["purposes"].is_long
    AppointmentPurpose.objects.create(name="Purpose 7")
    form = REGISTRY["purpose"].form.of({"which": "appointment"}, prefix="f0")
    assert form["purposes"].is_long
