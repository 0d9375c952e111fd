import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audience.models import ConsentEvent, ContactPoint
from messaging import receipts
from messaging.models import Attempt, Message, ProviderEvent
from messaging.outcomes import record
from messaging.providers.base import Accepted, Unclear
from tests.factories import EmailIdentityFactory, MessageFactory, PatientFactory, TextIdentityFactory
from tests.messaging import knocking
from tests.messaging.knocking import handed_over, handed_over_email, sid, tell_mail, tell_status

State = Message.State


@pytest.fixture(autouse=True)
def at_a_sandbox(settings):
    settings.TWILIO_API_URL = settings.MAILGUN_API_URL = "http://127.0.0.1:9"


def _state(attempt):
    return Message.objects.get(pk=attempt.message_id).state


def test_a_text_is_followed_from_queued_to_delivered(in_northside):
    attempt, message_sid = handed_over(), sid()
    for status, state in (("queued", "sent"), ("sent", "sent"), ("delivered", "delivered")):
        assert tell_status(attempt, status, message_sid).status_code == 204
        assert _state(attempt) == state
    message = Message.objects.get()
    assert message.sent_at
    assert message.done_at
    assert ContactPoint.objects.get(address=message.to_address).validity == "ok"


def test_a_callback_faster_than_our_own_record_proves_the_hand_over_and_stays(in_northside):
    attempt, message_sid = handed_over(), sid()
    tell_status(attempt, "delivered", message_sid)
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.provider_id) == ("accepted", message_sid)
    record(attempt, Accepted(message_sid, 201))
    assert _state(attempt) == State.DELIVERED
    record(attempt, Unclear("timeout"))
    assert _state(attempt) == State.DELIVERED


def test_a_callback_settles_an_uncertain_hand_over(in_northside):
    attempt, message_sid = handed_over(), sid()
    record(attempt, Unclear("timeout"))
    assert _state(attempt) == State.UNKNOWN
    tell_status(attempt, "sent", message_sid)
    assert _state(attempt) == State.SENT
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.provider_id) == ("accepted", message_sid)


def test_a_late_sent_does_not_take_back_a_delivery(in_northside):
    attempt, message_sid = handed_over(), sid()
    for status in ("delivered", "sent", "queued", "undelivered"):
        tell_status(attempt, status, message_sid, "30003" if status == "undelivered" else "")
    message = Message.objects.get()
    assert (message.state, message.error_code) == ("delivered", "")


def test_a_delivery_after_undelivered_counts(in_northside):
    attempt, message_sid = handed_over(), sid()
    tell_status(attempt, "undelivered", message_sid, "30005")
    assert not ContactPoint.objects.get(address=attempt.message.to_address).is_usable
    tell_status(attempt, "delivered", message_sid)
    assert _state(attempt) == State.DELIVERED
    assert ContactPoint.objects.get(address=attempt.message.to_address).is_usable


def test_the_first_text_counts_as_introduction_when_only_the_callback_says_it_was_taken(in_northside):
    attempt = handed_over(has_opt_out_line=True)
    tell_status(attempt, "sent", sid())
    assert ContactPoint.objects.get(address=attempt.message.to_address).introduced_at


@pytest.mark.parametrize(
    ("code", "validity"), [("30005", "invalid"), ("30006", "landline"), ("21614", "landline"), ("30003", "unknown")]
)
def test_an_error_says_what_the_number_is_good_for(in_northside, code, validity):
    attempt = handed_over()
    tell_status(attempt, "undelivered", sid(), code)
    message = Message.objects.get()
    assert (message.state, message.error_code) == ("undelivered", code)
    point = ContactPoint.objects.get(pk=message.contact_point_id)
    assert point.validity == validity
    message.patient.refresh_from_db()
    assert message.patient.can_text == point.is_usable


def test_the_carriers_block_list_opts_the_number_out_and_drops_what_waits(in_northside):
    attempt = handed_over()
    waiting = MessageFactory(patient=attempt.message.patient, identity=attempt.message.identity)
    tell_status(attempt, "failed", sid(), "21610")
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("aborted", "opted_out")
    assert ConsentEvent.objects.get().source == "carrier"


def test_an_unregistered_line_is_rested(in_northside):
    attempt = handed_over()
    tell_status(attempt, "undelivered", sid(), "30034")
    attempt.message.identity.refresh_from_db()
    assert attempt.message.identity.paused_until


TEXT_STORY = [
    ("queued", ""),
    ("sending", ""),
    ("sent", ""),
    ("delivered", ""),
    ("undelivered", "30005"),
    ("failed", "30008"),
]
MAIL_STORY = ["accepted", "delivered", "opened", "failed", "complained", "unsubscribed", "temporary"]
WITHOUT_FIXTURE_COMPLAINTS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _text_event(attempt, message_sid, status, code):
    payload = knocking.status_fields(attempt, status, message_sid, code)
    return ProviderEvent(
        identity=attempt.message.identity, kind="status", event_key=sid(), attempt_key=attempt.key, payload=payload
    )


def _mail_event(attempt, name):
    severity = {"failed": "permanent", "temporary": "temporary"}.get(name, "")
    payload = {
        "event": "failed" if severity else name,
        "severity": severity,
        "reason": "bounce" if severity == "permanent" else "",
        "message_id": f"{attempt.key}@mail.northside.example",
        "recipient": attempt.message.to_address,
    }
    return ProviderEvent(
        identity=attempt.message.identity, kind="tracking", event_key=sid(), attempt_key=attempt.key, payload=payload
    )


