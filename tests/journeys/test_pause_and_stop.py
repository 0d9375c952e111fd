"""Staff change their mind in the middle of a blast: hold it, go on, end it."""

import re

import pytest
from playwright.sync_api import expect

from audience.rollups import rebuild
from campaigns import blast, drafts, moves
from campaigns.models import Campaign
from campaigns.problems import problems_of_practice
from messaging.models import Message
from tests.journeys.conftest import PASSWORD
from tests.journeys.stack import until
from tests.journeys.walk import WORK
from trackstat.clock import now
from trackstat.tenancy.models import PracticeSettings

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
    stack.slowly(1000)
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
    expect(numbers.locator(".figure").nth(1).locator(".n")).to_have_text(str(sent), timeout=WORK)
    assert walk.said == []


def test_a_blast_whose_audience_has_changed_asks_and_a_drip_that_paused_itself_is_stopped(walk, office, stack):
    office.fill(4)
    pk = _draft(office, 4)
    _drip(office)
    page = walk.page
    walk.sign_in(office.email, PASSWORD)
    with office.data():
        office.patient("Newcomer")
        rebuild(office.practice)
    page.goto(f"/{office.practice.slug}/campaigns/blasts/{pk}/review/")
    walk.ready().click()
    expect(page.locator("main")).to_contain_text("1 came")
    expect(page.get_by_role("button", name="Send to 5 patients")).to_be_visible()
    walk.look("confirm")

    page.goto(f"/{office.practice.slug}/campaigns/drips/")
    expect(page.get_by_role("row", name="Birthdays")).to_contain_text("intake form")
    walk.look("drips")
    page.get_by_role("link", name="Birthdays").click()
    expect(page.locator("main")).to_contain_text("TrackStat paused it by itself")
    walk.look("paused drip")
    page.get_by_role("button", name="Stop", exact=True).click()
    asked = page.get_by_role("dialog", name="Stop this campaign?")
    expect(asked).to_contain_text("0 sent, 0 will not be sent")
    asked.get_by_role("button", name="Stop campaign").click()
    expect(page.locator("main")).to_contain_text("It cannot be switched on again")
    walk.look("stopped drip")
    assert walk.said == []


def _drip(office) -> None:
    with office.data():
        campaign = drafts.create(Campaign.Kind.DRIP, "Birthdays", None, trigger="birthday")
        drafts.save_step(campaign, "text", "", "Happy birthday!", "now", None, 0, campaign.version, None)
        moves.enable(campaign, None)
        PracticeSettings.objects.update(attested_at=None)
        [lacking] = problems_of_practice(campaign)
        moves.pause(campaign, None, why=lacking.text)
        PracticeSettings.objects.update(attested_at=now())


def _draft(office, people=PEOPLE) -> int:
    with office.data():
        campaign = drafts.create(Campaign.Kind.BLAST, "Change of mind", None)
        definition = {"primary": {"key": "last_visit", "value": LAPSED}, "filters": [BOOKED]}
        drafts.save_definition(campaign, definition, None, campaign.version, None)
        drafts.save_step(campaign, "text", "", "Hello {{PatientFirstName}}", "now", None, 0, campaign.version, None)
        assert blast.load(campaign, None) == people
        return campaign.pk


def _accepted_at_least(office, n):
    until(lambda: len(office.ledger("sms.accepted")) >= n, 90, f"{n} texts at the carrier")


def _settled(office) -> int:
    """How many the carrier has once nothing is on its way to it any more."""

    def at_rest():
        with office.data():
            return not Message.objects.filter(state=Message.State.SENDING).exists()

    until(at_rest, 90, "what is on its way to arrive")
    return len(office.ledger("sms.accepted"))
