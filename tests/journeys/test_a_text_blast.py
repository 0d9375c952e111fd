"""Staff send a text to a chosen group, watch it arrive, and a patient who says STOP gets no more."""

import re
from collections import Counter

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import PASSWORD
from tests.journeys.walk import WORK

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

BODY = "Hi {{PatientFirstName|there}}, it has been a while. Call us at {{PracticePhone}}."


def test_a_text_blast_from_draft_to_stop(walk, office, stack):
    ana, ben, *_others = office.fill(8)
    page = walk.page
    walk.sign_in(office.email, PASSWORD)
    walk.open_blasts()
    walk.look("no campaigns")
    walk.add_campaign("We miss you")

    walk.choose_lapsed()
    walk.count(8)
    expect(page.locator("#audience-panel")).to_contain_text("not qualified")
    page.get_by_role("button", name="Load 8 patients").click()
    expect(page.locator("#audience-panel")).to_contain_text("Loaded")
    page.get_by_role("button", name=f"Remove {ben.name}", exact=True).click()
    walk.count(7)
    removed = page.get_by_role("link", name="Removed 1")
    expect(removed).to_be_visible()
    walk.look("audience")
    removed.click()
    expect(page.get_by_role("button", name=f"Put {ben.name} back")).to_be_visible()

    walk.next("message")
    walk.write("text", BODY)
    expect(page.locator("#preview .bubble")).to_contain_text("Hi Ana, it has been a while. Call us at (617) 555-0100.")
    page.get_by_role("button", name="Next patient").click()
    expect(page.locator("#preview .bubble")).to_contain_text("Hi Cleo,")
    expect(page.get_by_role("radio", name="Now, when I switch it on")).to_be_checked()
    # The panel has learned without a new page that only a cell phone is needed now.
    expect(page.locator("#panel")).to_contain_text("The audience is out of date.")
    walk.look("message")
    page.locator("#panel").get_by_role("button", name="Load again").click()
    walk.ready()
    walk.next("review")
    # Phoneless had no place in the audience of a text; asking for email and address, too, is over.
    expect(page.locator("main")).to_contain_text("Ready.")
    walk.look("review")
    walk.switch_on()
    expect(page.locator("#campaign-state")).to_contain_text("Sent", timeout=WORK)
    walk.look("sent")

    stack.sandbox.settle(90)
    accepted = office.ledger("sms.accepted")
    assert sorted(entry["to"] for entry in accepted) == sorted(p.cell for p in [ana, *_others])
    assert all("Reply STOP" in entry["body"] for entry in accepted)
    _report_agrees(walk, office, stack, accepted)

    _stop(walk, office, ana)
    _next_blast_leaves_out(walk, ana)
    assert walk.said == []


def _report_agrees(walk, office, stack, accepted):
    page = walk.page
    final = {}
    for entry in office.ledger("sms.status"):
        final[entry["sid"]] = entry["status"]
    reached = Counter(final.values())
    page.get_by_role("link", name="Report", exact=True).first.click()
    figures = page.locator("#numbers .figures")
    expect(_figure(figures, "Total recipients")).to_have_text(str(len(accepted)))
    expect(_figure(figures, "Delivered")).to_have_text(str(reached["delivered"]), timeout=WORK)
    expect(_figure(figures, "Errors")).to_have_text(str(len(accepted) - reached["delivered"]))
    walk.look("report")


def _figure(figures, label):
    return figures.locator(".figure", has=figures.page.get_by_text(label, exact=True)).locator(".n")


def _stop(walk, office, patient):
    page = walk.page
    page.goto(f"/{office.practice.slug}/messages/patients/{patient.pk}/")
    expect(page.locator("#thread")).to_contain_text("it has been a while")
    office.sandbox.text_from(patient.cell, office.number, "STOP")
    expect(page.locator("#thread")).to_contain_text("Opted out")
    walk.look("conversation")


def _next_blast_leaves_out(walk, patient):
    page = walk.page
    walk.open_blasts()
    expect(page.get_by_role("row", name="We miss you")).to_contain_text("Sent")
    walk.look("campaigns")
    walk.add_campaign("Second try")
    walk.choose_lapsed()
    walk.next("message")
    walk.write("text", "One more time, {{PatientFirstName|there}}?")
    expect(page.locator("#preview .bubble")).to_contain_text("One more time")
    walk.next("review")
    expect(page.locator("main")).to_contain_text("opted out")
    page.locator(".steps").get_by_role("link", name="Audience").click()
    page.get_by_role("searchbox", name="Find a patient to explain").fill(patient.last_name)
    page.get_by_role("button", name=patient.last_name).click()
    expect(page.locator("#audience-found")).to_contain_text("Not in the audience")
    expect(page.locator("#audience-found")).to_contain_text(re.compile("opted out", re.IGNORECASE))
    walk.look("why")
