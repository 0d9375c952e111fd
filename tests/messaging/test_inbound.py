import datetime as dt
import threading

import pytest
from django.db import connections

from audience.consent import opt_out
from audience.models import ConsentEvent, ContactPoint, Patient
from campaigns.models import Campaign
from messaging.models import InboundMessage, Message
from tests.factories import CampaignFactory, MessageFactory, PatientFactory, TextIdentityFactory
from tests.messaging.knocking import text_fields, text_in, twilio
from trackstat.clock import now
from trackstat.tenancy.scope import practice_scope

CELL = "+16175550134"
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


@pytest.fixture(autouse=True)
def at_a_sandbox(settings):
    settings.TWILIO_API_URL = settings.MAILGUN_API_URL = "http://127.0.0.1:9"


@pytest.fixture
def line(in_northside):
    return TextIdentityFactory()


def _said(answer):
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/xml")
    return answer.content.decode()


def _sent(patient, campaign: Campaign | None = None, **fields) -> Message:
    campaign = campaign or CampaignFactory()
    return MessageFactory(
        patient=patient, campaign_id=campaign.pk, **{"state": "delivered", "armed_at": now()} | fields
    )


@pytest.mark.parametrize("body", ["STOP", "stop.", "Unsubscribe", "opt-out", "🛑 STOP 🛑", "please stop texting me"])
def test_a_stop_opts_out_everyone_with_that_number_drops_what_waits_and_is_confirmed_once(line, body):
    mother, child = PatientFactory(cell=CELL), PatientFactory(cell=CELL)
    waiting = [MessageFactory(patient=patient, identity=line) for patient in (mother, child)]
    other = MessageFactory(identity=line)
    said = _said(text_in(line, CELL, body))
    assert "Northside Chiropractic: You are unsubscribed" in said
    assert said.count("<Message>") == 1
    assert not Patient.objects.filter(cell=CELL, can_text=True).exists()
    for message in waiting:
        message.refresh_from_db()
        assert (message.state, message.reason) == ("aborted", "opted_out")
    other.refresh_from_db()
    assert other.state == "pending"
    received = InboundMessage.objects.get()
    assert (received.keyword, received.body) == ("stop", body)
    assert received.auto_reply
    event = ConsentEvent.objects.get()
    assert (event.given, event.source, event.wording) == (False, "reply", body)
    # Once more: noted, but neither confirmed nor changed again.
    assert _said(text_in(line, CELL, body)) == EMPTY
    assert ConsentEvent.objects.count() == 1
    assert InboundMessage.objects.count() == 2


def test_what_the_carrier_has_answered_is_not_answered_again(line):
    PatientFactory(cell=CELL)
    assert _said(text_in(line, CELL, "STOP", OptOutType="STOP")) == EMPTY
    assert ContactPoint.objects.get(address=CELL).all_opted_out_at
    assert InboundMessage.objects.get().auto_reply == ""
    assert _said(text_in(line, CELL, "START", OptOutType="START")) == EMPTY
    assert Patient.objects.get().can_text


def test_the_same_text_delivered_twice_is_taken_once_and_answered_once(line):
    PatientFactory(cell=CELL)
    path, fields = f"/webhooks/twilio/{line.key}/inbound/", text_fields(line, CELL, "HELP")
    assert "<Message>" in _said(twilio(path, fields))
    assert _said(twilio(path, fields)) == EMPTY
    assert InboundMessage.objects.count() == 1


def test_start_and_unstop_bring_a_patient_back(line):
    for word in ("START", "unstop"):
        patient = PatientFactory()
        text_in(line, patient.cell, "STOP")
        said = _said(text_in(line, patient.cell, word))
        assert "You will get texts from us again" in said
        patient.refresh_from_db()
        assert patient.can_text


