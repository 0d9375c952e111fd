"""Tags and households in a browser, at a desk and on a phone: tagging what was found, merging, the household choice."""

import datetime as dt

import pytest
from django.conf import settings
from django.test import Client

from audience import tagging, tags
from audience.models import PatientTag, TagJob
from tests.factories import CampaignFactory, PatientFactory, StepFactory, TagFactory
from tests.ui.conftest import DESK, PHONE
from trackstat.tenancy.scope import practice_scope

EVERYONE = {"primary": None, "filters": [{"key": "sex", "mode": "include", "value": {"sex": ["female"]}}]}


@pytest.fixture
def campaign(transactional_db, people, northside):
    """A text draft to a mother and her daughter on one phone, one of them a VIP."""
    with practice_scope(northside):
        mother = PatientFactory(first_name="Mother", cell="+16175550123")
        PatientFactory(first_name="Daughter", cell="+16175550123", birth_date=dt.date(2015, 1, 1))
        tags.put_on(TagFactory(name="VIP"), mother)
        TagFactory(name="Gold"), TagFactory(name="np start", reserved=True)
        return StepFactory(campaign=CampaignFactory(name="Autumn", definition=EVERYONE)).campaign


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def tab(request, campaign, people, open_tab, live_server):
    opened, client = open_tab(request.param), Client()
    client.force_login(people.uma)
    name = settings.SESSION_COOKIE_NAME
    opened.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    return opened


def sound(tab):
    """Looked at when what a page fetches by itself is there; what is wrong with it stands in the failure."""
    tab.page.wait_for_load_state("networkidle")
    found = [*tab.violations(), *(["wider than the window"] if tab.wider_than_window() > 0 else [])]
    assert found == []
    return True


def work(northside):
    with practice_scope(northside):
        jobs = list(TagJob.objects.values_list("pk", flat=True))
    for job in jobs:
        while tagging.work(northside.pk, job):
            pass


def test_what_was_found_is_tagged_followed_and_undone(tab, northside):
    page = tab.page
    page.goto("/northside/patients/?q=daughter")
    page.get_by_role("link", name="Tag these 1").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Patients found by “daughter”").wait_for()
    assert sound(tab)
    dialog.get_by_label("Tag").fill("Called")
    dialog.get_by_role("button", name="Tag 1 patient").click()
    page.get_by_text("0 of 1 patients").wait_for()
    assert sound(tab)
    work(northside)
    page.get_by_text("1 of 1 patient got it").wait_for()
    page.get_by_role("button", name="Undo").click()
    dialog = page.get_by_role("dialog", name="Undo this tagging?")
    assert "taken off the 1 patient who got it by this" in dialog.inner_text()
    assert sound(tab)
    dialog.get_by_role("button", name="Undo tagging").click()
    page.get_by_text("Being undone").wait_for()
    work(northside)
    page.get_by_text("1 patient lost it again").wait_for()
    with practice_scope(northside):
        assert not PatientTag.objects.filter(tag__name="Called").exists()
    assert tab.said == []


def test_a_tag_is_merged_after_its_numbers_were_read(tab):
    page = tab.page
    page.goto("/northside/tags/")
    assert sound(tab)
    page.get_by_role("row", name="VIP").get_by_role("button", name="More").click()
    page.get_by_role("link", name="Merge into another").click()
    page.get_by_label("Merge it into").select_option(label="Gold")
    page.get_by_role("button", name="See what happens").click()
    page.get_by_text("carries “VIP” and will carry “Gold”").wait_for()
    assert sound(tab)
    page.get_by_role("button", name="Merge into “Gold”").click()
    page.get_by_text("“VIP” is “Gold” now").wait_for()
    assert page.get_by_role("row", name="VIP").count() == 0


def test_one_per_household_is_chosen_beside_the_boxes_and_who_is_left_out_is_listed(tab, campaign):
    page = tab.page
    page.goto(f"/northside/campaigns/blasts/{campaign.pk}/audience/")
    page.get_by_role("button", name="Load 1 patient").wait_for()
    page.get_by_role("link", name="same household").click()
    page.get_by_text("1 patient shares the cell phone").wait_for()
    assert sound(tab)
    page.get_by_role("link", name="Autumn").first.click()
    page.get_by_label("One per household").uncheck()
    page.get_by_role("button", name="Load 2 patients").wait_for()
    page.reload()
    assert not page.get_by_label("One per household").is_checked()
    assert sound(tab)
    page.goto(f"/northside/campaigns/blasts/{campaign.pk}/message/")
    page.get_by_label("What to do").select_option(label="Put a tag on")
    assert sound(tab)
    assert tab.said == []
