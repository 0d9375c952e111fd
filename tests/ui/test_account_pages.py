"""Signing in, in our look."""

import pytest

from tests import cast
from tests.ui.conftest import PHONE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]


def test_sign_in_fails_with_words_and_works_with_the_password(tab, people):
    tab.page.goto("/accounts/login/")
    assert tab.violations() == []
    tab.page.get_by_label("Email").fill("mona@northside.example")
    tab.page.get_by_label("Password").fill("wrong")
    tab.page.get_by_role("button", name="Sign in").click()
    assert "not correct" in tab.page.locator(".notice").inner_text()
    assert tab.violations() == []
    tab.page.get_by_label("Password").fill(cast.PASSWORD)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.wait_for_url("**/northside/**")


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/", "/accounts/password/reset/done/"])
def test_account_pages_are_accessible_on_a_phone_in_the_dark(open_tab, path):
    tab = open_tab(PHONE, "dark")
    tab.page.goto(path)
    assert tab.violations() == []
    assert tab.wider_than_window() <= 0
    assert tab.said == []