def test_yes_opts_in_only_someone_who_had_opted_out(line):
    patient = PatientFactory(cell=CELL)
    assert _said(text_in(line, CELL, "Yes")) == EMPTY
    assert InboundMessage.objects.get().keyword == ""
    opt_out("text", CELL, "all", "reply", "STOP")
    assert "You will get texts from us again" in _said(text_in(line, CELL, "YES"))
    patient.refresh_from_db()
    assert patient.can_text


def test_help_answers_with_name_and_phone_and_changes_nothing(line):
    patient = PatientFactory(cell=CELL)
    said = _said(text_in(line, CELL, "HELP"))
    assert "Northside Chiropractic" in said
    assert "(617) 555-0100" in said
    patient.refresh_from_db()
    assert patient.can_text
    assert InboundMessage.objects.get().keyword == "help"


def test_a_practices_name_is_text_in_the_answer_not_markup(line, northside):
    northside.name = "Smith & <Sons>"
    northside.save()
    assert "Smith &amp; &lt;Sons&gt;: " in _said(text_in(line, CELL, "HELP"))


def test_an_ordinary_reply_is_kept_and_counted_for_the_newest_campaign_message(line):
    patient = PatientFactory(cell=CELL)
    older = _sent(patient, identity=line, armed_at=now() - dt.timedelta(days=3))
    newest = _sent(patient, identity=line)
    assert _said(text_in(line, CELL, "Can I come on Friday?")) == EMPTY
    received = InboundMessage.objects.get()
    assert (received.patient, received.keyword, received.read_at) == (patient, "", None)
    older.refresh_from_db()
    newest.refresh_from_db()
    assert newest.replied_at
    assert not newest.unsubscribed_at
    assert not older.replied_at


def test_a_stop_counts_as_unsubscribed_for_the_newest_campaign_message_not_as_a_reply(line):
    message = _sent(PatientFactory(cell=CELL), identity=line)
    text_in(line, CELL, "STOP")
    message.refresh_from_db()
    assert message.unsubscribed_at
    assert not message.replied_at
    assert message.state == "delivered"


def test_a_shared_phone_is_taken_to_be_whoever_was_written_to_last_else_the_eldest(line):
    child = PatientFactory(cell=CELL, birth_date=dt.date(2015, 1, 1))
    mother = PatientFactory(cell=CELL, birth_date=dt.date(1980, 1, 1))
    PatientFactory(cell=CELL, birth_date=None)
    text_in(line, CELL, "hello")
    assert InboundMessage.objects.get().patient == mother
    _sent(child, identity=line)
    text_in(line, CELL, "hello again")
    assert InboundMessage.objects.order_by("-pk").first().patient == child


def test_a_stranger_is_kept_apart_and_heeded(line):
    text_in(line, "+12125550199", "who is this")
    text_in(line, "+12125550199", "STOP")
    first, second = InboundMessage.objects.order_by("pk")
    assert first.patient is None
    assert second.keyword == "stop"
    assert ContactPoint.objects.get(address="+12125550199").all_opted_out_at


def test_an_empty_text_such_as_a_picture_is_kept(line):
    PatientFactory(cell=CELL)
    assert _said(text_in(line, CELL, "", NumMedia="1")) == EMPTY
    assert InboundMessage.objects.get().body == ""


@pytest.mark.django_db(transaction=True)
def test_stops_at_the_same_moment_drop_what_waits_and_are_confirmed_once(northside):
    with practice_scope(northside):
        line = TextIdentityFactory()
        patient = PatientFactory(cell=CELL)
        for _ in range(5):
            MessageFactory(patient=patient, identity=line)
    answers = []

    def say():
        try:
            answers.append(_said(text_in(line, CELL, "STOP")))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert sum("<Message>" in answer for answer in answers) == 1
    with practice_scope(northside):
        assert set(Message.objects.values_list("state", flat=True)) == {"aborted"}
        assert InboundMessage.objects.count() == 4
        assert ConsentEvent.objects.count() == 1
