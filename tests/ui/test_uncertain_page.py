"""Deciding about what may not have been sent, in a browser, at a desk and on a phone."""

import datetime as dt
import uuid

import pytest
from django.conf import settings
from django.test import Client

from messaging.models import Attempt, Message
from tests.factories import CampaignFactory, MessageFactory, PatientFactory, StepFactory, TextIdentityFactory
from tests.sandbox.conftest import a_number
from tests.ui.conftest import DESK, PHONE
from trackstat.clock import now
from trackstat.tenancy.scope import practice_scope

LIST = "/northside/reports/uncertain/"


@pytest.fixture
def world(transactional_db, people, northside):
    """Two campaigns with four uncertain texts; one of them is still being looked up."""
    with practice_scope(northside):
        line = TextIdentityFactory()
        autumn, closing = (CampaignFactory(name=n, state="sent", enabled_at=now()) for n in ("Autumn news", "Closing"))
        for campaign, first_name, looked_up, minutes in (
            (autumn, "Ana", 2, 95),
            (autumn, "Ben", 2, 94),
            (autumn, "Cleo", 0, 7),
            (closing, "Dora", 2, 300),
        ):
            step = StepFactory(campaign=campaign, position=campaign.steps.count() + 1)
            at = now() - dt.timedelta(minutes=minutes)
            message = MessageFactory(
                identity=line,
                patient=PatientFactory(first_name=first_name, cell=a_number("415")),
                campaign_id=campaign.pk,
                step_id=step.pk,
                state="unknown",
                armed_at=at,
            )
            attempt = Attempt.objects.create(
                key=uuid.uuid4(), message=message, provider="twilio", outcome="unknown", looked_up=looked_up
            )
            Attempt.objects.filter(pk=attempt.pk).update(started_at=at, http_status=500 if minutes == 95 else None)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_staff_decide_about_ticked_ones_about_one_and_about_a_campaign(
    world, people, northside, open_tab, live_server, size
):
    tab = open_tab(size)
    client = Client()
    client.force_login(people.uma)
    name = settings.SESSION_COOKIE_NAME
    tab.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    page = tab.page
    page.goto("/northside/reports/")
    page.get_by_role("link", name="Decide what happens").click()
    assert tab.violations() == [] and tab.wider_than_window() <= 0
    assert page.get_by_text("We are asking the carrier; you can decide from about").count() == 1

    page.get_by_role("checkbox", name="Ana").check()
    page.get_by_role("checkbox", name="Dora").check()
    page.get_by_role("button", name="Resend").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("may get it twice").wait_for()
    assert "Resend 2 texts?" in dialog.inner_text()
    assert tab.violations() == [] and tab.wider_than_window() <= 0
    dialog.get_by_role("button", name="Decide later").click()
    with practice_scope(northside):
        assert Message.objects.filter(state="unknown").count() == 4

    page.get_by_role("row", name="Dora").get_by_role("link", name="Resend").click()
    page.get_by_role("dialog").get_by_role("button", name="Resend 1 text").click()
    page.get_by_text("1 message will be sent again").wait_for()
    page.get_by_role("link", name="Leave all 2").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave 2 texts").click()
    page.get_by_text("2 messages left as they are").wait_for()
    page.get_by_role("link", name="Left").click()
    page.get_by_text("by Uma.").first.wait_for()
    assert tab.violations() == [] and tab.wider_than_window() <= 0
    with practice_scope(northside):
        assert sorted(Message.objects.values_list("state", flat=True)) == ["pending", "unknown", "unknown", "unknown"]
        assert Message.objects.filter(left_at__isnull=False).count() == 2
    assert tab.said == []
