"""Texts through Twilio's Messages API, with its own client.

There is no idempotency key: 429 is the only error answer that is surely unsent and may be tried again.
"""

import datetime as dt
import threading
from typing import Any
from uuid import UUID

import requests
from django.conf import settings
from django.http import HttpRequest
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

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
)

# Twilio keeps a text in its queue between these many seconds.
SHORTEST_VALIDITY, LONGEST_VALIDITY = 1, 36_000
HOSTS = ("https://api.twilio.com/", "https://lookups.twilio.com/", "https://messaging.twilio.com/")
# Seconds until the carrier or its account is tried again where it named none.
TRY_AGAIN_SECONDS = 15
# A text cannot be older than its attempt by more than our clock and the carrier's differ.
CLOCKS_DIFFER = dt.timedelta(minutes=2)


class UnmappedHost(Exception):
    """Something would have left for the real Twilio from a process that talks to a stand-in."""


class TwilioHttp(HttpClient):
    """One pooled session for all threads of a lane, with timeouts and without retries.

    Twilio's own class keeps the last response on itself, so threads sharing it can be given each other's answer.
    """

    def __init__(self) -> None:
        super().__init__(None, False)
        self.session = wire.mount(requests.Session(), settings.DISPATCH_THREADS)
        # No proxy stands between this machine and a carrier on it.
        self.session.trust_env = not settings.TWILIO_API_URL
        self._last = threading.local()

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        if settings.TWILIO_API_URL:
            if not uri.startswith(HOSTS):
                raise UnmappedHost(uri.split("?")[0])
            uri = wire.rebased(uri, settings.TWILIO_API_URL)
        answer = self.session.request(
            method.upper(),
            uri,
            params=params,  # type: ignore[arg-type]
            data=data,
            headers=headers,
            auth=auth,
            timeout=(settings.PROVIDER_CONNECT_TIMEOUT, settings.PROVIDER_READ_TIMEOUT),
            allow_redirects=False,
        )
        self._last.retry_after = answer.headers.get("Retry-After", "")
        return Response(answer.status_code, answer.text, answer.headers)

    def retry_after(self) -> float:
        """Seconds this thread's last answer asked us to wait: its exception does not carry them."""
        try:
            return max(1.0, min(float(self._last.retry_after), 3600.0))
        except ValueError:
            return TRY_AGAIN_SECONDS


class Twilio(Provider):
    name = "twilio"

    def __init__(self, identity: SendingIdentity):
        super().__init__(identity)
        if identity.is_sandbox != bool(settings.TWILIO_API_URL):
            raise ProviderUnusable(
                "This line exists only in the sandbox." if identity.is_sandbox else "The sandbox sends no real texts."
            )
        self._http = TwilioHttp()
        self._client = Client(identity.account, identity.secret, http_client=self._http)
        self._callback = f"{settings.PUBLIC_URL}/webhooks/twilio/{identity.key}/status/"
        self._sender = (
            {"messaging_service_sid": identity.messaging_service}
            if identity.messaging_service
            else {"from_": identity.address}
        )

    def close(self) -> None:
        self._http.session.close()

    def send(self, outgoing: Outgoing) -> Result:
        wire.forget()
        try:
            message = self._client.messages.create(
                to=outgoing.to,
                body=outgoing.body,
                # Five tries on any failure: callbacks are what proves a hand-over whose answer was lost.
                status_callback=f"{self._callback}{outgoing.attempt_key}/#rc=5&rp=all",
                validity_period=max(SHORTEST_VALIDITY, min(outgoing.valid_seconds, LONGEST_VALIDITY)),
                **self._sender,
            )
        except (TwilioRestException, TwilioServiceException) as error:
            return self._refusal(error.status, error.code or 0)
        except (requests.RequestException, TwilioException, UnmappedHost, ValueError, KeyError) as error:
            if wire.bytes_left():
                return Unclear(type(error).__name__)
            return Later(TRY_AGAIN_SECONDS, "connect")
        if not message.sid:
            return Unclear("no sid")
        return Accepted(message.sid, 201)

    def _refusal(self, status: int, code: int) -> Result:
        if status == 429:
            return Later(self._http.retry_after(), str(code), status)
        if 400 <= status < 500 and code >= 10_000:
            return Refused(str(code), status)
        # A 500 may be the answer to something that was done; a 4xx without Twilio's code came from in between.
        return Unclear(f"HTTP {status}", status)

    def line_type(self, number: str) -> str:
        """mobile, landline, fixedVoip, …; "" when unknown. Raises TwilioException and RequestException."""
        answer = self._client.lookups.v2.phone_numbers(number).fetch(fields="line_type_intelligence")
        return (answer.line_type_intelligence or {}).get("type") or ""

    def verify(self, request: HttpRequest) -> bool:
        """X-Twilio-Signature over our public address, whatever proxy the request came through. It has no time in it."""
        signature = request.headers.get("X-Twilio-Signature")
        if not signature:
            return False
        secret = self.identity.webhook_secret or self.identity.secret
        url = settings.PUBLIC_URL + request.get_full_path()
        account = request.POST.get("AccountSid", "")
        return account == self.identity.account and RequestValidator(secret).validate(url, request.POST, signature)

    def parse(self, request: HttpRequest, attempt_key: UUID | None = None) -> list[Told]:
        said = {name: value for name, value in request.POST.items() if isinstance(value, str)}
        sid = said.get("MessageSid") or said.get("SmsSid", "")
        if not sid:
            raise ValueError("MessageSid is missing")
        if "MessageStatus" in said or attempt_key:
            key = f"{sid}|{said.get('MessageStatus', '')}|{said.get('ErrorCode', '')}"
            return [Told(ProviderEvent.Kind.STATUS, key, said, attempt_key)]
        return [Told(ProviderEvent.Kind.INBOUND, f"{sid}|received", said)]

    def find(self, attempt: Attempt) -> list[str]:
        """By number, sender and words; not by date sent, which is empty while a text is queued."""
        message, earliest = attempt.message, attempt.started_at - CLOCKS_DIFFER
        return [
            found.sid
            for found in self._client.messages.list(to=message.to_address, limit=1000)
            if found.direction == "outbound-api"
            and found.body == message.body
            and found.date_created >= earliest
            and self._sent_it(found)
        ]

    def _sent_it(self, found: Any) -> bool:
        if self.identity.messaging_service:
            return found.messaging_service_sid == self.identity.messaging_service
        return found.from_ == self.identity.address
