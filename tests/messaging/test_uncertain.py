"""What may not have been sent: listed for staff, decided once for what they saw, and settled by late reports."""

import datetime as dt
import threading
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audience.models import Channel
from campaigns import moves
from campaigns.models import Campaign
from messaging import uncertain
from messaging.models import Attempt, Message
from messaging.withdraw import withdraw
from tests.cast import CANARY
from tests.factories import CampaignFactory, MessageFactory, PatientFactory, StepFactory, TextIdentityFactory
from tests.messaging.knocking import sid, tell_status
from tests.sandbox.conftest import a_number
from trackstat.clock import now
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope

LONG_AGO = dt.timedelta(hours=5)
LIST = "/northside/reports/uncertain/"
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def unclear(identity=None, campaign=None, looked_up=2, ago=LONG_AGO, **fields):
    """A text whose hand-over had no clear answer, in the practice in scope."""
    campaign = campaign or CampaignFactory(state=Campaign.State.SENT)
    step = campaign.steps.first() or StepFactory(campaign=campaign)
    patient = fields.pop("patient", None) or PatientFactory(cell=a_number("415"))
    message = MessageFactory(
        identity=identity or TextIdentityFactory(),
        patient=patient,
        campaign_id=campaign.pk,
        step_id=step.pk,
        state="unknown",
        armed_at=now() - ago,
        not_after=now() - ago + dt.timedelta(hours=1),
        **fields,
    )
    attempt = Attempt.objects.create(
        key=uuid.uuid4(), message=message, provider="twilio", outcome="unknown", looked_up=looked_up
    )
    Attempt.objects.filter(pk=attempt.pk).update(started_at=now() - ago, finished_at=now() - ago)
    return message


@pytest.fixture
def uma(client, people, in_northside, settings):
    settings.TWILIO_API_URL = "http://127.0.0.1:9"
    client.force_login(people.uma)
    return client


def press(client, verb, *messages, seen=None, **more):
    ids = ",".join(str(message.pk) for message in messages)
    return client.post(f"{LIST}{verb}/", {"messages": ids, "seen": (seen or now()).isoformat()} | more)


def again(message):
    return Message.objects.get(pk=message.pk)


def test_the_list_names_patient_campaign_and_what_is_known(uma):
    campaign = CampaignFactory(name="Autumn news", state="sent")
    message = unclear(campaign=campaign, patient=PatientFactory(first_name="Zoe", last_name="Young"))
    Attempt.objects.update(http_status=500, error_code="500")
    page = uma.get(LIST).text
    assert "Zoe Young" in page and "Autumn news" in page
    assert "The carrier answered with an error (500), so it may or may not have taken it." in page
    assert "The carrier does not list it." in page
    assert f'value="{message.pk}"' in page
    assert f'href="{LIST}ask/?what=resend&amp;message={message.pk}"' in page
    assert AuditEvent.objects.filter(action="uncertain.viewed").exists()


def test_an_empty_list_says_that_there_is_nothing_to_decide(uma):
    assert "Every message handed over has a clear answer." in uma.get(LIST).text
    assert "Nothing was left." in uma.get(LIST + "?view=left").text


def test_what_is_still_being_looked_up_says_from_when_it_can_be_decided(uma, clock):
    clock.at(dt.datetime(2026, 11, 24, 19, 2, 30, tzinfo=dt.UTC))
    message = unclear(looked_up=1, ago=dt.timedelta(minutes=6))
    Attempt.objects.update(looked_up_at=now() - dt.timedelta(minutes=1))
    page = uma.get(LIST).text
    # The last look is ten minutes after the one before: 2:11:30 PM in New York.
    assert "We are asking the carrier; you can decide from about 2:15 PM." in page
    assert 'name="message"' not in page and "Resend" not in page.split('class="table')[1].split("</table>")[0]
    assert uncertain.count() == 0 and uncertain.count_of_campaign(message.campaign_id) == 1
    press(uma, "resend", message)
    press(uma, "leave", message)
    assert (again(message).state, again(message).left_at) == ("unknown", None)


