import random
import time
import uuid
from urllib.parse import urlencode

import pytest
from django.test import Client
from twilio.request_validator import RequestValidator

from audience.models import Patient
from messaging.models import Attempt, InboundMessage, Message, ProviderEvent
from tests.cast import CANARY
from tests.factories import EmailIdentityFactory, PatientFactory, TextIdentityFactory
from tests.messaging import knocking
from tests.messaging.knocking import (
    handed_over,
    handed_over_email,
    mail_event,
    mailgun,
    sid,
    signature,
    status_fields,
    status_path,
    tell_mail,
    tell_status,
    text_fields,
    text_in,
    twilio,
)
from trackstat.tenancy.scope import practice_scope


@pytest.fixture(autouse=True)
def at_a_sandbox(settings):
    settings.TWILIO_API_URL = settings.MAILGUN_API_URL = "http://127.0.0.1:9"


def _untouched():
    return (
        not ProviderEvent.objects.exists()
        and not InboundMessage.objects.exists()
        and set(Message.objects.values_list("state", flat=True)) <= {"sending"}
        and set(Attempt.objects.values_list("outcome", flat=True)) <= {""}
    )


def test_a_signed_report_is_taken_without_cookie_or_csrf_token(in_northside):
    attempt = handed_over()
    assert tell_status(attempt, "sent", sid()).status_code == 204
    assert ProviderEvent.objects.get().applied_at


def test_only_post_is_answered(in_northside):
    attempt = handed_over()
    for method in ("get", "head", "put", "delete"):
        assert getattr(Client(), method)(status_path(attempt)).status_code == 405
    assert _untouched()


def test_the_same_report_again_changes_nothing(in_northside):
    attempt, message_sid = handed_over(), sid()
    for _ in range(5):
        assert tell_status(attempt, "delivered", message_sid).status_code == 204
    assert ProviderEvent.objects.count() == 1


def _mutants(path, fields, signed, wheel):
    """(path, fields, signature) that each differ from the valid request in one thing."""
    for name, value in fields.items():
        yield path, {k: v for k, v in fields.items() if k != name}, signed
        yield path, fields | {name: value + "0"}, signed
        yield path, fields | {name: ""}, signed if value else signed[::-1]
        yield path, fields | {name: value.swapcase() if value.swapcase() != value else value[::-1] + "x"}, signed
        yield path, {(k + "s" if k == name else k): v for k, v in fields.items()}, signed
        place = wheel.randrange(len(value)) if value else 0
        yield path, fields | {name: value[:place] + "7Z"[wheel.randrange(2)] + value[place:]}, signed
    for place in range(len(signed) - 1):
        yield path, fields, signed[:place] + ("A" if signed[place] != "A" else "B") + signed[place + 1 :]
        yield path, fields, signed[:place]
        yield path, fields, signed[:place] + signed[place + 1 :]
    for place in range(len(path)):
        yield path[:place] + ("0" if path[place] != "0" else "1") + path[place + 1 :], fields, signed
    for more in ("Added", "MessageStatus2", "AccountSid2", "Z"):
        yield path, fields | {more: "x"}, signed
        yield f"{path}?{more}=x", fields, signed
    yield path, fields, ""
    yield path, fields, None
    yield path, fields, signed.lower()
    yield path, fields, "é" * 28


def _post(client, path, fields, signed):
    headers = {} if signed is None else {"X-Twilio-Signature": signed}
    return client.post(path, urlencode(fields), content_type=knocking.FORM, headers=headers)


# Of about 350 mutants; the same ones in every run.
TRIED = 210


