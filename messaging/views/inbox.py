from typing import Any

from django.core.paginator import Paginator
from django.db.models import Case, Count, IntegerField, Max, Q, Value, When
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from audience.listing import search
from audience.models import Patient
from messaging.models import InboundMessage
from trackstat.htmx import page
from trackstat.tenancy.permissions import needs

ON_A_PAGE = 50
STRANGERS = 20


@require_GET
@needs("messaging.view_conversation")
def inbox(request: HttpRequest) -> HttpResponse:
    """Patients who wrote, unread first, then the newest; numbers nobody has are listed below."""
    q = " ".join(request.GET.get("q", "").split())[:100]
    unread = request.GET.get("view") == "unread"
    found = InboundMessage.objects.filter(patient__isnull=False)
    if q:
        found = found.filter(patient__in=search(Patient.objects.all(), q))
    conversations = (
        found.values("patient_id")
        .annotate(
            last=Max("pk"),
            last_at=Max("received_at"),
            unread=Count("pk", filter=Q(read_at=None)),
            unread_first=Case(When(Q(unread__gt=0), then=Value(0)), default=Value(1), output_field=IntegerField()),
        )
        .order_by("unread_first", "-last_at", "-last")
    )
    if unread:
        conversations = conversations.filter(unread__gt=0)
    shown = Paginator(conversations, ON_A_PAGE).get_page(request.GET.get("page"))
    return page(
        request,
        "messaging/inbox.html",
        partial="rows",
        shown=shown,
        rows=_rows(request, list(shown)),
        q=q,
        unread_only=unread,
        all_shown=not unread,
        unread_count=unread_conversations(request),
        strangers=_strangers() if not q and not unread else [],
    )


def unread_conversations(request: Any) -> int:
    """Patients with a text nobody has looked at yet; the number beside Inbox in the menu."""
    return InboundMessage.objects.filter(patient__isnull=False, read_at=None).values("patient_id").distinct().count()


def _rows(request: HttpRequest, conversations: list[dict]) -> list[dict]:
    newest = InboundMessage.objects.select_related("patient").in_bulk([each["last"] for each in conversations])
    return [
        {
            "patient": newest[each["last"]].patient,
            "newest": newest[each["last"]],
            "unread": each["unread"],
            "url": request.practice.url("messaging:conversation", each["patient_id"]) + "#newest",
        }
        for each in conversations
    ]


def _strangers() -> list[InboundMessage]:
    found = InboundMessage.objects.filter(patient=None).select_related("contact_point")
    return list(found.order_by("-received_at", "-pk")[:STRANGERS])
