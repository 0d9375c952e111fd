"""A campaign pauses itself when too much of what it sent went wrong, and counts afresh when somebody resumes it."""

import datetime as dt
import uuid

import pytest

from audience.models import ContactPoint
from campaigns import blast, brake, engine, moves
from campaigns.models import Campaign
from campaigns.tasks import tick
from messaging.models import Hold, Message
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
from trackstat.clock import now
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope


def live(kind="blast", channel="text", state="sending", **fields):
    """A live campaign with one message that still waits, in the practice in scope."""
    campaign = CampaignFactory(
        kind=kind, state=state, enabled_at=now() - dt.timedelta(days=30), name="Autumn news", **fields
    )
    step = StepFactory(campaign=campaign, channel=channel, content=ContentFactory(channel=channel, subject="News"))
    campaign.identity = TextIdentityFactory() if channel == "text" else EmailIdentityFactory()
    waiting = MessageFactory(
        channel=channel, identity=campaign.identity, campaign_id=campaign.pk, step_id=step.pk, content=step.content
    )
    campaign.like = waiting
    return campaign


def handed_over(campaign, n, state="delivered", ago=dt.timedelta(minutes=5), **fields):
    """That many of its messages, each to a patient of its own where it matters."""
    like = campaign.like
    patients = [PatientFactory() for _ in range(n)] if "unsubscribed_at" in fields else [like.patient] * n
    Message.objects.bulk_create(
        Message(
            channel=like.channel,
            category=like.category,
            patient=patient,
            contact_point=ContactPoint.objects.get(channel=like.channel, address=patient.address_for(like.channel)),
            identity=campaign.identity,
            content=like.content,
            campaign_id=campaign.pk,
            step_id=like.step_id,
            state=state,
            due_at=now(),
            next_at=now(),
            not_after=now(),
            armed_at=now() - ago,
            **fields,
        )
        for patient in patients
    )


def why(campaign):
    campaign.refresh_from_db()
    return campaign.paused_reason


def test_more_than_a_tenth_of_errors_pauses_it_and_says_so_in_numbers(in_northside):
    campaign = live()
    handed_over(campaign, 68)
    handed_over(campaign, 7, "undelivered", error_code="30003")
    handed_over(campaign, 5, "failed", error_code="21612")
    assert brake.look(campaign)
    assert (campaign.state, campaign.paused_from) == ("paused", "sending")
    assert why(campaign) == ("12 of 80 texts failed (15 %). Look at the report for the reasons before you resume.")
    assert Hold.objects.get().campaign_id == campaign.pk
    event = AuditEvent.objects.get(action="campaign.paused")
    assert (event.user, event.detail) == (None, {"why": campaign.paused_reason})
    assert not brake.look(campaign), "once"
    assert AuditEvent.objects.filter(action="campaign.paused").count() == 1


def test_exactly_a_tenth_is_not_too_much(in_northside):
    campaign = live()
    handed_over(campaign, 54)
    handed_over(campaign, 6, "failed")
    assert not brake.look(campaign)
    Message.objects.filter(state="delivered").first().delete()
    assert brake.look(campaign)
    assert why(campaign).startswith("6 of 59 texts failed (10.2 %).")


def test_forty_nine_hand_overs_say_too_little_fifty_do_not(in_northside):
    campaign = live()
    handed_over(campaign, 49, "failed")
    assert not brake.look(campaign)
    handed_over(campaign, 1, "unknown")
    assert brake.look(campaign)
    assert why(campaign).startswith("49 of 50 texts failed (98 %).")


def test_what_was_not_handed_over_is_neither_an_error_nor_a_hand_over(in_northside):
    campaign = live()
    handed_over(campaign, 49, "failed")
    handed_over(campaign, 30, "aborted", reason="opted_out")
    handed_over(campaign, 30, "cancelled")
    assert not brake.look(campaign)


def test_opt_outs_over_two_in_a_hundred_pause_it(in_northside):
    campaign = live()
    handed_over(campaign, 98)
    handed_over(campaign, 2, unsubscribed_at=now())
    assert not brake.look(campaign), "exactly two of a hundred"
    handed_over(campaign, 1, unsubscribed_at=now())
    assert brake.look(campaign)
    assert why(campaign).startswith("3 patients opted out after 101 texts (3 %).")


def test_one_patient_who_opts_out_of_two_messages_is_one(in_northside):
    campaign = live()
    handed_over(campaign, 50)
    handed_over(campaign, 1, unsubscribed_at=now())
    twice = Message.objects.get(unsubscribed_at__isnull=False)
    twice.pk, twice.token = None, "another-token"
    twice.save()
    assert not brake.look(campaign)


def test_complaints_about_an_email_are_opt_outs(in_northside):
    campaign = live(channel="email")
    handed_over(campaign, 58)
    Message.objects.filter(pk__in=Message.objects.filter(state="delivered")[:1]).update(complained_at=now())
    handed_over(campaign, 2, unsubscribed_at=now())
    assert brake.look(campaign)
    assert why(campaign).startswith("3 patients opted out after 60 emails (5 %).")