def test_a_provider_that_could_not_be_asked_for_long_leaves_the_decision_to_staff(uma):
    unclear(looked_up=0, ago=dt.timedelta(minutes=54))
    assert uncertain.count() == 0
    Attempt.objects.update(started_at=now() - dt.timedelta(minutes=56))
    assert uncertain.count() == 1
    assert "The carrier could not be asked about it." in uma.get(LIST).text


def test_resend_puts_it_back_to_waiting_with_a_day_of_time_and_keeps_what_was(uma, people):
    message = unclear()
    answer = press(uma, "resend", message)
    assert answer.headers["Location"] == LIST
    moved = again(message)
    assert (moved.state, moved.resent_by, moved.left_at) == ("pending", people.uma, None)
    assert moved.next_at <= now() and moved.resent_at is not None
    assert moved.not_after - now() >= dt.timedelta(hours=23, minutes=59)
    assert moved.attempts.get().outcome == "unknown"
    event = AuditEvent.objects.get(action="messages.resent")
    assert (event.user, event.detail) == (people.uma, {"messages": [message.pk]})
    assert uncertain.count() == 0


def test_a_message_with_more_time_left_keeps_it(uma):
    message = unclear()
    later = now() + dt.timedelta(days=3)
    Message.objects.update(not_after=later)
    press(uma, "resend", message)
    assert again(message).not_after == later


def test_a_second_press_an_old_tab_and_a_press_after_leaving_change_nothing(uma, people):
    message, seen = unclear(), now()
    press(uma, "resend", message, seen=seen)
    press(uma, "resend", message, seen=seen)
    assert AuditEvent.objects.filter(action="messages.resent").count() == 1
    # It went out again and that is uncertain, too: who saw only the first time cannot decide about this one.
    Message.objects.update(state="unknown", armed_at=now() + dt.timedelta(seconds=1))
    press(uma, "resend", message, seen=seen)
    press(uma, "leave", message, seen=seen)
    assert (again(message).state, again(message).left_at) == ("unknown", None)
    Message.objects.update(armed_at=seen)
    press(uma, "leave", message)
    answer = press(uma, "resend", message)
    assert again(message).state == "unknown"
    assert "had been decided or settled meanwhile" in uma.get(answer.headers["Location"]).text


def test_leave_takes_it_off_the_list_and_a_filter_shows_it(uma, people):
    message = unclear(patient=PatientFactory(first_name="Zoe", last_name="Young"))
    press(uma, "leave", message)
    left = again(message)
    assert (left.state, left.left_by) == ("unknown", people.uma)
    assert "Zoe Young" not in uma.get(LIST).text
    page = uma.get(LIST + "?view=left").text
    assert "Zoe Young" in page and "by Uma." in page
    assert AuditEvent.objects.get(action="messages.left").detail == {"messages": [message.pk]}
    press(uma, "resend", message, left="1")
    assert (again(message).state, again(message).left_at) == ("pending", None)


def test_what_would_be_stopped_on_its_way_is_not_put_back_and_staff_are_told_why(uma):
    stopped = unclear(campaign=CampaignFactory(state="stopped"))
    deleted = unclear(campaign=CampaignFactory(state="sent", archived_at=now()))
    opted_out = unclear()
    withdraw(Channel.TEXT, opted_out.to_address, "all", "reply")
    answer = press(uma, "resend", stopped, deleted, opted_out)
    assert set(Message.objects.values_list("state", flat=True)) == {"unknown"}
    told = uma.get(answer.headers["Location"]).text
    for words in ("The campaign was stopped", "The campaign was deleted", "The patient has opted out"):
        assert f"1 message not sent again. {words}." in told


def test_a_stop_between_the_press_and_the_hand_over_aborts_it(uma):
    message = unclear()
    press(uma, "resend", message)
    withdraw(Channel.TEXT, message.to_address, "all", "reply")
    assert (again(message).state, again(message).reason) == ("aborted", "opted_out")


