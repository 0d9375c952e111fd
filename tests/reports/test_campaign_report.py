import itertools
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign, Enrollment
from messaging.models import Attempt, Message
from reports.numbers import FLAGS, PARTS, count
from reports.people import People
from tests.cast import CANARY
from tests.factories import (
    CampaignFactory,
    ContentFactory,
    EmailIdentityFactory,
    EnrollmentFactory,
    MessageFactory,
    PatientFactory,
    StepFactory,
    TextIdentityFactory,
)
from tests.messaging.knocking import sid, tell_status
from trackstat.clock import now
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope

_names = itertools.count(1)


@pytest.fixture
def fred(client, people, in_northside):
    client.force_login(people.fred)
    return client


def _blast(channel="text", **fields):
    fields = {"state": Campaign.State.SENT, "enabled_at": now()} | fields
    campaign = CampaignFactory(**fields)
    step = StepFactory(campaign=campaign, channel=channel, content=ContentFactory(channel=channel, subject="News"))
    step.identity = TextIdentityFactory() if channel == "text" else EmailIdentityFactory()
    return campaign, step


def _recipient(campaign, step, **fields):
    """A recipient whose message stands as given; no fields: none is made yet."""
    patient = PatientFactory(first_name=f"Pat{next(_names)}")
    enrollment = EnrollmentFactory(campaign=campaign, patient=patient)
    if fields:
        if fields["state"] in ("sent", "delivered", "undelivered", "unknown"):
            fields = {"armed_at": now(), "sent_at": now()} | fields
        MessageFactory(
            patient=patient,
            channel=step.channel,
            identity=step.identity,
            campaign_id=campaign.pk,
            step_id=step.pk,
            enrollment_id=enrollment.pk,
            **fields,
        )
    return enrollment


def _a_bit_of_everything(campaign, step):
    for fields in (
        {"state": "delivered"},
        {"state": "delivered", "unsubscribed_at": now()},
        {"state": "delivered", "replied_at": now()},
        {"state": "delivered", "opened_at": now()},
        {"state": "delivered", "bounced_at": now(), "error_code": ""},
        {"state": "undelivered", "bounced_at": now(), "error_code": "hard_bounce"},
        {"state": "undelivered", "error_code": "30005"},
        {"state": "undelivered", "error_code": "30005"},
        {"state": "failed", "error_code": "30007"},
        {"state": "sent"},
        {"state": "unknown"},
        {"state": "aborted", "reason": "opted_out"},
        {"state": "aborted", "reason": "landline"},
        {"state": "cancelled"},
        {"state": "pending"},
    ):
        _recipient(campaign, step, **fields)
    _recipient(campaign, step)
    stopped = _recipient(campaign, step)
    Enrollment.objects.filter(pk=stopped.pk).update(state="stopped", reason="no_longer_matches")


def _path(campaign, more=""):
    return f"/northside/reports/campaigns/{campaign.pk}/{more}"


def _figures(page):
    found = re.findall(r'<span class="label">([^<]+)</span><span class="n">([\d,]+)</span>', page)
    return {label: int(n.replace(",", "")) for label, n in found}


def test_every_recipient_is_in_exactly_one_part_and_the_parts_add_up(in_northside):
    campaign, step = _blast()
    _a_bit_of_everything(campaign, step)
    numbers = count([campaign.pk])[campaign.pk]
    assert {part: numbers[part] for part in PARTS} == {
        "delivered": 4,
        "on_the_way": 1,
        "errors": 5,
        "unknown": 1,
        "waiting": 2,
        "not_sent": 4,
    }
    assert numbers["recipients"] == Enrollment.objects.filter(campaign=campaign).count() == 17
    assert {flag: numbers[flag] for flag in FLAGS} == {"opened": 1, "bounced": 2, "unsubscribed": 1, "replied": 1}


def test_each_number_is_as_long_as_the_list_behind_it(in_northside):
    campaign, step = _blast("email")
    _a_bit_of_everything(campaign, step)
    other, other_step = _blast()
    _a_bit_of_everything(other, other_step)
    numbers = count([campaign.pk])[campaign.pk]
    for name in ("recipients", *PARTS, *FLAGS):
        listed = People(campaign.pk, step.pk, name)
        assert listed.count() == numbers[name] == len(listed[0:100]), name
    for part in ("errors", "not_sent"):
        causes = numbers.causes(part)
        assert sum(cause.n for cause in causes) == numbers[part]
        for cause in causes:
            if cause.reason or cause.error_code:
                people = People(campaign.pk, step.pk, part, cause.reason, cause.error_code)
                assert people.count() == cause.n


def test_the_page_shows_the_numbers_of_a_text_with_failures_in_words(fred):
    campaign, step = _blast()
    _a_bit_of_everything(campaign, step)
    page = fred.get(_path(campaign)).content.decode()
    figures = _figures(page)
    assert figures["Total recipients"] == 17
    assert figures["Delivered"] == 4
    assert figures["Errors"] == 5
    assert figures["Unsubscribed"] == 1
    assert "23.5 %" in page
    assert "The number is no longer in service." in page
    assert "Ask for a new number." in page
    assert "The patient has opted out." in page
    assert AuditEvent.objects.filter(action="report.viewed", object_id=campaign.pk).exists()


def test_an_email_also_shows_opened_and_bounced(fred):
    campaign, step = _blast("email")
    _a_bit_of_everything(campaign, step)
    figures = _figures(fred.get(_path(campaign)).content.decode())
    assert (figures["Opened"], figures["Bounced"]) == (1, 2)


