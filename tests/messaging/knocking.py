"""Requests as Twilio and Mailgun make them, with real signatures, through Django's test client."""

import hashlib
import hmac
import itertools
import json
import secrets
import time
import uuid
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client
from twilio.request_validator import RequestValidator

from messaging.models import Attempt, Message, SendingIdentity
from tests.factories import EmailIdentityFactory, MessageFactory, PatientFactory, TextIdentityFactory

FORM = "application/x-www-form-urlencoded"
_numbers = itertools.count(1)


def sid() -> str:
    return f"SM{next(_numbers):032x}"


def handed_over(identity: SendingIdentity | None = None, **fields) -> Attempt:
    """A message in the middle of its hand-over, in the practice in scope."""
    identity = identity or TextIdentityFactory()
    message = MessageFactory(
        identity=identity,
        channel=identity.channel,
        **{"state": Message.State.SENDING, "lease_token": uuid.uuid4(), "armed_at": "2026-11-20T15:00Z"}
        | {"lease_until": "2026-11-20T15:01Z"}
        | fields,
    )
    return Attempt.objects.create(
        key=uuid.uuid4(), message=message, provider=identity.provider, started_at=message.armed_at
    )


def handed_over_email(**fields) -> Attempt:
    identity = fields.pop("identity", None) or EmailIdentityFactory()
    patient = fields.pop("patient", None) or PatientFactory()
    return handed_over(identity, patient=patient, body="", **fields)


def twilio(path: str, fields: dict, secret: str = "auth-token", **extra):
    """POST `fields` to the path below our public address, signed with `secret`."""
    signature = RequestValidator(secret).compute_signature(settings.PUBLIC_URL + path, fields)
    return Client(enforce_csrf_checks=True).post(
        path, urlencode(fields), content_type=FORM, headers={"X-Twilio-Signature": signature}, **extra
    )


def status_path(attempt: Attempt, identity: SendingIdentity | None = None) -> str:
    return f"/webhooks/twilio/{(identity or attempt.message.identity).key}/status/{attempt.key}/"


def status_fields(attempt: Attempt, status: str, message_sid: str, code: str = "") -> dict:
    message = attempt.message
    fields = {
        "AccountSid": message.identity.account,
        "ApiVersion": "2010-04-01",
        "From": message.identity.address,
        "MessageSid": message_sid,
        "MessageStatus": status,
        "SmsSid": message_sid,
        "SmsStatus": status,
        "To": message.to_address,
    }
    return fields | ({"ErrorCode": code} if code else {})


def tell_status(attempt: Attempt, status: str, message_sid: str, code: str = ""):
    return twilio(status_path(attempt), status_fields(attempt, status, message_sid, code))


def text_fields(identity: SendingIdentity, number: str, body: str, **more) -> dict:
    message_sid = sid()
    return {
        "AccountSid": identity.account,
        "ApiVersion": "2010-04-01",
        "Body": body,
        "From": number,
        "MessageSid": message_sid,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsMessageSid": message_sid,
        "SmsSid": message_sid,
        "SmsStatus": "received",
        "To": identity.address,
    } | more


def text_in(identity: SendingIdentity, number: str, body: str, **more):
    return twilio(f"/webhooks/twilio/{identity.key}/inbound/", text_fields(identity, number, body, **more))


def mail_event(attempt: Attempt | None, event: str, recipient: str = "", **more) -> dict:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads"""
    data = {
        "id": secrets.token_urlsafe(16),
        "event": event,
        "timestamp": time.time(),
        "recipient": recipient or (attempt.message.to_address if attempt else "someone@mail.example"),
        "user-variables": {"attempt": str(attempt.key)} if attempt else {},
        "message": {"headers": {"message-id": f"{attempt.key}@mail.northside.example"}} if attempt else {},
        "delivery-status": {"code": 250, "message": "OK"},
    }
    return data | more


def signature(secret: str = "signing-key", at: float | None = None) -> dict:
    stamp, token = str(int(at or time.time())), secrets.token_hex(25)
    signed = hmac.new(secret.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"timestamp": stamp, "token": token, "signature": signed}


def mailgun(identity: SendingIdentity, event: dict, signed: dict | None = None, client: Client | None = None):
    """`client`: for many knocks one after the other, because each new one loads the middleware again."""
    body = json.dumps({"signature": signed or signature(), "event-data": event})
    return (client or Client(enforce_csrf_checks=True)).post(
        f"/webhooks/mailgun/{identity.key}/tracking/", body, content_type="application/json"
    )


def tell_mail(attempt: Attempt, event: str, **more):
    return mailgun(attempt.message.identity, mail_event(attempt, event, **more))