def test_stopping_the_campaign_after_the_press_takes_it_back(uma, people):
    message = unclear(campaign=CampaignFactory(state="sending"))
    press(uma, "resend", message)
    moves.stop(Campaign.objects.get(pk=message.campaign_id), people.uma)
    assert again(message).state == "cancelled"


def test_a_late_report_on_the_first_hand_over_takes_it_out_of_waiting(uma):
    message = unclear()
    press(uma, "resend", message)
    tell_status(message.attempts.get(), "delivered", sid())
    assert again(message).state == "delivered"
    assert message.attempts.get().outcome == "accepted"


def test_a_late_report_settles_what_was_left(uma):
    message = unclear()
    press(uma, "leave", message)
    tell_status(message.attempts.get(), "undelivered", sid(), "30003")
    assert (again(message).state, again(message).left_at is not None) == ("undelivered", True)
    assert not uncertain.Listing(left=True).count()


def test_what_was_settled_before_the_press_is_not_touched(uma):
    message, seen = unclear(), now()
    tell_status(message.attempts.get(), "delivered", sid())
    press(uma, "resend", message, seen=seen)
    press(uma, "leave", message, seen=seen)
    assert (again(message).state, again(message).left_at) == ("delivered", None)


def test_the_question_says_in_numbers_what_will_happen(uma):
    campaign = CampaignFactory(state="paused")
    patient = PatientFactory(cell=a_number("415"))
    texts = [unclear(campaign=campaign, patient=patient) for _ in range(2)] + [unclear(campaign=campaign)]
    unclear(campaign=campaign, looked_up=0, ago=dt.timedelta(minutes=6))
    page = uma.get(f"{LIST}ask/?what=resend&of={campaign.pk}", headers=HTMX).text
    assert "Resend 3 texts?" in page and "<html" not in page
    assert "<b>2</b> patients may get it twice" in page
    assert "They wait until the campaign is resumed" in page
    assert f'value="{",".join(str(text.pk) for text in texts)}"' in page
    page = uma.get(f"{LIST}ask/?what=leave&message={texts[0].pk}&message=999999").text
    assert "Leave 1 text?" in page and "1 patient may never get it" in page and "<html" in page
    assert "No message is ticked" in uma.get(f"{LIST}ask/?what=leave").text
    withdraw(Channel.TEXT, texts[2].to_address, "all", "reply")
    page = uma.get(f"{LIST}ask/?what=resend&of={campaign.pk}").text
    assert "Resend 2 texts?" in page and "1 × The patient has opted out" in page


def test_all_of_a_campaign_go_by_one_press(uma):
    campaign = CampaignFactory(state="sent")
    mine, other = [unclear(campaign=campaign) for _ in range(4)], unclear()
    press(uma, "resend", *mine)
    assert {again(message).state for message in mine} == {"pending"}
    assert again(other).state == "unknown"
    assert AuditEvent.objects.get(action="messages.resent").detail == {"messages": [message.pk for message in mine]}


def test_nonsense_changes_nothing(uma):
    message = unclear()
    for data in ({}, {"messages": "1;2", "seen": now().isoformat()}, {"messages": str(message.pk), "seen": "soon"}):
        assert uma.post(f"{LIST}resend/", data).status_code == 302
        assert uma.post(f"{LIST}leave/", data).status_code == 302
    assert (again(message).state, again(message).left_at) == ("unknown", None)
    assert uma.get(LIST + "?campaign=999999").status_code == 404
    assert uma.get(LIST + "?campaign=x&page=y&view=z").status_code == 200
    assert uma.get(f"{LIST}ask/?of=x&message=y").status_code == 200


def test_the_list_is_searched_narrowed_and_turned_page_by_page(uma):
    campaign, identity = CampaignFactory(name="Many", state="sent"), TextIdentityFactory()
    for _ in range(52):
        unclear(identity, campaign, patient=PatientFactory(first_name="Many", last_name="People", cell=a_number("415")))
    unclear(identity, patient=PatientFactory(first_name="Zoe", last_name="Young"))
    assert "1–50 of 53" in uma.get(LIST).text
    assert "51–53 of 53" in uma.get(LIST + "?page=2").text
    found = uma.get(LIST + "?q=zoe+y", headers=HTMX).text
    assert "Zoe Young" in found and "Many People" not in found
    narrowed = uma.get(f"{LIST}?campaign={campaign.pk}").text
    assert "1–50 of 52" in narrowed and "Zoe Young" not in narrowed
    assert "Resend all 52" in narrowed


