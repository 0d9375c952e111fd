"""Every component in a real browser under the real Content-Security-Policy."""

import pytest

from tests.ui.conftest import DESK, PHONE, TABLET

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]


@pytest.mark.parametrize("size", [DESK, TABLET, PHONE], ids=["desk", "tablet", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_component_is_accessible_quiet_and_fits_the_window(open_tab, size, scheme):
    tab = open_tab(size, scheme)
    answer = tab.page.goto("/styleguide/?toast=1")
    assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
    tab.page.wait_for_load_state("networkidle")
    assert tab.violations() == []
    assert tab.wider_than_window() <= 0
    assert tab.said == []


def test_no_page_of_ours_carries_inline_style_or_script(tab):
    tab.page.goto("/styleguide/")
    html = tab.page.content()
    assert "<style" not in html
    assert tab.page.locator("script:not([src])").count() == 0
    assert "onclick=" not in html


def test_slash_goes_to_the_patient_search_but_not_while_one_types(tab):
    tab.page.goto("/styleguide/")
    tab.page.keyboard.press("/")
    search = tab.page.get_by_role("searchbox", name="Find a patient")
    assert search.evaluate("field => field === document.activeElement")
    name = tab.page.get_by_label("Campaign name").first
    name.fill("")
    name.press("/")
    assert name.input_value() == "/"


def test_a_menu_opens_beside_its_button_and_is_worked_by_keyboard(tab):
    tab.page.goto("/styleguide/")
    button = tab.page.get_by_role("button", name="More").first
    button.focus()
    tab.page.keyboard.press("Enter")
    menu = tab.page.locator("#row-1")
    assert menu.is_visible()
    box, at = menu.bounding_box(), button.bounding_box()
    below, above = box["y"] - (at["y"] + at["height"]), at["y"] - (box["y"] + box["height"])
    assert 0 <= max(below, above) < 12 and box["x"] + box["width"] <= DESK[0]
    tab.page.keyboard.press("ArrowDown")
    assert tab.page.evaluate("document.activeElement.textContent.trim()") == "Copy"
    assert tab.violations() == []
    tab.page.keyboard.press("Escape")
    assert menu.is_hidden() and button.evaluate("it => it === document.activeElement")


def test_a_dangerous_act_asks_in_numbers_and_gives_focus_back(tab):
    tab.page.goto("/styleguide/")
    opener = tab.page.locator("main").get_by_role("button", name="Stop sending").first
    opener.click()
    dialog = tab.page.get_by_role("dialog", name="Stop sending?")
    assert "871 will not be sent" in dialog.inner_text()
    assert tab.violations() == []
    dialog.get_by_role("button", name="Cancel").click()
    assert dialog.is_hidden() and opener.evaluate("it => it === document.activeElement")


def test_the_communication_list_folds_and_unfolds(tab):
    tab.page.goto("/styleguide/")
    group = tab.page.get_by_role("button", name="Communication")
    assert group.get_attribute("aria-expanded") == "true"
    group.click()
    assert group.get_attribute("aria-expanded") == "false"
    assert tab.page.get_by_role("link", name="Drip Campaigns").first.is_hidden()


def test_with_icons_only_the_communication_list_flies_out_and_closes_again(open_tab):
    tab = open_tab(TABLET)
    tab.page.goto("/styleguide/")
    link = tab.page.locator(".rail").get_by_role("link", name="Drip Campaigns")
    assert link.is_hidden()
    tab.page.get_by_role("button", name="Communication").click()
    assert link.is_visible() and tab.violations() == []
    tab.page.keyboard.press("Escape")
    assert link.is_hidden()


def test_a_phone_has_a_bottom_bar_and_a_sheet_with_the_rest(open_tab):
    tab = open_tab(PHONE)
    tab.page.goto("/styleguide/")
    tab.page.get_by_role("button", name="Menu").tap()
    sheet = tab.page.get_by_role("dialog", name="Menu")
    assert sheet.get_by_role("link", name="Message Library").is_visible()
    assert tab.violations() == []


def test_targets_on_touch_screens_are_at_least_40_pixels_high(open_tab):
    tab = open_tab(PHONE)
    tab.page.goto("/styleguide/")
    low = tab.page.evaluate(
        """() => [...document.querySelectorAll("button, .button, input, select, .tabs a, .steps a, .bottombar a")]
        .filter(it => it.offsetParent && !it.closest("label") && it.getBoundingClientRect().height < 39.5)
        .map(it => it.outerHTML.slice(0, 120))"""
    )
    assert low == []
