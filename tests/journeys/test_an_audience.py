"""Staff describe a group with the keyboard alone, keep it under a name, and start a blast from it."""

import re

import pytest
from playwright.sync_api import expect

from audience.filters import REGISTRY
from audience.models import SavedAudience
from tests.journeys.conftest import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]


def test_an_audience_by_keyboard_saved_and_used_in_a_blast(walk, office):
    office.fill(8)
    page = walk.page
    walk.sign_in(office.email, PASSWORD)
    page.get_by_role("link", name="Audiences", exact=True).click()
    walk.look("no audiences")
    page.get_by_role("link", name="Add Audience").first.click()
    page.wait_for_url("**/audiences/new/")

    _describe_lapsed(page)
    walk.count(8)
    expect(page.locator("#audience-preview")).to_contain_text("of 8")
    walk.look("new audience")

    address = page.url
    page.reload()
    walk.count(8)
    assert page.url == address, "what is tried out is in the address"

    page.get_by_role("textbox", name="Name", exact=True).focus()
    page.keyboard.type("Not seen for a while")
    page.keyboard.press("Tab")
    page.keyboard.type("For reactivation")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/audiences/\d+/$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Not seen for a while")
    with office.data():
        assert len(SavedAudience.objects.get().definition["filters"]) == 3
    page.get_by_role("link", name="Audiences", exact=True).first.click()
    expect(page.get_by_role("row", name="Not seen for a while")).to_contain_text("8")
    walk.look("audiences")

    walk.open_blasts()
    walk.add_campaign("We miss you")
    page.get_by_role("button", name="Use a saved audience").click()
    page.get_by_role("button", name="Not seen for a while").click()
    expect(page.locator("#origin")).to_contain_text("Not seen for a while")
    walk.count(8)
    walk.look("started from an audience")
    assert walk.said == []


def _describe_lapsed(page):
    """Last visit 6 to 18 months ago, no future appointment, − "not qualified", with a cell phone: keys only."""
    keys, effects = page.keyboard, page.locator("#audience-effects")
    page.get_by_label("Patients whose").focus()
    keys.type("last")
    expect(effects).to_contain_text("last visit 6 to 18 months ago")
    _add(page, "future")
    expect(effects).to_contain_text("no future appointment")
    _add(page, "tags")
    # The keyboard goes on in the new line: any, all or none; then its tags.
    line = page.get_by_role("group", name="Tags", exact=True)
    expect(line.get_by_role("combobox")).to_be_focused()
    keys.press("Tab")
    expect(line.get_by_role("checkbox").first).to_be_focused()
    keys.press("Space")
    expect(effects).to_contain_text("tag “not qualified”")
    for _ in range(2):
        keys.press("Shift+Tab")
    expect(line.get_by_role("radio", name="Include")).to_be_focused()
    keys.press("ArrowRight")
    expect(effects).to_contain_text("not tag “not qualified”")
    _add(page, "reachable")
    expect(page.get_by_role("group", name=re.compile("^Reachable")).first).to_be_visible()


def _add(page, word):
    """The menu opens on its search field, with nothing in it from before; Enter takes the first that is found."""
    page.get_by_role("button", name="Add filter").focus()
    page.keyboard.press("Enter")
    search = page.get_by_role("searchbox", name="Search filters")
    expect(search).to_be_focused()
    expect(search).to_have_value("")
    expect(page.locator("#filter-menu [data-word]:not([hidden])")).to_have_count(len(REGISTRY))
    page.keyboard.type(word)
    page.keyboard.press("Enter")
    expect(page.locator("#filter-menu")).to_be_hidden()
