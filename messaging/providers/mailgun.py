"""Emails through Mailgun's HTTP API, with Anymail. One recipient a call: a batch would be one big uncertain thing."""

import hashlib
import hmac
import json
import time
from email.utils import formataddr
from typing import Any
from uuid import UUID

import requests
from anymail.backends.mailgun import EmailBackend
from anymail.exceptions import AnymailError, AnymailInvalidAddress, AnymailRequestsAPIError
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest

from messaging.models import Attempt, ProviderEvent, SendingIdentity
from messaging.providers import wire
from messaging.providers.base import (
    Accepted,
    Later,
    Outgoing,
    Provider,
    ProviderUnusable,
    Refused,
    Result,
    Told,
    Unclear,
    message_id,
)

TRY_AGAIN_SECONDS = 15
# Mailgun goes on trying a webhook for eight hours.
OLDEST_SIGNATURE_SECONDS = 12 * 3600


class _Backend(EmailBackend):
    def create_session(self) -> requests.Session:
        session = wire.mount(super().create_session(), settings.DISPATCH_THREADS)
        session.trust_env = not settings.MAILGUN_API_URL
        return session


class Mailgun(Provider):
    name = "mailgun"

    def __init__(self, identity: SendingIdentity):
        super().__init__(identity)
        if identity.is_sandbox != bool(settings.MAILGUN_API_URL):
            raise ProviderUnusable(
                "This address exists only in the sandbox." if identity.is_sandbox else "The sandbox sends no real mail."
            )
        where = {"api_url": settings.MAILGUN_API_URL} if settings.MAILGUN_API_URL else {}
        self._backend = _Backend(
            api_key=identity.secret,
            sender_domain=identity.account,
            timeout=(settings.PROVIDER_CONNECT_TIMEOUT, settings.PROVIDER_READ_TIMEOUT),
            **where,
        )
        self._backend.open()
        self._from = formataddr((identity.from_name, identity.address))

    def close(self) -> None:
        self._backend.close()

    def send(self, outgoing: Outgoing) -> Result:
        wire.forget()
        message = self._message(outgoing)
        try:
            self._backend.send_messages([message])
        except AnymailInvalidAddress:
            return Refused("mail_address")
        except AnymailRequestsAPIError as error:
            if error.status_code is None:
                return self._no_answer(error)
            return _refusal(error.status_code, error.response)
        except (AnymailError, requests.RequestException, ValueError) as error:
            return self._no_answer(error) if wire.bytes_left() else Refused("mail_refused")
        return Accepted(message_id(outgoing.attempt_key, self.identity.account), 200)

    def _message(self, outgoing: Outgoing) -> EmailMultiAlternatives:
        message: Any = EmailMultiAlternatives(
            outgoing.subject,
            outgoing.body,
            self._from,
            [outgoing.to],
            reply_to=[self.identity.reply_to] if self.identity.reply_to else None,
            headers={"Message-ID": message_id(outgoing.attempt_key, self.identity.account), **outgoing.headers},
        )
        message.attach_alternative(outgoing.html, "text/html")
        message.metadata = {"attempt": str(outgoing.attempt_key)}
        # What patients open and click is nobody else's to know; links of our own are counted by us.
        message.track_opens = message.track_clicks = False
        return message

    def _no_answer(self, error: Exception) -> Result:
        if wire.bytes_left():
            return Unclear(type(error).__name__)
        return Later(TRY_AGAIN_SECONDS, "connect")

    def verify(self, request: HttpRequest) -> bool:
        try:
            signature = json.loads(request.body)["signature"]
            stamp, token, given = (str(signature[name]) for name in ("timestamp", "token", "signature"))
            fresh = abs(time.time() - int(stamp)) < OLDEST_SIGNATURE_SECONDS
        except (ValueError, KeyError, TypeError):
            return False
        key = self.identity.webhook_secret
        expected = hmac.new(key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
        return bool(key) and fresh and hmac.compare_digest(given.encode(), expected.encode())

    def parse(self, request: HttpRequest, attempt_key: UUID | None = None) -> list[Told]:
        said = json.loads(request.body)
        event = said.get("event-data")
        if not isinstance(event, dict) or not event.get("id") or not event.get("event"):
            raise ValueError("event-data has no id or no event")
        headers = (event.get("message") or {}).get("headers") or {}
        status = event.get("delivery-status") or {}
        payload = {
            "event": event["event"],
            "severity": event.get("severity", ""),
            "reason": event.get("reason", ""),
            "timestamp": event.get("timestamp"),
            "message_id": headers.get("message-id", ""),
            "recipient": event.get("recipient") or "",
            "code": status.get("code"),
            "description": status.get("description") or status.get("message") or "",
        }
        key = attempt_key or _uuid((event.get("user-variables") or {}).get("attempt"))
        # The signature covers its time and token, not the event: by the token, a captured one serves only once.
        return [Told(ProviderEvent.Kind.TRACKING, str(said["signature"]["token"])[:200], payload, key)]

    def find(self, attempt: Attempt) -> list[str]:
        """By the Message-ID that the attempt's key alone decides."""
        wanted = message_id(attempt.key, self.identity.account)
        answer = self._backend.session.get(
            f"{self._backend.api_url}{self.identity.account}/events",
            params={"message-id": wanted.strip("<>"), "limit": 1},
            auth=("api", self.identity.secret),
            timeout=self._backend.timeout,
        )
        answer.raise_for_status()
        return [wanted] if answer.json()["items"] else []


def _refusal(status: int, response: requests.Response) -> Result:
    if status == 429:
        try:
            wait = float(response.headers.get("Retry-After", TRY_AGAIN_SECONDS))
        except ValueError:
            wait = TRY_AGAIN_SECONDS
        return Later(max(1.0, min(wait, 3600.0)), "429", status)
    if status in (401, 402, 403):
        return Refused("mail_unauthorized", status)
    if status == 404:
        return Refused("mail_domain", status)
    if status in (400, 413):
        bad_address = "not a valid address" in response.text
        return Refused("mail_address" if bad_address else "mail_refused", status)
    # An error of theirs, or an answer that cannot be read: it may have been taken all the same.
    return Unclear(f"HTTP {status}", status)


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
