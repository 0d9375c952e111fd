"""The doors providers knock at. They lie outside every practice: the identity in the address leads to its practice.

Verify → store (a repeat is a no-op by its key) → apply, in one transaction. Nothing is written for a request that
is not signed for that identity (403). An event that cannot be applied is kept and tried again by the tick, so the
provider hears 2xx; it hears 5xx, and knocks again, only when the database is away. Twilio's signatures carry no time
and Mailgun knocks for up to eight hours, so age is no protection: the unique key of the event is.
"""

import json
import re
from collections.abc import Callable
from functools import wraps
from uuid import UUID
from xml.sax.saxutils import escape

from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from messaging import providers, receipts
from messaging.models import Attempt, ProviderEvent, SendingIdentity
from messaging.providers.base import Told
from trackstat.tenancy.scope import across_practices, current_practice_id, practice_scope

LARGEST_BODY = 256 * 1024
_REFUSED_BY_THE_DATABASE = re.compile("[\x00\ud800-\udfff]")


def _door(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @csrf_exempt
    @require_POST
    @wraps(view)
    def guarded(request: HttpRequest, **named: UUID) -> HttpResponse:
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
            return HttpResponse(status=413)
        try:
            return view(request, **named)
        except (OperationalError, InterfaceError):
            return HttpResponse(status=503, headers={"Retry-After": "30"})

    return guarded


@_door
def twilio_status(request: HttpRequest, identity_key: UUID, attempt_key: UUID) -> HttpResponse:
    identity = _signed(request, SendingIdentity.Provider.TWILIO, identity_key)
    if identity is None or not _names_each_once(request) or not _is_line(identity, request, "From"):
        return HttpResponseForbidden()
    told = _told(identity, request, ProviderEvent.Kind.STATUS, attempt_key)
    if told is None:
        return HttpResponse(status=400)
    with practice_scope(identity.practice_id):
        handed_over = Attempt.objects.filter(key=attempt_key, message__identity=identity)
        if not handed_over.filter(message__to_address=told.payload.get("To")).exists():
            return HttpResponseForbidden()
        _take(identity, told)
    return HttpResponse(status=204)


@_door
def twilio_inbound(request: HttpRequest, identity_key: UUID) -> HttpResponse:
    identity = _signed(request, SendingIdentity.Provider.TWILIO, identity_key)
    if identity is None or not _names_each_once(request) or not _is_line(identity, request, "To"):
        return HttpResponseForbidden()
    told = _told(identity, request, ProviderEvent.Kind.INBOUND)
    if told is None or "Body" not in told.payload or not told.payload.get("From"):
        return HttpResponse(status=400)
    with practice_scope(identity.practice_id):
        answer = _take(identity, told, may_answer=True)
    return _twiml(answer)


@_door
def mailgun_tracking(request: HttpRequest, identity_key: UUID) -> HttpResponse:
    identity = _signed(request, SendingIdentity.Provider.MAILGUN, identity_key)
    if identity is None:
        return HttpResponseForbidden()
    told = _told(identity, request, ProviderEvent.Kind.TRACKING)
    if told is None:
        return HttpResponse(status=400)
    with practice_scope(identity.practice_id):
        if told.attempt_key and not Attempt.objects.filter(key=told.attempt_key, message__identity=identity).exists():
            return HttpResponseForbidden()
        _take(identity, told)
    return HttpResponse(status=204)


def _signed(request: HttpRequest, provider: str, identity_key: UUID) -> SendingIdentity | None:
    """The identity, when there is one of that key and it is the one this request was signed for."""
    with across_practices("webhook"):
        identity = SendingIdentity.objects.filter(key=identity_key, provider=provider).first()
    # An empty secret would make a signature anybody can compute.
    if identity is None or not (identity.webhook_secret or identity.secret):
        return None
    try:
        with providers.of(identity) as door:
            return identity if door.verify(request) else None
    except providers.ProviderUnusable:
        return None


def _names_each_once(request: HttpRequest) -> bool:
    """Twilio's signature does not tell a repeated value from a single one; Twilio itself repeats none."""
    return all(len(values) == 1 for _, values in request.POST.lists())


def _is_line(identity: SendingIdentity, request: HttpRequest, name: str) -> bool:
    """Whether our end of the text is this identity: its number, or one of its messaging service."""
    if identity.messaging_service and request.POST.get("MessagingServiceSid") == identity.messaging_service:
        return True
    return request.POST.get(name) == identity.address


def _told(identity: SendingIdentity, request: HttpRequest, kind: str, attempt_key: UUID | None = None) -> Told | None:
    try:
        with providers.of(identity) as door:
            [told] = door.parse(request, attempt_key)
    except (ValueError, TypeError, AttributeError, KeyError):
        # Signed, but not what the provider's documentation describes.
        return None
    return told if told.kind == kind and 0 < len(told.event_key) <= 200 else None


def _take(identity: SendingIdentity, told: Told, *, may_answer: bool = False) -> str:
    """Store the event and apply it, in the practice in scope; a repeat does nothing. The answer to a patient's text."""
    key, payload = _clean(told.event_key), _clean(told.payload)
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO messaging_providerevent
                   (practice_id, identity_id, kind, event_key, attempt_key, payload, received_at, problem)
               VALUES (%s, %s, %s, %s, %s, %s, trackstat.now(), '')
               ON CONFLICT (practice_id, identity_id, event_key) DO NOTHING RETURNING id, received_at""",
            [
                current_practice_id(),
                identity.pk,
                told.kind,
                key,
                told.attempt_key,
                json.dumps(payload),
            ],
        )
        row = cursor.fetchone()
    if row is None:
        return ""
    event = ProviderEvent(
        pk=row[0],
        identity=identity,
        kind=told.kind,
        event_key=key,
        attempt_key=told.attempt_key,
        payload=payload,
        received_at=row[1],
    )
    return receipts.settle(event, may_answer=may_answer)


def _clean(value):
    """Without the characters PostgreSQL cannot keep."""
    if isinstance(value, dict):
        return {_clean(name): _clean(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return _REFUSED_BY_THE_DATABASE.sub("", value) if isinstance(value, str) else value


def _twiml(answer: str) -> HttpResponse:
    message = f"<Message>{escape(answer)}</Message>" if answer else ""
    return HttpResponse(
        f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>', content_type="text/xml; charset=utf-8"
    )