@pytest.mark.parametrize("kind", ["status", "inbound"])
def test_no_mutation_of_a_valid_text_webhook_is_taken(in_northside, settings, kind):
    attempt = handed_over()
    identity = attempt.message.identity
    if kind == "status":
        path, fields = status_path(attempt), status_fields(attempt, "failed", sid(), "21610")
    else:
        path = f"/webhooks/twilio/{identity.key}/inbound/"
        fields = text_fields(identity, attempt.message.to_address, "STOP")
    signed = RequestValidator("auth-token").compute_signature(settings.PUBLIC_URL + path, fields)
    wheel, client = random.Random(7), Client()
    mutants = list(_mutants(path, fields, signed, wheel))
    for mutant in wheel.sample(mutants, TRIED):
        answer = _post(client, *mutant)
        assert answer.status_code in {400, 403, 404, 405}, mutant
    assert _untouched()
    assert _post(client, path, fields, signed).status_code in {200, 204}
    assert not _untouched()


def test_no_forged_mail_webhook_is_taken(in_northside):
    attempt = handed_over_email()
    identity, event, signed = attempt.message.identity, mail_event(attempt, "complained"), signature()
    forged = [
        *({**signed, "token": signed["token"][:place] + "g" + signed["token"][place + 1 :]} for place in range(50)),
        *({**signed, "signature": signed["signature"][:place] + "g"} for place in range(64)),
        *(
            {**signed, "signature": signed["signature"][:place] + "g" + signed["signature"][place + 1 :]}
            for place in range(64)
        ),
        *({**signed, "timestamp": str(int(signed["timestamp"]) + later)} for later in (*range(1, 30), -86400, 86400)),
        *({name: value for name, value in signed.items() if name != missing} for missing in signed),
        {**signed, "signature": ""},
        {**signed, "signature": None},
        {**signed, "timestamp": "now"},
        signature(secret="another"),
        signature(secret=""),
        signature(at=time.time() - 2 * 86400),
        signature(at=time.time() + 2 * 86400),
    ]
    assert len(forged) > 200
    client = Client(enforce_csrf_checks=True)
    for each in forged:
        assert mailgun(identity, event, each, client).status_code == 403, each
    for body in ("", "{", "[]", "null", '{"signature": 1}', '{"signature": {}, "event-data": {}}'):
        answer = Client().post(f"/webhooks/mailgun/{identity.key}/tracking/", body, content_type="application/json")
        assert answer.status_code == 403
    assert _untouched()


def test_a_captured_mail_signature_serves_no_second_event(in_northside):
    attempt = handed_over_email()
    identity, signed = attempt.message.identity, signature()
    assert mailgun(identity, mail_event(attempt, "delivered"), signed).status_code == 204
    mailgun(identity, mail_event(attempt, "complained"), signed)
    assert ProviderEvent.objects.count() == 1
    assert not Message.objects.get().complained_at


def test_signed_nonsense_is_refused_without_failing(in_northside):
    identity = EmailIdentityFactory()
    for event in ({}, {"id": "x"}, {"id": "x", "event": "delivered", "message": "words"}, [], "words", None):
        assert mailgun(identity, event).status_code == 400
    assert _untouched()


def test_a_mail_service_knocking_again_for_hours_is_still_heard(in_northside):
    attempt = handed_over_email()
    answer = mailgun(attempt.message.identity, mail_event(attempt, "delivered"), signature(at=time.time() - 7 * 3600))
    assert answer.status_code == 204
    assert Message.objects.get().state == "delivered"


def test_unknown_identities_wrong_accounts_and_strange_lines_are_refused(in_northside):
    attempt = handed_over()
    identity, fields = attempt.message.identity, status_fields(attempt, "sent", sid())
    other = TextIdentityFactory()
    nobody = f"/webhooks/twilio/{uuid.uuid4()}/status/{attempt.key}/"
    assert twilio(nobody, fields).status_code == 403
    assert twilio(status_path(attempt), fields | {"AccountSid": "AC" + "9" * 32}).status_code == 403
    assert twilio(status_path(attempt), fields | {"From": other.address}).status_code == 403
    assert twilio(status_path(attempt), fields | {"To": "+16175559999"}).status_code == 403
    # The identity of another line of the same account and practice.
    other.account = identity.account
    other.save()
    crossed = fields | {"From": other.address}
    assert twilio(status_path(attempt, other), crossed).status_code == 403
    assert twilio(f"/webhooks/twilio/{identity.key}/status/{uuid.uuid4()}/", fields).status_code == 403
    assert _untouched()


