"""Many at once, each with a connection and transactions of its own."""

import datetime as dt
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from django.db import connection, connections

from campaigns import blast, drafts, engine, moves, tasks
from campaigns.checks import campaign_goes_on
from campaigns.models import Campaign, Enrollment
from messaging.checks import Situation, Wait, take_locks, verdicts
from messaging.claim import claim
from messaging.models import Hold, Message
from tests import cast
from tests.campaigns.conftest import make_blast, make_patients
from tests.factories import CampaignFactory, EmailIdentityFactory, PatientFactory, StepFactory, TextIdentityFactory
from trackstat.clock import now
from trackstat.tenancy.models import AuditEvent, PracticeSettings
from trackstat.tenancy.scope import practice_scope

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def practice(transactional_db, monkeypatch):
    monkeypatch.setattr(tasks.work, "apply_async", lambda *args, **kwargs: None)
    practice = cast.northside()
    with practice_scope(practice):
        TextIdentityFactory()
        EmailIdentityFactory()
    return practice


def _at_once(count, deed):
    """`count` threads start `deed(number)` together; what each answered or raised."""
    barrier = Barrier(count)

    def run(number):
        try:
            connection.ensure_connection()
            barrier.wait(30)
            return deed(number)
        except Exception as raised:
            return raised
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_twenty_people_switching_on_at_once_are_one_launch(practice):
    with practice_scope(practice):
        make_patients()
        campaign = make_blast(None)
        blast.load(campaign, None)

    def enable(number):
        with practice_scope(practice):
            return moves.enable(Campaign.objects.get(pk=campaign.pk), None)

    answers = _at_once(20, enable)
    assert sorted(map(str, answers)) == ["False"] * 19 + ["True"]
    with practice_scope(practice):
        assert Enrollment.objects.count() == 3
        assert AuditEvent.objects.filter(action="campaign.enabled").count() == 1


def test_eight_workers_at_once_write_each_message_once(practice, monkeypatch):
    monkeypatch.setattr(engine, "BATCH", 2)
    with practice_scope(practice):
        for _ in range(4):
            make_patients()
        campaign = make_blast(None)
        blast.load(campaign, None)
        moves.enable(campaign, None)
    written = _at_once(8, lambda number: engine.work(practice.pk))
    assert sum(written) == 12
    with practice_scope(practice):
        assert Message.objects.values("patient_id").distinct().count() == Message.objects.count() == 12


def test_two_beats_enrol_a_birthday_once(practice, clock):
    clock.at(dt.datetime(2027, 3, 12, 14, tzinfo=dt.UTC))
    with practice_scope(practice):
        campaign = CampaignFactory(kind="drip", trigger="birthday")
        StepFactory(campaign=campaign, time_of_day=dt.time(10))
        PatientFactory(birth_date=dt.date(1984, 3, 12))
        moves.enable(campaign, None)
    clock.at(dt.datetime(2027, 3, 12, 14, 59, 30, tzinfo=dt.UTC))
    assert sorted(_at_once(6, lambda number: engine.work(practice.pk))) == [0, 0, 0, 0, 0, 1]
    with practice_scope(practice):
        assert Enrollment.objects.count() == Message.objects.count() == 1


def test_pausing_and_stopping_while_workers_write_leaves_nothing_between(practice, monkeypatch):
    monkeypatch.setattr(engine, "BATCH", 1)
    with practice_scope(practice):
        for _ in range(4):
            make_patients()
        campaign = make_blast(None)
        blast.load(campaign, None)
        moves.enable(campaign, None)

    def meanwhile(move):
        def deed(number):
            if number:
                return engine.work(practice.pk)
            with practice_scope(practice):
                return move(Campaign.objects.get(pk=campaign.pk), None)

        answers = _at_once(4, deed)
        assert answers[0] is True, answers
        assert all(isinstance(answer, int) for answer in answers), answers
        return sum(answers[1:])

    written = meanwhile(moves.pause)
    with practice_scope(practice):
        campaign.refresh_from_db()
        assert campaign.state == "paused"
        assert Hold.objects.get().campaign_id == campaign.pk
        # What was written before the pause waits, the others are still to be written, and nothing is written after it.
        assert Message.objects.filter(state="pending").count() == Message.objects.count() == written
        assert Enrollment.objects.filter(state="active").count() == 12 - written
    assert engine.work(practice.pk) == 0

    with practice_scope(practice):
        moves.resume(campaign, None)
    written += meanwhile(moves.stop)
    with practice_scope(practice):
        campaign.refresh_from_db()
        assert campaign.state == "stopped"
        assert not Message.objects.filter(state="pending").exists()
        assert not Enrollment.objects.filter(state="active").exists()
        assert Message.objects.filter(state="cancelled").count() == Message.objects.count() == written
        assert not Hold.objects.exists()


def test_a_pause_waits_for_what_is_being_armed_and_nothing_is_armed_after_it(practice):
    with practice_scope(practice):
        make_patients()
        campaign = make_blast(None)
        blast.load(campaign, None)
        moves.enable(campaign, None)
    engine.work(practice.pk)
    with practice_scope(practice):
        candidates = claim(Message.objects.first().identity_id, 2, uuid.uuid4())
    armed, log = Event(), []

    def deed(number):
        if number == 0:
            with practice_scope(practice):
                take_locks(candidates[:1])
                verdicts(candidates[:1], Situation(now(), PracticeSettings.objects.get()))
                armed.set()
                time.sleep(0.5)
                log.append("armed")
            return None
        armed.wait(30)
        with practice_scope(practice):
            moves.pause(Campaign.objects.get(pk=campaign.pk), None)
            log.append("paused")
        with practice_scope(practice):
            take_locks(candidates[1:])
            return campaign_goes_on(candidates[1:], Situation(now(), PracticeSettings.objects.get()))

    answers = _at_once(2, deed)
    assert log == ["armed", "paused"], answers
    assert [type(verdict) for verdict in answers[1].values()] == [Wait]


def test_editing_and_switching_on_never_overlap(practice):
    with practice_scope(practice):
        make_patients()
        campaign = make_blast(None)
        blast.load(campaign, None)
        version = campaign.version

    def deed(number):
        with practice_scope(practice):
            mine = Campaign.objects.get(pk=campaign.pk)
            if number % 2:
                return drafts.save_step(mine, "text", "", f"By {number}", "now", None, 0, version, None, position=1)
            return moves.enable(mine, None)

    _at_once(8, deed)
    engine.work(practice.pk)
    with practice_scope(practice):
        words = campaign.steps.get().content.body
        assert set(Message.objects.values_list("content__body", flat=True)) == {words}
        assert Message.objects.count() == 3
