"""A scheduled blast's time comes: who newly matches is added where that was chosen (A14)."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from audience.models import Patient
from campaigns import blast, drafts, engine, moves
from campaigns.models import AudienceRemoval
from messaging.models import Message
from tests.campaigns.conftest import make_blast, make_patients
from tests.factories import PatientFactory
from trackstat.tenancy.models import AuditEvent

TOMORROW = dt.datetime(2026, 11, 25, 10)  # noqa: DTZ001  (the practice's wall clock)


@pytest.fixture
def scheduled(people, in_northside, senders, clock):
    """A text to Northside's three women, tomorrow at ten, with three men who are none of its business."""
    clock.at(dt.datetime(2026, 11, 24, 10, tzinfo=ZoneInfo("America/New_York")))
    make_patients()
    return make_blast(people.uma, when="at", at_local=TOMORROW)


def _launch(campaign, people, keep_fresh):
    drafts.save_freshness(campaign, keep_fresh, campaign.version, people.uma)
    blast.load(campaign, people.uma)
    moves.enable(campaign, people.uma)


def _time_comes(campaign, clock):
    clock.at(TOMORROW.replace(tzinfo=ZoneInfo("America/New_York")))
    written = engine.work(campaign.practice_id)
    campaign.refresh_from_db()
    return written


def test_who_newly_matches_is_added_when_the_time_comes(scheduled, people, clock):
    _launch(scheduled, people, keep_fresh=True)
    PatientFactory(first_name="Late")
    assert _time_comes(scheduled, clock) == 4
    assert Message.objects.filter(patient__first_name="Late").exists()
    assert scheduled.freshened == "1 more patient came to match until its time came and gets it, too."
    assert AuditEvent.objects.get(action="campaign.freshened").detail == {"added": 1}
    assert engine.work(scheduled.practice_id) == 0


def test_without_the_choice_nobody_is_added(scheduled, people, clock):
    _launch(scheduled, people, keep_fresh=False)
    PatientFactory(first_name="Late")
    assert _time_comes(scheduled, clock) == 3
    assert scheduled.freshened == ""


def test_who_was_removed_by_hand_and_who_no_longer_matches_stay_out_of_a_fresh_one(scheduled, people, clock):
    blast.load(scheduled, people.uma)
    blast.remove(scheduled, Patient.objects.get(first_name="Ana0"), people.uma)
    _launch(scheduled, people, keep_fresh=True)
    Patient.objects.filter(first_name="Ana1").update(sex="male")
    PatientFactory(first_name="Late")
    assert _time_comes(scheduled, clock) == 2
    assert set(Message.objects.values_list("patient__first_name", flat=True)) == {"Ana2", "Late"}
    assert AudienceRemoval.objects.count() == 1


def test_nobody_is_added_where_that_would_be_the_whole_practice_and_the_page_says_so(scheduled, people, clock):
    _launch(scheduled, people, keep_fresh=True)
    for n in range(10):
        PatientFactory(first_name=f"Late{n}")
    assert _time_comes(scheduled, clock) == 3
    assert "10 more patients came to match" in scheduled.freshened
    assert "cannot go to the whole practice" in scheduled.freshened
    client = Client()
    client.force_login(people.uma)
    assert "were not added" in client.get(f"/northside/campaigns/blasts/{scheduled.pk}/review/").text


def test_the_review_asks_and_says_in_plain_words(scheduled, people):
    client = Client()
    client.force_login(people.uma)
    blast.load(scheduled, people.uma)
    review = f"/northside/campaigns/blasts/{scheduled.pk}/review/"
    assert "It goes to nobody but the patients loaded." in client.get(review).text
    client.post(f"/northside/campaigns/blasts/{scheduled.pk}/freshness/", {"keep_fresh": "1"})
    assert "who matches by then is added" in client.get(review).text
    scheduled.refresh_from_db()
    assert scheduled.keep_fresh and not scheduled.is_stale


def test_one_that_goes_out_now_has_nothing_to_keep_fresh(people, draft):
    client = Client()
    client.force_login(people.uma)
    blast.load(draft, people.uma)
    assert "come to match before then" not in client.get(f"/northside/campaigns/blasts/{draft.pk}/review/").text
