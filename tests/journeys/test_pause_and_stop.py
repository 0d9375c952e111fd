"""Staff change their mind in the middle of a blast: hold it, go on, end it."""

import re
import time

import pytest
from playwright.sync_api import expect

from campaigns import blast, drafts
from campaigns.models import Campaign
from tests.journeys.conftest import PASSWORD
from tests.journeys.stack import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

PEOPLE = 40
LAPSED = {"range": "ago", "least": 6, "most": 18, "unit": "months"}
BOOKED = {"key": "has_future_appointment", "mode": "include", "value": {"has": "no"}}


def test_a_blast_is_paused_resumed_and_stopped(walk, office, stack):
    office.fill(PEOPLE)
    pk = _draft(office)
    page = walk.page
    walk.sign_in(office.email, PASSWORD)
    page.goto(f"/{office.practice.slug}/campaigns/blasts/{pk}/review/")
    stack.slowly(600)
    walk.switch_on()
    _accepted_at_least(office, 3)

    page.get_by_role("button", name="Pause", exact=True).click()
    asked = page.get_by_role("dialog", name="Pause sending?")
    expect(asked).to_contain_text(re.compile(r"\d+ sent\. \d+ wait until you resume\."))
    asked.get_by_role("button", name="Pause sending").click()
    expect(page.locator("#campaign-state")).to_contain_text("Paused")
    held = _settled(office)
    assert held < PEOPLE
    walk.look("paused")
    assert _settled(office) == held

    page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_role("dialog", name="Go on sending?").get_by_role("button", name="Resume sending").click()
    _accepted_at_least(office, held + 3)
    page.get_by_role("button", name="Stop", exact=True).click()
    asked = page.get_by_role("dialog", name="Stop sending?")
    expect(asked).to_contain_text(re.compile(r"\d+ sent, \d+ will not be sent"))
    asked.get_by_role("button", name="Stop sending").click()
    expect(page.locator("#campaign-state")).to_contain_text("Stopped")
    sent = _settled(office)
    assert held < sent < PEOPLE
    stack.slowly(0)
    walk.look("stopped")

    page.get_by_role("link", name="Report", exact=True).first.click()
    numbers = page.locator("#numbers")
    expect(numbers.locator(".figure").first.locator(".n")).to_have_text(str(PEOPLE))
    expect(numbers.locator(".figure").nth(1).locator(".n")).to_have_text(str(sent), timeout=20_000)
    walk.look("report")
    assert walk.said == []


def _draft(office) -> int:
    with office.data():
        campaign = drafts.create(Campaign.Kind.BLAST, "Change of mind", None)
        definition = {"primary": {"key": "last_visit", "value": LAPSED}, "filters": [BOOKED]}
        drafts.save_definition(campaign, definition, None, campaign.version, None)
        drafts.save_step(campaign, "text", "", "Hello {{PatientFirstName}}", "now", None, 0, campaign.version, None)
        assert blast.load(campaign, None) == PEOPLE
        return campaign.pk


def _accepted_at_least(office, n):
    until(lambda: len(office.ledger("sms.accepted")) >= n, 30, f"{n} texts at the carrier")


def _settled(office) -> int:
    """How many the carrier has once what was on its way has come to rest."""
    before, quiet_since = -1, time.monotonic()
    while time.monotonic() < quiet_since + 1.5:
        now = len(office.ledger("sms.accepted"))
        if now != before:
            before, quiet_since = now, time.monotonic()
        time.sleep(0.1)
    return before
