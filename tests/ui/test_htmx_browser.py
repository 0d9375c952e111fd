"""htmx 4 as pages use it, in a real browser under the real Content-Security-Policy."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.ui import pages

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("browser"),
    pytest.mark.urls("tests.ui.pages"),
]


@pytest.fixture
def at_list(settings, tab):
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [engine | {"DIRS": [*engine["DIRS"], Path(__file__).parent / "templates"]}]
    pages.asked.update(progress=0, autosave=0)
    tab.page.goto("/ui/list/")
    return tab


def names(page):
    return page.locator("tbody td").all_inner_texts()


def test_sorting_swaps_the_list_and_is_undone_by_the_back_button(at_list):
    page = at_list.page
    page.get_by_role("link", name="Name").click()
    page.wait_for_url("**?sort=name")
    page.get_by_role("link", name="Name").click()
    page.wait_for_url("**?sort=-name")
    expect(page.locator("tbody td").first).to_have_text("Okafor")
    page.go_back()
    page.wait_for_url("**?sort=name")
    expect(page.locator("tbody td").first).to_have_text("Alvarez")
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    page.reload()
    assert names(page) == pages.NAMES
    assert at_list.said == []


def test_searching_while_typing_keeps_the_cursor_in_the_field(at_list):
    page = at_list.page
    page.get_by_role("searchbox").press_sequentially("oka", delay=80)
    expect(page.locator("tbody td")).to_have_count(1)
    page.wait_for_url("**?q=oka")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("x")
    page.wait_for_url("**?q=okax")
    expect(page.locator("tbody td")).to_have_count(0)


def test_a_post_carries_the_csrf_token_and_brings_its_toast_along(at_list):
    page = at_list.page
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#answer")).to_have_text("saved by POST")
    expect(page.locator("#toasts")).to_contain_text("Kept.")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".toast")).to_have_count(0)


def test_an_answer_without_a_body_shows_its_words(at_list):
    at_list.page.get_by_role("button", name="Quiet").click()
    expect(at_list.page.locator("#toasts")).to_contain_text("Only words.")
    expect(at_list.page.locator("#answer")).to_have_text("untouched")


@pytest.mark.parametrize(
    ("button", "words"),
    [("Break", "nothing was saved"), ("Forbidden", "Your role does not include this"), ("Gone", "gone or was moved")],
)
def test_an_error_never_lands_inside_the_page(at_list, live_server, button, words):
    at_list.page.get_by_role("button", name=button).click()
    expect(at_list.page.locator("#toasts")).to_contain_text(words)
    expect(at_list.page.locator("#answer")).to_have_text("untouched")


def test_a_form_with_mistakes_does_land_inside_the_page(at_list):
    at_list.page.get_by_role("button", name="Wrong").click()
    expect(at_list.page.locator("#answer")).to_have_text("Name is missing")


def test_a_redirect_opens_the_whole_page(at_list):
    at_list.page.get_by_role("button", name="Move").click()
    at_list.page.wait_for_url("**/styleguide/")


def test_an_ended_session_loads_the_page_anew_instead_of_swapping_the_sign_in_form_in(at_list):
    page = at_list.page
    with page.expect_navigation(url="**/ui/list/"):
        page.get_by_role("button", name="Signed out").click()
    expect(page.locator("#answer")).to_have_text("untouched")


def test_a_dialog_that_htmx_brings_opens_and_closes(at_list):
    page = at_list.page
    page.get_by_role("button", name="Dialog").click()
    dialog = page.get_by_role("dialog", name="Brought by htmx")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_progress_asks_until_it_is_done_and_then_no_more(at_list):
    page = at_list.page
    expect(page.locator("#work")).to_contain_text("3 of 3 done", timeout=10_000)
    expect(page.locator("#work")).not_to_have_attribute("hx-get", "/ui/progress/")
    asked = pages.asked["progress"]
    page.wait_for_timeout(2500)
    assert pages.asked["progress"] == asked == 2
    assert at_list.said == []


def test_one_sees_whether_what_one_typed_is_kept(at_list):
    page = at_list.page
    saved = page.locator(".saved")
    page.get_by_label("Name", exact=True).fill("Spring")
    expect(saved).to_have_text("Saved just now")
    expect(saved).to_contain_text("s ago", timeout=5000)
    assert pages.asked["autosave"] == 1


def test_the_text_counter_follows_the_typing(at_list):
    page = at_list.page
    page.locator("#text").fill("a" * 140)
    expect(page.locator("output")).to_contain_text("162 characters · 2 segments · 2 credits each")
    page.locator("#text").fill("ą")
    expect(page.locator("output")).to_contain_text("1 segment")
    expect(page.locator("output")).to_contain_text("segments shorter (70)")
