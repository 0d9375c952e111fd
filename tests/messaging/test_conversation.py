import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audience.consent import opt_out
from audience.models import ConsentEvent, ContactPoint, Patient, PatientTag
from messaging.models import InboundMessage, Message
from tests.cast import CANARY
from tests.factories import (
    ContentFactory,
    EmailIdentityFactory,
    MessageFactory,
    PatientFactory,
    TagFactory,
    TextIdentityFactory,
)
from trackstat.clock import now
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope

CELL = "+16175550134"


@pytest.fixture
def ana(people, in_northside):
    return PatientFactory(first_name="Ana", cell=CELL, email="ana@mail.example")


@pytest.fixture
def fred(client, people):
    """The front desk, signed in."""
    client.force_login(people.fred)
    return client


def _path(patient, more=""):
    return f"/northside/messages/patients/{patient.pk}/{more}"


def _received(patient, body, **fields):
    identity = fields.pop("identity", None) or TextIdentityFactory()
    return InboundMessage.objects.create(
        channel="text",
        identity=identity,
        contact_point=ContactPoint.objects.get(channel="text", address=patient.cell),
        patient=patient,
        provider_id=f"SM{InboundMessage.objects.count()}",
        body=body,
        **fields,
    )


def test_the_thread_shows_both_ways_in_order_with_state_and_reason_in_words(ana, fred):
    hour = dt.timedelta(hours=1)
    MessageFactory(patient=ana, body="First words", state="delivered", armed_at=now() - 5 * hour)
    MessageFactory(patient=ana, body="Second words", state="undelivered", error_code="30005", armed_at=now() - 3 * hour)
    _received(ana, "My answer", received_at=now() - 4 * hour)
    page = fred.get(_path(ana)).content.decode()
    assert page.index("First words") < page.index("My answer") < page.index("Second words")
    assert "Delivered" in page
    assert "Not delivered" in page
    assert "The number is no longer in service." in page
    assert "Ask for a new number." in page


def test_what_was_exchanged_under_a_record_that_was_merged_stays_in_the_conversation(ana, fred):
    former = PatientFactory(first_name="Ann", cell="+16175550135")
    MessageFactory(patient=former, body="Words of before", state="delivered", armed_at=now())
    _received(former, "Answer of before")
    Patient.everyone.filter(pk=former.pk).update(merged_into=ana, cell="", email="")
    page = fred.get(_path(ana)).content.decode()
    assert "Words of before" in page and "Answer of before" in page
    assert fred.get(f"/northside/patients/{former.pk}/").headers["Location"] == f"/northside/patients/{ana.pk}/"


def test_an_email_shows_its_subject_and_words_but_not_the_patients_unsubscribe_link(ana, fred):
    content = ContentFactory(
        channel="email", subject="Hi {{PatientFirstName}}", body="<p>See <b>you</b> & more soon</p>"
    )
    message = MessageFactory(
        patient=ana,
        channel="email",
        identity=EmailIdentityFactory(),
        content=content,
        merge_values={"PatientFirstName": "Ana"},
        state="delivered",
    )
    page = fred.get(_path(ana)).content.decode()
    assert "Hi Ana" in page
    assert "See you &amp; more soon" in page
    assert message.token not in page


def test_a_stop_is_marked_and_staff_read_why_they_cannot_take_it_back(ana, fred):
    _received(ana, "STOP", keyword="stop")
    opt_out("text", CELL, "all", "reply", "STOP")
    page = fred.get(_path(ana)).content.decode()
    assert "Opted out of everything" in page
    assert "only the patient return, by texting <b>START</b>" in page
    assert "Take back" not in page


