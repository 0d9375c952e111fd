"""`record()` writes who did what, in the same transaction as the deed."""

from contextvars import ContextVar
from ipaddress import ip_address as ip_address_of
from typing import Any

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest

from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import current_scope

ip_address: ContextVar[str | None] = ContextVar("ip_address", default=None)


def address_of(request: HttpRequest) -> str | None:
    """The address a request came from, past as many proxies as TRUSTED_PROXIES says are ours."""
    proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    found = forwarded[-proxies] if proxies and len(forwarded) >= proxies else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address_of(found))
    except ValueError:
        return None


def record(action: str, about: Model | None = None, *, user_id: int | None = None, **detail: Any) -> AuditEvent:
    """`detail` holds ids, counts and names of fields, never a patient's data."""
    return AuditEvent.objects.create(
        action=action,
        object_type=about._meta.label_lower if about is not None else "",
        object_id=about.pk if about is not None else None,
        user_id=user_id if user_id is not None else current_scope().user_id,
        detail=detail,
        ip=ip_address.get(),
    )