def _end_of(attempt, events, also):
    """`also`: before which of the events our own record is made; after all when there are fewer, None for never."""
    for number, event in enumerate([*events, None]):
        if also is not None and number == min(also, len(events)):
            sid_of_it = events[0].payload.get("MessageSid")
            record(attempt, Accepted(sid_of_it or f"<{attempt.key}@mail.northside.example>"))
        if event:
            receipts.apply(event)
    message = Message.objects.select_related("contact_point", "patient").get(pk=attempt.message_id)
    attempt.refresh_from_db()
    return (
        message.state,
        message.error_code,
        bool(message.opened_at),
        bool(message.bounced_at),
        bool(message.complained_at),
        bool(message.unsubscribed_at),
        message.lease_until,
        attempt.outcome,
        message.contact_point.validity,
        bool(message.contact_point.all_opted_out_at),
        message.patient.can_text,
        message.patient.can_email,
    )


@given(data=st.data(), told=st.sets(st.sampled_from(TEXT_STORY), min_size=1), also=st.none() | st.integers(0, 4))
@WITHOUT_FIXTURE_COMPLAINTS
def test_reports_on_a_text_end_the_same_in_any_order_and_however_often(in_northside, data, told, also):
    told = sorted(told)
    shuffled = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=4))))
    ends, identity = set(), TextIdentityFactory()
    for order in (told, shuffled):
        attempt, message_sid = handed_over(identity), sid()
        ends.add(_end_of(attempt, [_text_event(attempt, message_sid, *each) for each in order], also))
    assert len(ends) == 1


@given(data=st.data(), told=st.sets(st.sampled_from(MAIL_STORY), min_size=1), also=st.none() | st.integers(0, 4))
@WITHOUT_FIXTURE_COMPLAINTS
def test_reports_on_an_email_end_the_same_in_any_order_and_however_often(in_northside, data, told, also):
    told = sorted(told)
    shuffled = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=4))))
    ends, identity = set(), EmailIdentityFactory()
    for order in (told, shuffled):
        attempt = handed_over_email(identity=identity)
        ends.add(_end_of(attempt, [_mail_event(attempt, each) for each in order], also))
    assert len(ends) == 1


def test_every_order_of_three_reports_with_a_delivery_ends_delivered(in_northside):
    identity, patient = TextIdentityFactory(), PatientFactory()
    for order in itertools.permutations(TEXT_STORY, 3):
        if ("delivered", "") not in order:
            continue
        attempt, message_sid = handed_over(identity, patient=patient), sid()
        for each in order:
            receipts.apply(_text_event(attempt, message_sid, *each))
        assert _state(attempt) == State.DELIVERED


def test_an_email_is_delivered_and_opened(in_northside):
    attempt = handed_over_email()
    assert tell_mail(attempt, "delivered").status_code == 204
    tell_mail(attempt, "opened")
    message = Message.objects.get()
    assert message.state == State.DELIVERED
    assert message.opened_at
    attempt.refresh_from_db()
    assert attempt.provider_id == f"<{attempt.key}@mail.northside.example>"


def test_a_hard_bounce_suppresses_the_mailbox_even_after_a_delivery(in_northside):
    attempt = handed_over_email()
    tell_mail(attempt, "delivered")
    tell_mail(attempt, "failed", severity="permanent", reason="bounce")
    message = Message.objects.get()
    assert (message.state, bool(message.bounced_at)) == ("delivered", True)
    point = ContactPoint.objects.get(address=message.to_address)
    assert point.validity == "suppressed"
    message.patient.refresh_from_db()
    assert not message.patient.can_email
    assert message.patient.can_text


def test_a_temporary_failure_changes_nothing(in_northside):
    attempt = handed_over_email()
    tell_mail(attempt, "failed", severity="temporary", reason="generic")
    assert _state(attempt) == State.SENDING
    assert ProviderEvent.objects.get().applied_at


def test_a_complaint_opts_out_of_everything_and_suppresses_the_mailbox(in_northside):
    attempt = handed_over_email()
    tell_mail(attempt, "complained")
    message = Message.objects.get()
    assert message.complained_at
    point = ContactPoint.objects.get(address=message.to_address)
    assert point.all_opted_out_at
    assert point.opted_out_by_patient
    assert point.validity == "suppressed"
    assert ConsentEvent.objects.get().source == "complaint"


def test_an_event_about_other_mail_of_the_domain_is_put_aside(in_northside):
    attempt = handed_over_email()
    answer = knocking.mailgun(attempt.message.identity, knocking.mail_event(None, "delivered"))
    assert answer.status_code == 204
    assert ProviderEvent.objects.get().applied_at
    assert _state(attempt) == State.SENDING


def test_an_event_that_cannot_be_applied_is_kept_and_tried_again(in_northside, caplog):
    attempt = handed_over()
    Attempt.objects.filter(pk=attempt.pk).update(provider_id="SMother", outcome="accepted")
    assert tell_status(attempt, "delivered", sid()).status_code == 204
    event = ProviderEvent.objects.get()
    assert (event.applied_at, event.problem) == (None, "NotOurs")
    assert _state(attempt) == State.SENDING
    assert attempt.message.to_address not in caplog.text
    Attempt.objects.filter(pk=attempt.pk).update(provider_id=event.payload["MessageSid"])
    assert receipts.apply_open(in_northside.pk) == 1
    assert _state(attempt) == State.DELIVERED
    event.refresh_from_db()
    assert event.applied_at
    assert event.problem == ""


def test_a_report_of_one_patients_text_leaves_the_others_alone(in_northside):
    first, second = handed_over(), handed_over(patient=PatientFactory())
    tell_status(first, "delivered", sid())
    assert _state(second) == State.SENDING
