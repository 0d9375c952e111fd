"""In a real browser: what only a browser does, the policy, the forms' Origin, pages that keep themselves fresh."""

import pytest
from playwright.sync_api import expect


@pytest.fixture
def tab(chromium):
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.complaints = []
    page.on("console", lambda said: page.complaints.append(said.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    page.close()


def test_a_patient_reads_answers_and_stops_while_the_page_keeps_itself_up_to_date(
    tab, sandbox, sandbox_server, line, phone
):
    line.twilio.messages.create(to=phone, from_=line.number, body="Come in this week?")
    tab.goto(f"{sandbox_server.url}/sandbox/phones/{phone}")
    expect(tab.locator(".thread")).to_contain_text("Come in this week?")

    tab.fill("#body", "Yes, ")
    line.twilio.messages.create(to=phone, from_=line.number, body="Tuesday at 9?")
    expect(tab.locator(".thread")).to_contain_text("Tuesday at 9?")
    expect(tab.locator("#body")).to_have_value("Yes, ")

    tab.locator("#body").press_sequentially("Tuesday")
    tab.press("#body", "Enter")
    expect(tab.locator(".bubble.mine")).to_contain_text("Yes, Tuesday")
    tab.get_by_role("button", name="STOP").click()
    expect(tab.locator(".facts")).to_contain_text("Opted out")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.complaints == []
