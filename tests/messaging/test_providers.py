"""The same contract for every provider, over HTTP and SMTP against the real sandbox."""

import base64
import hashlib
import hmac
import json
import time
import uuid

import pytest
from django.test import RequestFactory
from twilio.request_validator import RequestValidator

from messaging import providers
from messaging.errors import Effect, effect
from messaging.models import Attempt
from messaging.providers.base import Accepted, Later, Outgoing, ProviderUnusable, Refused, Unclear
from messaging.providers.twilio import TwilioHttp, UnmappedHost
from tests.factories import ContentFactory, MessageFactory, PatientFactory
from tests.messaging.conftest import a_text_identity, an_email_identity
from tests.messaging.mailbox import an_smtp_identity, at_the_mailbox, leads_to
from tests.sandbox.conftest import a_number

__all__ = ["at_the_mailbox"]

pytestmark = pytest.mark.usefixtures("in_northside", "at_the_sandbox", "at_the_mailbox")
WHERE = {"twilio": "sms", "mailgun": "email", "smtp": "smtp"}


@pytest.fixture(params=WHERE)
def kind(request):
    return request.param


@pytest.fixture
def identity(kind, sandbox_server):
    make = {"twilio": a_text_identity, "mailgun": an_email_identity, "smtp": an_smtp_identity}
    return make[kind](sandbox_server)


@pytest.fixture
def provider(identity):
    with providers.of(identity) as provider:
        yield provider


