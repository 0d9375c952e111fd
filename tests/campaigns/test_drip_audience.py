"""Who of those with a reason a drip goes to: the same builder and saved audiences as a blast's, and nothing loaded."""

import datetime as dt

import pytest
from django.test import Client

from audience import saved
from audience.models import Patient, SavedAudience
from campaigns import drafts, engine, moves
from campaigns.models import Campaign, Enrollment
from tests.campaigns.conftest import MEN
from tests.factories import CampaignFactory, PatientFactory, StepFactory


@pytest.fixture
def uma(people):
    client = Client()
    client.force_login(people.uma)
    return client


@pytest.fixture
def drip(in_northside, senders, clock):
    """Two men and a woman have their birthday on the day it is."""
    clock.at(dt.datetime(2027, 3, 12, 14, tzinfo=dt.UTC))
    for name, sex in (("Ben", "male"), ("Carl", "male"), ("Dora", "female")):
        PatientFactory(first_name=name, sex=sex, birth_date=dt.date(1980, 3, 12))
    drip = CampaignFactory(kind="drip", trigger="birthday", name="Birthdays")
    StepFactory(campaign=drip, time_of_day=dt.time(10))
    return drip


def _url(campaign, where=""):
    return f"/northside/campaigns/drips/{campaign.pk}/audience/{where}"


def test_the_page_of_a_drip_shows_whom_its_filters_describe_and_asks_nobody_to_load(uma, drip):
    page = uma.get(_url(drip)).text
    assert "3" in page and "patients" in page
    assert "Load" not in page.partition('id="audience-preview"')[0]
    assert "Every patient who has a birthday" in uma.get(f"/northside/campaigns/drips/{drip.pk}/").text


def test_filters_chosen_on_the_page_are_kept_and_said_beside_the_message(uma, drip):
    row = {"row": "f0", "f0-key": "sex", "f0-mode": "include", "f0-sex": "male", "p-key": "", "version": drip.version}
    uma.post(_url(drip, "save/"), row)
    drip.refresh_from_db()
    assert drip.definition["filters"][0]["value"] == {"sex": ["male"]}
    assert "Patients with sex male" in uma.get(f"/northside/campaigns/drips/{drip.pk}/").text
    assert "Not in the audience" in uma.get(_url(drip, "why/"), {"patient": _dora()}).text


def test_only_whom_the_filters_describe_is_greeted(uma, drip, people, clock):
    saved_men = saved.create("Men", "", MEN, None, people.uma)
    page = uma.post(_url(drip, "use/"), {"saved": saved_men.pk}, follow=True).text
    assert "The filters of" in page
    drip.refresh_from_db()
    moves.enable(drip, people.uma)
    clock.at(dt.datetime(2027, 3, 12, 15, 1, tzinfo=dt.UTC))
    engine.work(drip.practice_id)
    assert sorted(Enrollment.objects.values_list("patient__first_name", flat=True)) == ["Ben", "Carl"]


def test_a_drips_filters_are_kept_as_a_saved_audience(uma, drip, people):
    drafts.save_definition(drip, MEN, None, drip.version, people.uma)
    uma.post(_url(drip, "keep/"), {"name": "Men"})
    kept = SavedAudience.objects.get()
    assert kept.definition == MEN
    assert [use.words for use in saved.used_by(drip.practice, [kept])[kept.pk]] == ["Birthdays"]


def test_a_drip_that_is_on_shows_its_filters_and_changes_nothing(uma, drip, people):
    moves.enable(drip, people.uma)
    page = uma.get(_url(drip)).text
    assert "Switch it off to change its filters" in page
    uma.post(_url(drip, "save/"), {"row": "f0", "f0-key": "sex", "f0-mode": "include", "f0-sex": "male", "p-key": ""})
    drip.refresh_from_db()
    assert drip.definition == {}


@pytest.mark.parametrize("given", [{"one_per_household": "on"}, {}])
def test_whether_a_household_gets_one_greeting_or_several_is_chosen_on_the_page(uma, drip, given):
    fields = {"name": "Birthdays", "channel": "text", "time_of_day": "10:00", "subject": "", "body": "Happy birthday!"}
    uma.post(f"/northside/campaigns/drips/{drip.pk}/", fields | given)
    assert Campaign.objects.get(pk=drip.pk).one_per_household is bool(given)


def _dora() -> int:
    return Patient.objects.get(first_name="Dora").pk
