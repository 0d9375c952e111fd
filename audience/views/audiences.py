"""Saved audiences: the list, and what one does with each as a whole."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from audience import saved
from audience.filters import BadDefinition
from audience.models import SavedAudience
from trackstat.clock import now
from trackstat.htmx import page, redirect_to, wants_part
from trackstat.tenancy.permissions import needs

PER_PAGE = 25
# A number older than this is counted again while one looks at the list, one after the other.
OLD = dt.timedelta(minutes=10)
SORTS: dict[str, Any] = {"name": Lower("name"), "patients": F("counted"), "changed": F("updated_at")}


@require_GET
@needs("audience.view_audience")
def audiences(request: HttpRequest) -> HttpResponse:
    q = " ".join(request.GET.get("q", "").split())[:100]
    found = SavedAudience.objects.select_related("updated_by")
    if q:
        found = found.filter(Q(name__icontains=q) | Q(description__icontains=q))
    rows = Paginator(_sorted(found, request.GET.get("sort", "")), PER_PAGE).get_page(request.GET.get("page"))
    _with_uses(request, rows)
    any_at_all = bool(rows) or (bool(q) and SavedAudience.objects.exists())
    return page(request, "audience/audiences.html", "rows", rows=rows, q=q, any_at_all=any_at_all)


@require_GET
@needs("audience.view_audience")
def audience_count(request: HttpRequest, pk: int) -> HttpResponse:
    """A row with its sentence and number as of now."""
    row = find(pk)
    saved.look(row, request.practice)
    if not wants_part(request):
        return redirect_to(request, request.practice.url("audience:audiences"))
    _with_uses(request, [row])
    return page(request, "audience/audiences.html", "row", row=row)


@require_POST
@needs("audience.view_audience")
def rename_audience(request: HttpRequest, pk: int) -> HttpResponse:
    row = find(pk)
    try:
        saved.rename(row, request.POST.get("name", ""), request.POST.get("description", ""), request.user)
    except saved.BadName as bad:
        messages.error(request, str(bad))
    else:
        messages.success(request, f"It is called “{row.name}” now.")
    return redirect_to(request, request.practice.url("audience:audience", pk))


@require_POST
@needs("audience.view_audience")
def copy_audience(request: HttpRequest, pk: int) -> HttpResponse:
    original = find(pk)
    try:
        copied = saved.copy(original, request.user)
    except BadDefinition as bad:
        messages.error(request, f"“{original.name}” cannot be copied as it is. {bad}")
        return redirect_to(request, request.practice.url("audience:audience", pk))
    messages.success(request, f"This is a copy of “{original.name}”: give it a name of its own.")
    return redirect_to(request, request.practice.url("audience:audience", copied.pk))


@require_POST
@needs("audience.view_audience")
def delete_audience(request: HttpRequest, pk: int) -> HttpResponse:
    row = find(pk)
    saved.delete(row, request.user)
    messages.success(request, f"Deleted “{row.name}”. What began with it keeps its filters.")
    return redirect_to(request, request.practice.url("audience:audiences"))


def find(pk: int) -> SavedAudience:
    return get_object_or_404(SavedAudience.objects.select_related("updated_by"), pk=pk)


def _with_uses(request: HttpRequest, rows: Iterable[SavedAudience]) -> None:
    used, old = saved.used_by(request.practice, list(rows)), now() - OLD
    for row in rows:
        row.uses = used.get(row.pk, [])  # type: ignore[attr-defined]
        row.is_old = row.counted_at is None or row.counted_at < old  # type: ignore[attr-defined]


def _sorted(found: QuerySet[SavedAudience], sort: str) -> QuerySet[SavedAudience]:
    column = SORTS.get(sort.removeprefix("-"), SORTS["name"])
    ordered = column.desc(nulls_last=True) if sort.startswith("-") else column.asc(nulls_last=True)
    return found.order_by(ordered, "pk")
