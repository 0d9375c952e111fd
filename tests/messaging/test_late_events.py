"""What could not be applied when it came, and is applied later."""

import datetime as dt
import uuid

import pytest

from audience.consent import opt_out
from audience.models import ContactPoint, Patient
from messaging import receipts
from messaging.models import InboundMessage, ProviderEvent
from tests.factories import PatientFactory, TextIdentityFactory
from tests.messaging.knocking import sid, text_fields, text_in
from trackstat.clock import now

CELL = "+16175550134"
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def at_a_sandbox(settings):
    settings.TWILIO_API_URL = settings.MAILGUN_API_URL = "http://127.0.0.1:9"


@pytest.fixture
def line(in_northside):
    return TextIdentityFactory()


@pytest.fixture
def ana(line):
    return PatientFactory(cell=CELL)


def _open(line, payload, age=MINUTE, kind="inbound", attempt_key=None):
    """An event that came `age` ago and could not be applied then."""
    return ProviderEvent.objects.create(
        identity=line,
        kind=kind,
        event_key=sid(),
        attempt_key=attempt_key,
        payload=payload,
        received_at=now() - age,
        problem="KeyError",
    )


def _open_text(line, body, age=MINUTE):
    return _open(line, text_fields(line, CELL, body), age)


def _may_be_texted():
    return Patient.objects.get(cell=CELL).can_text and not ContactPoint.objects.get(address=CELL).all_opted_out_at


@pytest.mark.parametrize("word", ["START", "YES"])
def test_a_late_start_does_not_undo_a_newer_stop(line, ana, in_northside, word):
    opt_out("text", CELL, "all", "reply", "STOP")
    start = _open_text(line, word)
    text_in(line, CELL, "STOP")
    assert receipts.apply_open(in_northside.pk) == 1
    assert not _may_be_texted()
    start.refresh_from_db()
    assert start.applied_at
    late = InboundMessage.objects.get(body=word)
    assert (late.keyword, late.auto_reply, late.received_at) == ("start", "", start.received_at)


@pytest.mark.parametrize("source", ["staff", "unsubscribe"])
def test_a_late_start_does_not_undo_a_newer_opt_out_by_another_way(line, ana, in_northside, source):
    opt_out("text", CELL, "all", "reply", "STOP")
    _open_text(line, "START")
    opt_out("text", CELL, "all", source, "at the desk")
    receipts.apply_open(in_northside.pk)
    assert not _may_be_texted()


def test_a_late_start_after_the_last_stop_is_heeded(line, ana, in_northside):
    _open_text(line, "STOP", 3 * MINUTE)
    _open_text(line, "START", 2 * MINUTE)
    assert receipts.apply_open(in_northside.pk) == 2
    assert _may_be_texted()
    assert [text.keyword for text in InboundMessage.objects.order_by("received_at")] == ["stop", "start"]


def test_a_start_waits_for_an_older_stop_that_is_still_open(line, ana, in_northside):
    stop = _open_text(line, "STOP")
    ProviderEvent.objects.filter(pk=stop.pk).update(retry_at=now() + MINUTE)
    assert text_in(line, CELL, "START").status_code == 200
    assert not InboundMessage.objects.exists()
    assert ProviderEvent.objects.get(problem="OutOfTurn").applied_at is None
    ProviderEvent.objects.update(retry_at=None)
    receipts.apply_open(in_northside.pk)
    assert _may_be_texted()


def test_reports_that_fail_for_ever_do_not_keep_a_stop_from_its_turn(line, ana, in_northside):
    for _ in range(receipts.AT_ONCE):
        _open(line, {"MessageStatus": "sent"}, 60 * MINUTE, kind="status", attempt_key=uuid.uuid4())
    _open_text(line, "STOP")
    receipts.apply_open(in_northside.pk)
    assert not _may_be_texted()


def test_what_failed_again_waits_as_long_as_it_has_waited_already(line, ana, in_northside):
    broken = [_open(line, {"Body": "no number"}, 30 * MINUTE) for _ in range(receipts.AT_ONCE)]
    _open_text(line, "STOP")
    assert receipts.apply_open(in_northside.pk) == receipts.AT_ONCE
    assert _may_be_texted()
    broken[0].refresh_from_db()
    assert broken[0].retry_at == now() + 30 * MINUTE
    assert receipts.apply_open(in_northside.pk) == 1
    assert not _may_be_texted()
    assert receipts.apply_open(in_northside.pk) == 0