def test_what_is_written_is_text_and_never_markup(ana, fred):
    _received(ana, "<script>alert(1)</script>{{7*7}}")
    MessageFactory(patient=ana, body="<img src=x onerror=y>", state="sent")
    page = fred.get(_path(ana)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page
    assert "<img src=x" not in page


def test_looking_marks_as_read_and_is_recorded_once_however_often_the_page_looks_again(ana, fred):
    received = _received(ana, "Hello")
    fred.get(_path(ana))
    received.refresh_from_db()
    assert received.read_at
    for _ in range(3):
        part = fred.get(_path(ana), headers={"HX-Request": "true"})
        assert b"Hello" in part.content
        assert b"<html" not in part.content
    assert AuditEvent.objects.filter(action="conversation.viewed", object_id=ana.pk).count() == 1
    fred.get(_path(ana))
    assert AuditEvent.objects.filter(action="conversation.viewed", object_id=ana.pk).count() == 2


def test_a_page_left_open_does_not_read_what_comes_in(ana, fred):
    fred.get(_path(ana))
    received = _received(ana, "Are you open today?")
    assert b"Are you open today?" in fred.get(_path(ana), headers={"HX-Request": "true"}).content
    received.refresh_from_db()
    assert received.read_at is None
    fred.get(_path(ana))
    received.refresh_from_db()
    assert received.read_at


@pytest.mark.parametrize(
    ("patient", "tag", "words"),
    [
        ({}, False, "may be texted"),
        ({"status": "inactive", "inactive_reason": "deceased"}, False, "nothing is sent: deceased"),
        ({}, True, "has the tag “not qualified”"),
    ],
)
def test_the_conversation_and_the_patients_page_agree_on_what_may_be_sent(ana, fred, patient, tag, words):
    Patient.objects.filter(pk=ana.pk).update(**patient)
    if tag:
        PatientTag.objects.create(patient=ana, tag=TagFactory(name="not qualified", always_excluded=True))
    for path in (_path(ana), f"/northside/patients/{ana.pk}/"):
        page = fred.get(path).content.decode()
        assert words in page.replace("May be", "may be").replace("Nothing", "nothing")
        assert ("ay be texted" in page) is (words == "may be texted")


def test_a_fragment_asked_for_by_itself_is_recorded_too(ana, fred):
    fred.get(_path(ana), headers={"HX-Request": "true"})
    assert AuditEvent.objects.filter(action="conversation.viewed").count() == 1


def test_staff_opt_a_patient_out_with_a_note_and_what_waits_is_dropped(ana, fred, people):
    waiting = MessageFactory(patient=ana)
    answer = fred.post(_path(ana, "opt-out/"), {"channel": "text", "purpose": "all", "note": "said so at the desk"})
    assert answer.status_code == 302
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("aborted", "opted_out")
    event = ConsentEvent.objects.get()
    assert (event.source, event.wording, event.by) == ("staff", "said so at the desk", people.fred)
    assert not Patient.objects.get(pk=ana.pk).can_text
    page = fred.get(_path(ana)).content.decode()
    assert "Noted by Fred" in page
    assert "said so at the desk" in page
    assert AuditEvent.objects.filter(action="patient.opted_out", user=people.fred).exists()


def test_an_opt_out_without_a_note_is_refused_and_the_dialog_stays_open(ana, fred):
    answer = fred.post(_path(ana, "opt-out/"), {"channel": "text", "purpose": "all", "note": " "})
    assert answer.status_code == 422
    assert not ConsentEvent.objects.exists()
    assert fred.post(_path(ana, "opt-out/"), {"channel": "fax", "purpose": "all", "note": "x"}).status_code == 422
    assert fred.get(_path(ana, "opt-out/")).status_code == 405


def test_staff_take_back_their_own_note_but_not_a_stop(ana, fred):
    fred.post(_path(ana, "opt-out/"), {"channel": "text", "purpose": "all", "note": "wrong patient"})
    fred.post(_path(ana, "opt-in/"), {"channel": "text", "note": "wrong patient"})
    assert Patient.objects.get(pk=ana.pk).can_text
    opt_out("text", CELL, "all", "reply", "STOP")
    fred.post(_path(ana, "opt-in/"), {"channel": "text", "note": "wants texts"})
    assert not Patient.objects.get(pk=ana.pk).can_text


def test_the_inbox_lists_who_wrote_unread_first(ana, fred):
    ben = PatientFactory(first_name="Ben", last_name="Older")
    _received(ana, "read already", read_at=now())
    _received(ben, "not read yet", received_at=now() - dt.timedelta(days=2))
    page = fred.get("/northside/messages/").content.decode()
    assert page.index("not read yet") < page.index("read already")
    assert "1 new" in page
    unread = fred.get("/northside/messages/?view=unread").content.decode()
    assert "read already" not in unread
    found = fred.get("/northside/messages/?q=older").content.decode()
    assert "not read yet" in found
    assert "read already" not in found


def test_numbers_no_patient_has_are_kept_apart(ana, fred):
    point = ContactPoint.objects.create(channel="text", address="+12125550199")
    InboundMessage.objects.create(
        channel="text", identity=TextIdentityFactory(), contact_point=point, provider_id="SMx", body="who is this"
    )
    page = fred.get("/northside/messages/").content.decode()
    assert "Numbers no patient has" in page
    assert "(212) 555-0199" in page


def test_another_practices_conversation_is_not_found_and_nothing_of_it_is_shown(ana, fred, southside):
    with practice_scope(southside):
        theirs = PatientFactory(first_name=CANARY, cell=CELL)
        MessageFactory(patient=theirs, body=CANARY, state="delivered")
        _received(theirs, CANARY)
    for method, more in (("get", ""), ("post", "opt-out/"), ("post", "opt-in/")):
        assert getattr(fred, method)(_path(theirs, more)).status_code == 404
        assert getattr(fred, method)(_path(theirs, more).replace(str(theirs.pk), "999999")).status_code == 404
    for path in (_path(ana), "/northside/messages/", "/northside/messages/?q=ZZ"):
        assert CANARY not in fred.get(path).content.decode().replace("q=ZZ", "")
    assert Client().get(_path(ana)).status_code == 302
    assert not Message.objects.filter(body=CANARY).exists()


def test_the_pages_need_as_many_statements_for_many_as_for_few(ana, fred):
    identity = TextIdentityFactory()

    def _counted(path):
        with CaptureQueriesContext(connection) as counted:
            assert fred.get(path).status_code == 200
        return len(counted)

    def _more(n):
        for _ in range(n):
            patient = PatientFactory()
            _received(patient, "Hi", identity=identity)
            _received(ana, "Hi", identity=identity)
            MessageFactory(patient=ana, identity=identity, state="delivered", armed_at=now())

    _more(2)
    fred.get(_path(ana))
    few = _counted("/northside/messages/"), _counted(_path(ana))
    _more(12)
    assert (_counted("/northside/messages/"), _counted(_path(ana))) == few