def test_a_number_opens_the_patients_behind_it(fred):
    campaign, step = _blast()
    reached = _recipient(campaign, step, state="delivered").patient.first_name
    failed = _recipient(campaign, step, state="undelivered", error_code="30006").patient.first_name
    delivered = fred.get(_path(campaign, "?show=delivered")).content.decode()
    assert reached in delivered
    assert failed not in delivered
    errors = fred.get(_path(campaign, "?show=errors&code=30006")).content.decode()
    assert failed in errors
    assert "The number is a landline." in errors
    assert reached not in errors
    assert reached in fred.get(_path(campaign, f"?q={reached}")).content.decode()
    assert fred.get(_path(campaign, "?show=nonsense&step=99&page=x")).status_code == 200


def test_a_report_counts_messages_that_are_not_made_yet_and_is_live_while_they_wait(fred):
    campaign, step = _blast(state=Campaign.State.SENDING)
    for _ in range(3):
        _recipient(campaign, step)
    _recipient(campaign, step, state="delivered")
    page = fred.get(_path(campaign)).content.decode()
    assert _figures(page)["Total recipients"] == 4
    assert "1 of 4" in page
    assert 'hx-trigger="every 3s"' in page
    part = fred.get(_path(campaign, "?live=1"), headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert _figures(part.content.decode())["Total recipients"] == 4
    assert b"<html" not in part.content


def test_a_finished_report_stops_looking_again(fred):
    campaign, step = _blast()
    _recipient(campaign, step, state="delivered", armed_at="2026-01-01T12:00Z")
    assert 'hx-trigger="every 3s"' not in fred.get(_path(campaign)).content.decode()


def test_a_delivery_report_changes_the_numbers_at_once(fred, settings):
    settings.TWILIO_API_URL = "http://127.0.0.1:9"
    campaign, step = _blast(state=Campaign.State.SENDING)
    _recipient(campaign, step, state="sent")
    message = Message.objects.get()
    attempt = Attempt.objects.create(
        key="6f1c6f0e-7a36-4f0a-9a57-8f5c6f6f7a01", message=message, provider="twilio", outcome="accepted"
    )
    assert _figures(fred.get(_path(campaign)).content.decode())["Delivered"] == 0
    tell_status(attempt, "delivered", sid())
    assert _figures(fred.get(_path(campaign)).content.decode())["Delivered"] == 1


def test_each_message_of_a_campaign_has_numbers_of_its_own(fred):
    campaign, first = _blast()
    second = StepFactory(campaign=campaign, position=2, channel="email", content=ContentFactory(channel="email"))
    second.identity = EmailIdentityFactory()
    enrollment = _recipient(campaign, first, state="delivered")
    MessageFactory(
        patient=enrollment.patient,
        channel="email",
        identity=second.identity,
        campaign_id=campaign.pk,
        step_id=second.pk,
        enrollment_id=enrollment.pk,
        state="undelivered",
        error_code="hard_bounce",
        bounced_at=now(),
    )
    assert _figures(fred.get(_path(campaign)).content.decode())["Delivered"] == 1
    other = _figures(fred.get(_path(campaign, "?step=2")).content.decode())
    assert (other["Total recipients"], other["Delivered"], other["Bounced"]) == (1, 0, 1)


def test_the_index_lists_campaigns_that_were_switched_on_with_their_numbers(fred):
    campaign, step = _blast(name="Autumn news")
    _a_bit_of_everything(campaign, step)
    CampaignFactory(name="Only a draft")
    page = fred.get("/northside/reports/").content.decode()
    assert "Autumn news" in page
    assert "23.5 %" in page
    assert "Only a draft" not in page
    assert "Autumn news" not in fred.get("/northside/reports/?q=spring").content.decode()


def test_a_drip_that_is_off_again_and_a_deleted_blast_keep_their_reports(fred):
    drip, step = _blast(kind="drip", trigger="birthday", state=Campaign.State.DRAFT, enabled_at=None, name="Birthdays")
    _recipient(drip, step, state="delivered")
    deleted, step = _blast(name="Gone from the list", archived_at=now())
    _recipient(deleted, step, state="delivered")
    CampaignFactory(name="Never switched on")
    page = fred.get("/northside/reports/").text
    assert "Birthdays" in page and "Gone from the list" in page
    assert "Never switched on" not in page
    assert fred.get(f"/northside/reports/campaigns/{deleted.pk}/").status_code == 200


def test_the_pages_need_as_many_statements_for_many_as_for_few(fred):
    def _counted(path):
        with CaptureQueriesContext(connection) as counted:
            assert fred.get(path).status_code == 200
        return len(counted)

    campaign, step = _blast()
    _recipient(campaign, step, state="delivered")
    fred.get(_path(campaign))
    few = _counted("/northside/reports/"), _counted(_path(campaign))
    for _ in range(10):
        another, its_step = _blast()
        _recipient(another, its_step, state="delivered")
        _recipient(campaign, step, state="delivered")
    assert (_counted("/northside/reports/"), _counted(_path(campaign))) == few


def test_another_practices_report_is_not_found_and_nothing_of_it_is_shown(fred, southside):
    with practice_scope(southside):
        theirs, their_step = _blast(name=CANARY)
        _recipient(theirs, their_step, state="delivered")
    assert fred.get(_path(theirs)).status_code == 404
    assert fred.get("/northside/reports/campaigns/999999/").status_code == 404
    assert CANARY not in fred.get("/northside/reports/").content.decode()


def test_a_role_without_reports_is_refused(fred, people):
    people.fred.memberships.get().role.granted.filter(permission__codename="view_report").delete()
    campaign, _ = _blast()
    assert fred.get("/northside/reports/").status_code == 403
    assert fred.get(_path(campaign)).status_code == 403
