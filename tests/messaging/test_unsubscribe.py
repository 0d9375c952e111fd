import pytest
from django.test import Client

from audience.models import ConsentEvent, ContactPoint, Patient
from messaging.models import Message
from tests.cast import CANARY
from tests.factories import EmailIdentityFactory, MessageFactory, PatientFactory
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def email(in_northside):
    return MessageFactory(
        channel="email",
        identity=EmailIdentityFactory(),
        patient=PatientFactory(email="ana@mail.example"),
        state="delivered",
    )


def _point():
    return ContactPoint.objects.get(address="ana@mail.example")


def _post(message, **fields):
    return Client(enforce_csrf_checks=True).post(f"/u/{message.token}/", fields)


def test_opening_the_link_only_shows_a_page_however_often(email):
    for agent in ("Mozilla/5.0", "Googlebot", "BarracudaCentral", ""):
        for method in ("get", "head"):
            answer = getattr(Client(headers={"user-agent": agent}), method)(
                f"/u/{email.token}/?List-Unsubscribe=One-Click"
            )
            assert answer.status_code == 200
            assert not answer.cookies
    page = Client().get(f"/u/{email.token}/").content.decode()
    assert "Northside Chiropractic" in page
    assert "ana@mail.example" not in page
    assert not _point().all_opted_out_at
    assert not ConsentEvent.objects.exists()


def test_the_mail_programs_button_acts_without_cookie_or_redirect_and_again_is_harmless(email):
    for _ in range(3):
        answer = _post(email, **{"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert not answer.cookies
    point = _point()
    assert point.all_opted_out_at
    assert point.opted_out_by_patient
    assert ConsentEvent.objects.count() == 1
    assert not Patient.objects.get().can_email
    assert Patient.objects.get().can_text
    email.refresh_from_db()
    assert email.unsubscribed_at


def test_what_waits_for_the_mailbox_is_dropped(email):
    waiting = MessageFactory(channel="email", identity=email.identity, patient=email.patient)
    appointment = MessageFactory(
        channel="email", identity=email.identity, patient=email.patient, category="appointment"
    )
    _post(email, choice="announcement")
    waiting.refresh_from_db()
    appointment.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("aborted", "opted_out")
    assert appointment.state == "pending"
    _post(email, choice="all")
    appointment.refresh_from_db()
    assert appointment.state == "aborted"


def test_a_patient_may_keep_appointment_messages(email):
    page = _post(email, choice="announcement").content.decode()
    assert "no more office updates" in page
    assert _point().opted_out_of("announcement")
    assert not _point().opted_out_of("appointment")
    assert Patient.objects.get().can_email


def test_a_patient_may_stop_appointment_messages_alone_and_then_the_rest(email):
    page = _post(email, choice="appointment").content.decode()
    assert "no more messages about your appointments" in page
    assert "announcements still reach" in page
    assert _point().opted_out_of("appointment")
    assert not _point().opted_out_of("announcement")
    page = _post(email, choice="announcement").content.decode()
    assert "still reach" not in page
    assert _point().opted_out_of("announcement") and _point().opted_out_of("appointment")


def test_the_same_link_brings_a_patient_back(email):
    page = _post(email, choice="all").content.decode()
    assert "You are unsubscribed" in page
    assert "Get emails again" in page
    assert "(617) 555-0100" in page
    _post(email, choice="back")
    assert not _point().opted_out_of("announcement")
    assert Patient.objects.get().can_email


def test_a_texts_link_stops_texts_and_only_start_brings_them_back(in_northside):
    text = MessageFactory(patient=PatientFactory(cell="+16175550134"), state="delivered")
    page = _post(text, choice="all").content.decode()
    assert "text START" in page
    _post(text, choice="back")
    assert not Patient.objects.get().can_text


def test_an_answer_without_a_choice_changes_nothing(email):
    assert _post(email).status_code == 422
    assert _post(email, choice="nonsense").status_code == 422
    assert not _point().all_opted_out_at


def test_an_unknown_or_tampered_token_is_not_found(email):
    for token in ("x", email.token[:-1], email.token + "a", email.token.swapcase(), "%00", "..%2f"):
        assert Client().get(f"/u/{token}/").status_code == 404
        assert Client().post(f"/u/{token}/", {"List-Unsubscribe": "One-Click"}).status_code == 404
    assert Client().put(f"/u/{email.token}/").status_code == 405
    assert not _point().all_opted_out_at


def test_the_link_of_one_practice_leaves_the_same_mailbox_of_another_alone(email, southside):
    with practice_scope(southside):
        PatientFactory(email="ana@mail.example", first_name=CANARY)
    page = _post(email, choice="all").content.decode()
    assert CANARY not in page
    with practice_scope(southside):
        assert Patient.objects.get().can_email
        assert not Message.objects.exists()