@pytest.fixture
def outgoing(kind):
    to = a_number("415") if kind == "twilio" else f"{uuid.uuid4().hex}@mail.example"
    headers = {"List-Unsubscribe": "<http://x.example/u/t/>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return Outgoing(uuid.uuid4(), to, "Hi Ana", "Hello", "<p>Hi Ana</p>", headers if kind != "twilio" else {})


def accepted(sandbox, kind, to):
    return sandbox.messages(to) if kind == "twilio" else sandbox.mails(to)


def test_what_is_handed_over_arrives_with_the_attempts_key(provider, outgoing, sandbox, kind, identity):
    result = provider.send(outgoing)
    assert isinstance(result, Accepted)
    (arrived,) = accepted(sandbox, kind, outgoing.to)
    if kind == "twilio":
        assert result.provider_id == arrived["sid"]
        entry = sandbox.ledger("sms.accepted")[-1]
        assert f"/webhooks/twilio/{identity.key}/status/{outgoing.attempt_key}/#rc=5&rp=all" in entry["status_callback"]
    else:
        mail = sandbox.mail(arrived["id"])
        headers = {name.lower(): value for name, value in mail["headers"]}
        domain = identity.address.rpartition("@")[2]
        assert result.provider_id == headers["message-id"] == f"<{outgoing.attempt_key}@{domain}>"
        assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    if kind == "mailgun":
        assert sandbox.ledger("email.accepted")[-1]["variables"] == {"attempt": str(outgoing.attempt_key)}
        assert sandbox.ledger("email.accepted")[-1]["tracking"] == []


HTTP_FAULTS = [
    ({"action": "429", "retry_after": 7}, Later, 0),
    ({"action": "500_before"}, Unclear, 0),
    ({"action": "500_before", "status": 503}, Unclear, 0),
    ({"action": "500_after"}, Unclear, 1),
    ({"action": "reset_before"}, Unclear, 0),
    ({"action": "reset_after"}, Unclear, 1),
    ({"action": "stall_after", "seconds": 2}, Unclear, 1),
]
SMTP_FAULTS = [
    ({"action": "smtp_4xx"}, Later, 0),
    ({"action": "smtp_5xx"}, Refused, 0),
    ({"action": "smtp_drop_before_data"}, Unclear, 0),
    ({"action": "smtp_drop_after_data"}, Unclear, 1),
    ({"action": "stall_after", "seconds": 2}, Unclear, 1),
]


@pytest.mark.parametrize(
    ("kind", "fault", "expected", "arrives"),
    [("twilio", *each) for each in HTTP_FAULTS]
    + [("mailgun", *each) for each in HTTP_FAULTS]
    + [("smtp", *each) for each in SMTP_FAULTS],
)
def test_only_what_is_surely_unsent_may_be_tried_again(
    outgoing, sandbox, kind, settings, identity, fault, expected, arrives
):
    settings.PROVIDER_READ_TIMEOUT = 0.5
    sandbox.set_faults([{"where": WHERE[kind], **fault}])
    with providers.of(identity) as provider:
        result = provider.send(outgoing)
    assert isinstance(result, expected)
    assert len(accepted(sandbox, kind, outgoing.to)) == arrives
    if expected is Later:
        assert result.after_seconds == (300 if kind == "smtp" else 7)


def test_a_refused_connection_is_surely_unsent(identity, outgoing, settings):
    settings.TWILIO_API_URL = settings.MAILGUN_API_URL = "http://127.0.0.1:9"
    leads_to(settings, "127.0.0.1", 9)
    with providers.of(identity) as provider:
        assert isinstance(provider.send(outgoing), Later)


def test_a_name_that_cannot_be_resolved_is_surely_unsent(identity, outgoing, settings):
    settings.TWILIO_API_URL = settings.MAILGUN_API_URL = settings.SANDBOX_URL = "http://nowhere.invalid"
    leads_to(settings, "nowhere.invalid", 25)
    with providers.of(identity) as provider:
        assert isinstance(provider.send(outgoing), Later)


def test_a_wrong_key_is_a_refusal_that_pauses_the_sender(identity, outgoing, kind):
    identity.secret = "user:wrong" if kind == "smtp" else "wrong"
    codes = {"twilio": "20003", "mailgun": "mail_unauthorized", "smtp": "mail_sign_in"}
    with providers.of(identity) as provider:
        assert provider.send(outgoing).code == codes[kind]
    assert effect(codes[kind]) == Effect.PAUSE_SENDER


def test_an_identity_of_the_sandbox_never_reaches_the_real_service(identity, settings):
    settings.TWILIO_API_URL = settings.MAILGUN_API_URL = settings.SANDBOX_URL = ""
    with pytest.raises(ProviderUnusable, match="only in the sandbox"):
        providers.of(identity)


def test_a_real_identity_is_refused_by_a_process_that_talks_to_the_sandbox(identity):
    identity.is_sandbox = False
    with pytest.raises(ProviderUnusable, match="no real"):
        providers.of(identity)


def test_no_host_but_twilios_is_ever_rewritten():
    with pytest.raises(UnmappedHost):
        TwilioHttp().request("GET", "https://video.twilio.com/v1/Rooms")


@pytest.mark.parametrize(
    ("number", "code"), [("+15005550001", "21211"), ("+15005550004", "21610"), ("+15005550009", "21614")]
)
def test_the_carriers_refusals_are_values(sandbox_server, number, code):
    with providers.of(a_text_identity(sandbox_server)) as provider:
        assert provider.send(Outgoing(uuid.uuid4(), number, "Hi")) == Refused(code, 400)


def test_a_messaging_service_sends_instead_of_one_number(sandbox_server, sandbox):
    service, to = "MG" + uuid.uuid4().hex, a_number("415")
    with providers.of(a_text_identity(sandbox_server, messaging_service=service)) as provider:
        assert isinstance(provider.send(Outgoing(uuid.uuid4(), to, "Hi")), Accepted)
    assert sandbox.messages(to)[0]["messaging_service_sid"] == service


@pytest.mark.parametrize("make", [an_email_identity, an_smtp_identity])
def test_a_mistyped_mailbox_is_a_refusal(sandbox_server, make):
    with providers.of(make(sandbox_server)) as provider:
        assert provider.send(Outgoing(uuid.uuid4(), "not an address", "Hi", "Hi", "Hi")) == Refused("mail_address")


def test_a_text_is_found_again_by_number_sender_and_words(sandbox_server, sandbox):
    identity = a_text_identity(sandbox_server)
    ana = PatientFactory(cell=a_number("415"))
    content = ContentFactory()
    message = MessageFactory(identity=identity, patient=ana, content=content, body="Hi Ana")
    twin = MessageFactory(identity=identity, patient=PatientFactory(cell=ana.cell), content=content, body="Hi Ana")
    with providers.of(identity) as provider:
        attempts = [Attempt.objects.create(key=uuid.uuid4(), message=m, provider="twilio") for m in (message, twin)]
        assert provider.find(attempts[0]) == []
        sid = provider.send(Outgoing(attempts[0].key, ana.cell, "Hi Ana")).provider_id
        assert provider.find(attempts[0]) == [sid]
        # The same words to the same phone: whose it is, messaging.reconcile decides.
        assert provider.find(attempts[1]) == [sid]


def signed_by_twilio(identity, fields, path, token="auth-token"):
    signature = RequestValidator(token).compute_signature(f"http://127.0.0.1:8000{path}", fields)
    return RequestFactory().post(path, fields, headers={"X-Twilio-Signature": signature, "Host": "inner:1"})


def test_only_what_twilio_signed_for_this_account_is_believed(sandbox_server):
    identity = a_text_identity(sandbox_server)
    key = uuid.uuid4()
    path = f"/webhooks/twilio/{identity.key}/status/{key}/"
    fields = {"AccountSid": identity.account, "MessageSid": "SM1", "MessageStatus": "delivered"}
    with providers.of(identity) as provider:
        request = signed_by_twilio(identity, fields, path)
        assert provider.verify(request)
        (told,) = provider.parse(request, key)
        assert (told.kind, told.event_key, told.attempt_key) == ("status", "SM1|delivered|", key)
        assert not provider.verify(signed_by_twilio(identity, fields, path, "another-token"))
        assert not provider.verify(signed_by_twilio(identity, fields | {"AccountSid": "AC0"}, path))
        assert not provider.verify(RequestFactory().post(path, fields))
        (inbound,) = provider.parse(RequestFactory().post(path, {"MessageSid": "SM2", "Body": "STOP"}))
        assert (inbound.kind, inbound.event_key) == ("inbound", "SM2|received")
        with pytest.raises(ValueError, match="MessageSid"):
            provider.parse(RequestFactory().post(path, {}))


def signed_by_mailgun(stamp, event, key="signing-key"):
    signature = hmac.new(key.encode(), f"{stamp}token".encode(), hashlib.sha256).hexdigest()
    body = {"signature": {"timestamp": str(stamp), "token": "token", "signature": signature}, "event-data": event}
    return RequestFactory().post("/", json.dumps(body), content_type="application/json")


def test_only_what_mailgun_signed_lately_is_believed(sandbox_server):
    key = uuid.uuid4()
    event = {"id": "e1", "event": "delivered", "user-variables": {"attempt": str(key)}}
    with providers.of(an_email_identity(sandbox_server)) as provider:
        request = signed_by_mailgun(int(time.time()), event)
        assert provider.verify(request)
        (told,) = provider.parse(request)
        assert (told.kind, told.event_key, told.attempt_key) == ("tracking", "token", key)
        assert not provider.verify(signed_by_mailgun(int(time.time()) - 90_000, event))
        assert not provider.verify(signed_by_mailgun(int(time.time()), event, "another-key"))
        assert not provider.verify(RequestFactory().post("/", "{", content_type="application/json"))
        with pytest.raises(ValueError, match="event-data"):
            provider.parse(signed_by_mailgun(1, {}))


def test_credentials_travel_as_basic_auth_and_nowhere_else(sandbox_server, sandbox):
    identity = a_text_identity(sandbox_server)
    with providers.of(identity) as provider:
        provider.send(Outgoing(uuid.uuid4(), a_number("415"), "Hi"))
    written = (sandbox_server.folder / "ledger.jsonl").read_text()
    assert base64.b64encode(f"{identity.account}:auth-token".encode()).decode() not in written