def test_what_carriers_take_for_spam_pauses_it_long_before_other_errors(in_northside):
    campaign = live()
    handed_over(campaign, 97)
    handed_over(campaign, 2, "undelivered", error_code="30007")
    handed_over(campaign, 1, "undelivered", error_code="30003")
    assert not brake.look(campaign)
    handed_over(campaign, 1, "undelivered", error_code="30007")
    assert brake.look(campaign)
    assert why(campaign).startswith("Carriers took 3 of 101 texts for spam (3 %).")


def test_everything_that_is_too_much_is_said(in_northside):
    campaign = live()
    handed_over(campaign, 40)
    handed_over(campaign, 10, "undelivered", error_code="30007")
    handed_over(campaign, 10, unsubscribed_at=now())
    assert brake.look(campaign)
    assert why(campaign) == (
        "10 of 60 texts failed (16.7 %). 10 patients opted out after 60 texts (16.7 %)."
        " Carriers took 10 of 60 texts for spam (16.7 %). Look at the report for the reasons before you resume."
    )


def test_resumed_by_staff_it_counts_afresh(in_northside, people, clock):
    campaign = live()
    handed_over(campaign, 60, "failed")
    assert brake.look(campaign)
    assert moves.resume(campaign, people.uma)
    assert campaign.paused_reason == ""
    assert not brake.look(campaign)
    late = -dt.timedelta(seconds=1)
    handed_over(campaign, 49, "failed", ago=late)
    assert not brake.look(campaign)
    handed_over(campaign, 1, ago=late)
    assert brake.look(campaign)
    assert why(campaign).startswith("49 of 50 texts failed (98 %).")


def test_switched_on_again_a_drip_counts_afresh(in_northside, people):
    campaign = live("drip", state="enabled", trigger="birthday")
    handed_over(campaign, 60, "failed")
    AuditEvent.objects.create(action="campaign.enabled", object_type="campaigns.campaign", object_id=campaign.pk)
    assert not brake.look(campaign)


def test_of_a_drip_only_the_last_seven_days_count(in_northside):
    campaign = live("drip", state="enabled", trigger="birthday")
    handed_over(campaign, 60, "failed", ago=dt.timedelta(days=7, minutes=1))
    assert not brake.look(campaign)
    handed_over(campaign, 60, "failed", ago=dt.timedelta(days=6, hours=23))
    assert brake.look(campaign)


def test_a_blast_counts_from_its_beginning(in_northside):
    campaign = live()
    handed_over(campaign, 60, "failed", ago=dt.timedelta(days=20))
    assert brake.look(campaign)


def test_a_blast_of_which_nothing_is_left_is_not_paused(in_northside):
    campaign = live()
    handed_over(campaign, 60, "failed")
    Message.objects.filter(state="pending").delete()
    assert not brake.look(campaign)
    EnrollmentFactory(campaign=campaign)
    assert brake.look(campaign)


@pytest.mark.parametrize("state", ["draft", "paused", "stopped", "sent"])
def test_only_a_live_campaign_is_looked_at(in_northside, state):
    campaign = live(state=state)
    handed_over(campaign, 60, "failed")
    assert not brake.look(campaign)
    assert AuditEvent.objects.count() == 0


def test_the_engine_brakes_before_it_writes_more(northside, people, draft):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    draft.identity = draft.like = None
    engine.work(northside.pk)
    draft.refresh_from_db()
    draft.like = Message.objects.select_related("identity", "patient", "content").first()
    draft.identity = draft.like.identity
    handed_over(draft, 60, "failed", ago=dt.timedelta())
    EnrollmentFactory(campaign=draft)
    assert engine.work(northside.pk) == 0
    draft.refresh_from_db()
    assert draft.state == Campaign.State.PAUSED


def test_the_tick_wakes_a_practice_whose_drip_has_something_waiting(in_northside, monkeypatch):
    campaign = live("drip", state="enabled", trigger="birthday", next_check_at=now() + dt.timedelta(days=1))
    monkeypatch.setattr("campaigns.tasks.ring", lambda *args: None)
    assert tick() == [campaign.practice_id]
    Message.objects.filter(state="pending").update(
        state="claimed", lease_token=uuid.uuid4(), lease_until=now() + dt.timedelta(minutes=1)
    )
    assert tick() == [campaign.practice_id]
    Message.objects.update(state="delivered", lease_token=None, lease_until=None)
    assert tick() == []


def test_another_practices_messages_do_not_count(in_northside, southside):
    campaign = live()
    handed_over(campaign, 55)
    with practice_scope(southside):
        theirs = live()
        CampaignFactory(name=CANARY)
        handed_over(theirs, 60, "failed")
        assert brake.look(theirs)
    assert not brake.look(campaign)


def test_staff_see_why_on_the_campaigns_page(client, people, in_northside):
    campaign = live()
    handed_over(campaign, 60, "failed")
    brake.look(campaign)
    client.force_login(people.mona)
    page = client.get(f"/northside/campaigns/blasts/{campaign.pk}/review/").text
    assert "TrackStat paused it by itself: 60 of 60 texts failed (100 %)." in page
    assert "Open settings" not in page