def test_an_identity_without_a_secret_believes_nobody(in_northside):
    attempt = handed_over(TextIdentityFactory(encrypted_secret=""))
    fields = status_fields(attempt, "sent", sid())
    assert twilio(status_path(attempt), fields, secret="").status_code == 403
    mail = handed_over_email(identity=EmailIdentityFactory(encrypted_webhook_secret=""))
    assert mailgun(mail.message.identity, mail_event(mail, "delivered"), signature(secret="")).status_code == 403
    assert _untouched()


def test_another_practices_keys_open_nothing(northside, southside):
    with practice_scope(southside):
        theirs, their_mail = handed_over(), handed_over_email()
    with practice_scope(northside):
        ours, our_mail = handed_over(), handed_over_email()
    # Signed by our own account, about their hand-over.
    crossed = status_path(theirs, ours.message.identity)
    fields = status_fields(ours, "delivered", sid())
    assert twilio(crossed, fields).status_code == 403
    assert twilio(crossed, fields | {"To": theirs.message.to_address}).status_code == 403
    assert mailgun(our_mail.message.identity, mail_event(their_mail, "complained")).status_code == 403
    # Their identity, our signature's account.
    assert twilio(status_path(theirs), fields).status_code == 403
    for practice in (northside, southside):
        with practice_scope(practice):
            assert _untouched()
    with practice_scope(southside):
        assert not theirs.message.contact_point.all_opted_out_at


def test_a_stop_to_one_practice_leaves_the_other_alone(northside, southside):
    with practice_scope(southside):
        PatientFactory(cell="+16175550134", first_name=CANARY)
    with practice_scope(northside):
        PatientFactory(cell="+16175550134")
        answer = text_in(TextIdentityFactory(), "+16175550134", "STOP")
        assert CANARY not in answer.content.decode()
    with practice_scope(southside):
        assert Patient.objects.get().can_text
        assert not InboundMessage.objects.exists()


def test_a_repeated_field_is_refused(in_northside, settings):
    attempt = handed_over()
    path, fields = status_path(attempt), status_fields(attempt, "sent", sid())
    signed = RequestValidator("auth-token").compute_signature(settings.PUBLIC_URL + path, fields)
    body = urlencode(fields) + "&" + urlencode({"To": fields["To"]})
    answer = Client().post(path, body, content_type=knocking.FORM, headers={"X-Twilio-Signature": signed})
    assert answer.status_code == 403
    assert _untouched()


def test_a_large_body_is_refused_unread(in_northside):
    attempt = handed_over()
    fields = status_fields(attempt, "sent", sid()) | {"Padding": "x" * 300_000}
    assert twilio(status_path(attempt), fields).status_code == 413
    assert mailgun(EmailIdentityFactory(), {"id": "x" * 300_000}).status_code == 413
    assert _untouched()


def test_nothing_of_what_was_said_reaches_the_log(in_northside, caplog):
    caplog.set_level("DEBUG")
    attempt = handed_over()
    number = attempt.message.to_address
    text_in(attempt.message.identity, number, "my knee hurts ZZSECRET")
    tell_status(attempt, "delivered", sid())
    tell_mail(handed_over_email(), "opened")
    twilio(status_path(attempt), status_fields(attempt, "sent", sid()), secret="wrong")
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("messaging"))
    assert "ZZSECRET" not in ours
    assert number not in ours


def test_characters_the_database_cannot_keep_are_taken_out(in_northside):
    identity = TextIdentityFactory()
    PatientFactory(cell="+16175550134")
    assert text_in(identity, "+16175550134", "hello\x00 there 👩‍👩‍👧 \u202e").status_code == 200
    assert InboundMessage.objects.get().body == "hello there 👩‍👩‍👧 \u202e"