def test_a_long_list_needs_as_many_statements_as_a_short_one(uma):
    def counted():
        with CaptureQueriesContext(connection) as statements:
            assert uma.get(LIST).status_code == 200
        return len(statements)

    unclear()
    uma.get(LIST)
    few = counted()
    for _ in range(6):
        unclear()
    assert counted() == few


def test_the_front_desk_sees_the_list_and_cannot_decide(client, people, in_northside):
    client.force_login(people.fred)
    message = unclear()
    page = client.get(LIST).text
    assert "does not list it" in page and "Resend" not in page
    for verb in ("resend", "leave"):
        assert press(client, verb, message).status_code == 403
    assert client.get(f"{LIST}ask/").status_code == 403
    assert again(message).state == "unknown"


def test_another_practices_messages_are_not_seen_and_not_touched(uma, southside):
    with practice_scope(southside):
        theirs = unclear(patient=PatientFactory(first_name=CANARY))
    assert CANARY not in uma.get(LIST).text
    assert uma.get(f"{LIST}?campaign={theirs.campaign_id}").status_code == 404
    assert "Nothing to resend" in uma.get(f"{LIST}ask/?what=resend&of={theirs.campaign_id}").text
    press(uma, "resend", theirs)
    press(uma, "leave", theirs)
    with practice_scope(southside):
        assert (again(theirs).state, again(theirs).left_at) == ("unknown", None)


def test_what_was_resent_goes_out_once(text_line, northside, people, sandbox, run):
    with practice_scope(northside):
        message = unclear(text_line)
        uncertain.resend([message.pk], now(), people.uma)
    run(text_line)
    run(text_line)
    assert len(sandbox.messages(message.to_address)) == 1
    with practice_scope(northside):
        assert again(message).state in {"sent", "delivered"}
        assert list(message.attempts.order_by("pk").values_list("outcome", flat=True)) == ["unknown", "accepted"]


def test_two_presses_at_the_same_moment_are_one(transactional_db, northside, people):
    with practice_scope(northside):
        message, seen = unclear(), now()
    results, gate = [], threading.Barrier(2)

    def press_now(person):
        gate.wait()
        try:
            with practice_scope(northside):
                results.append(uncertain.resend([message.pk], seen, person).done)
        finally:
            connection.close()

    threads = [threading.Thread(target=press_now, args=[person]) for person in (people.uma, people.mona)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 1]
    with practice_scope(northside):
        assert AuditEvent.objects.filter(action="messages.resent").count() == 1


def test_pressing_twice_in_the_browser_is_one_press(transactional_db, northside, people):
    """Through the whole request, as two clicks send it."""
    with practice_scope(northside):
        message, seen = unclear(), now()
    gate = threading.Barrier(2)

    def click():
        client = Client()
        client.force_login(people.uma)
        gate.wait()
        try:
            assert press(client, "resend", message, seen=seen).status_code == 302
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with practice_scope(northside):
        assert again(message).state == "pending"
        assert AuditEvent.objects.filter(action="messages.resent").count() == 1


def test_reports_lead_to_it_with_a_number(uma):
    campaign = CampaignFactory(state="sent", enabled_at=now())
    assert "may not have been sent" not in uma.get("/northside/reports/").text
    unclear(campaign=campaign)
    unclear(campaign=campaign, looked_up=0, ago=dt.timedelta(minutes=6))
    index = uma.get("/northside/reports/").text
    assert "1 message may not have been sent" in index and f'href="{LIST}"' in index
    report = uma.get(f"/northside/reports/campaigns/{campaign.pk}/").text
    assert "2 may not have been sent" in report and f'href="{LIST}?campaign={campaign.pk}"' in report
