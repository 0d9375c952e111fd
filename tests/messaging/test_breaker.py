"""A sender with too many uncertain hand-overs rests, once for the same ones, and is then probed with one message."""

import datetime as dt
import threading
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audience.models import ContactPoint
from messaging.breaker import trip_if_unclear
from messaging.models import Attempt, Message, SendingIdentity
from tests.factories import ContentFactory, MessageFactory, PatientFactory, TextIdentityFactory
from trackstat.clock import now
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def line(in_northside):
    return TextIdentityFactory()


def hand_over(identity, n, state="sent", ago=60):
    """That many hand-overs of the identity, in the practice in scope."""
    patient, content, at = PatientFactory(), ContentFactory(), now() - dt.timedelta(seconds=ago)
    point = ContactPoint.objects.get(channel="text", address=patient.cell)
    messages = [
        MessageFactory.build(
            patient=patient,
            identity=identity,
            content=content,
            contact_point=point,
            state=state,
            armed_at=at,
        )
        for _ in range(n)
    ]
    Message.objects.bulk_create(messages)
    outcome = "unknown" if state == "unknown" else "accepted"
    Attempt.objects.bulk_create(
        Attempt(key=uuid.uuid4(), message=message, provider="twilio", outcome=outcome, started_at=at)
        for message in messages
    )


def paused(identity):
    return SendingIdentity.objects.get(pk=identity.pk).paused_until


def test_four_are_never_too_many_five_are_when_they_are_more_than_half_a_percent(line):
    hand_over(line, 4, "unknown")
    assert not trip_if_unclear(line.pk)
    hand_over(line, 1, "unknown")
    assert trip_if_unclear(line.pk)
    rests = SendingIdentity.objects.get(pk=line.pk)
    assert dt.timedelta(seconds=299) < rests.paused_until - now() <= dt.timedelta(seconds=300)
    assert rests.paused_reason == (
        "For 5 of the last 5 messages (100 %) there was no clear answer. Sending rests for a while, then one message is"
        " tried."
    )


def test_exactly_half_a_percent_is_not_too_much(line):
    hand_over(line, 995)
    hand_over(line, 5, "unknown")
    assert not trip_if_unclear(line.pk)
    Message.objects.filter(state="sent").first().delete()
    assert trip_if_unclear(line.pk)


def test_more_than_twenty_five_are_too_many_whatever_the_share(line, settings):
    settings.BREAKER_SHARE = 1
    hand_over(line, 25, "unknown")
    assert not trip_if_unclear(line.pk)
    hand_over(line, 1, "unknown")
    assert trip_if_unclear(line.pk)


def test_what_is_older_than_five_minutes_or_of_another_sender_does_not_count(line):
    hand_over(line, 9, "unknown", ago=301)
    hand_over(TextIdentityFactory(), 9, "unknown")
    assert not trip_if_unclear(line.pk)
    assert paused(line) is None


def test_what_was_settled_meanwhile_does_not_count(line):
    hand_over(line, 9, "unknown")
    Message.objects.update(state="delivered")
    assert not trip_if_unclear(line.pk)


def test_after_a_probe_went_well_the_same_ones_do_not_count_again(line):
    hand_over(line, 30, "unknown")
    assert trip_if_unclear(line.pk)
    until = paused(line)
    assert not trip_if_unclear(line.pk), "asked again while it rests"
    assert paused(line) == until
    SendingIdentity.objects.update(paused_until=None, paused_reason="")
    hand_over(line, 4, "unknown")
    assert not trip_if_unclear(line.pk)
    hand_over(line, 1, "unknown")
    assert trip_if_unclear(line.pk)


def test_a_longer_pause_stays_and_gets_the_newer_reason(line):
    later = now() + dt.timedelta(hours=1)
    SendingIdentity.objects.update(paused_until=later, paused_reason="The account is suspended.")
    hand_over(line, 5, "unknown")
    assert trip_if_unclear(line.pk)
    assert paused(line) == later


def test_a_healthy_sender_costs_one_statement(line):
    hand_over(line, 40)
    with CaptureQueriesContext(connection) as statements:
        assert not trip_if_unclear(line.pk)
    assert len(statements) == 1


def test_another_practices_sender_is_not_touched(line, southside):
    hand_over(line, 9, "unknown")
    with practice_scope(southside):
        assert not trip_if_unclear(line.pk)
    assert paused(line) is None


def test_two_that_find_it_at_the_same_moment_pause_it_for_the_same_time(transactional_db, northside):
    with practice_scope(northside):
        line = TextIdentityFactory()
        hand_over(line, 9, "unknown")
    gate, found = threading.Barrier(2), []

    def look():
        gate.wait()
        try:
            with practice_scope(northside):
                found.append(trip_if_unclear(line.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert True in found and len(found) == 2
    with practice_scope(northside):
        assert paused(line) - now() <= dt.timedelta(seconds=300)
        assert not trip_if_unclear(line.pk)


def test_the_sender_that_rests_is_probed_with_one_message_and_goes_on(text_line, due, run, northside, clock, sandbox):
    due(text_line, 3)
    with practice_scope(northside):
        hand_over(text_line, 5, "unknown")
        assert trip_if_unclear(text_line.pk)
    run(text_line)
    with practice_scope(northside):
        assert Message.objects.filter(state="pending").count() == 3
        SendingIdentity.objects.update(paused_until=now() - dt.timedelta(seconds=1))
    run(text_line)
    with practice_scope(northside):
        assert not Message.objects.filter(state="pending").exists()
        assert (paused(text_line), trip_if_unclear(text_line.pk)) == (None, False)
