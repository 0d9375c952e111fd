"""Staff send an email; it arrives with everything the law wants in it, and one click ends it."""

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import PASSWORD
from tests.journeys.walk import WORK

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

BODY = "Dear {{PatientFirstName|friend}},\n\nwe are closed from 24 to 26 December."


def test_an_email_blast_to_unsubscribe(walk, office, stack):
    patients = office.fill(4)
    ana = patients[0]
    page = walk.page
    walk.sign_in(office.email, PASSWORD)
    _prepare(walk, "Holiday hours", "Our holiday hours")
    frame = page.frame_locator("#preview iframe")
    expect(frame.locator("body")).to_contain_text("Dear Ana,")
    walk.look("message of an email")
    walk.next("review")
    expect(page.locator("main")).to_contain_text("Ready.")
    walk.look("review of an email")
    walk.switch_on()
    expect(page.locator("#campaign-state")).to_contain_text("Sent", timeout=WORK)

    stack.sandbox.settle(90)
    # Phoneless has an email address, too.
    assert len(office.ledger("email.accepted")) == 5
    [mail] = office.sandbox.mails(ana.email)
    mail = office.sandbox.mail(mail["id"])
    _carries_what_it_must(mail, office)
    page.get_by_role("link", name="Report", exact=True).first.click()
    figure = page.locator("#numbers .figure", has=page.get_by_text("Delivered", exact=True)).locator(".n")
    expect(figure).to_have_text("5", timeout=WORK)
    walk.look("report of an email")

    office.sandbox.unsubscribe(mail["id"])
    page.goto(f"/{office.practice.slug}/messages/patients/{ana.pk}/")
    expect(page.locator("main")).to_contain_text("opted out")
    walk.look("conversation")
    _prepare(walk, "Once more", "One more thing")
    walk.next("review")
    expect(page.locator(".bignumber .n").first).to_have_text("4")
    expect(page.locator("main")).to_contain_text("opted out")
    assert walk.said == []


def _prepare(walk, name, subject):
    walk.open_blasts()
    walk.add_campaign(name)
    walk.choose_lapsed()
    walk.next("message")
    walk.write("email", BODY, subject)
    expect(walk.page.locator("#preview .subject")).to_have_text(subject)


def _carries_what_it_must(mail, office):
    headers = {name.lower(): value for name, value in dict(mail["headers"]).items()}
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert headers["list-unsubscribe"].startswith("<http")
    for part in (mail["text"], mail["html"]):
        assert "Dear Ana," in part
        assert "1 Main Street" in part
        assert "/u/" in part
