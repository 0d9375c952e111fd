"""Testing and running a connection, and what a run brought: numbers, and what was rejected and why."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from audience import connecting
from audience.ehr import kinds
from audience.ehr.live.advice import advice
from audience.ehr.live.trouble import Refused
from audience.models import EhrSync, ImportRejection, ImportRun
from audience.spreadsheet import spreadsheet
from audience.tasks import sync as sync_task
from audience.tasks import tidy_up, try_out
from audience.views.connection_progress import by_kind
from audience.views.connections import MANAGE, find
from trackstat.celery import ring
from trackstat.htmx import page, redirect_to
from trackstat.tenancy import audit
from trackstat.tenancy.permissions import needs

REJECTED_ON_A_PAGE = 50


@require_POST
@needs(MANAGE)
def test(request: HttpRequest, pk: int) -> HttpResponse:
    asked = connecting.test(find(pk))
    ring(try_out, request.practice.pk, asked.pk)
    return redirect_to(request, request.practice.url("connections:connection", pk))


@require_POST
@needs(MANAGE)
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """Pressed twice it is one run."""
    found = find(pk)
    try:
        _, is_new = connecting.run(found, from_start=request.GET.get("from") == "start")
    except Refused as refused:
        messages.error(request, f"{refused}.")
    else:
        if not is_new:
            messages.info(request, "It is running already.")
        ring(sync_task, request.practice.pk, pk)
    return redirect_to(request, request.practice.url("connections:connection", pk))


@require_POST
@needs(MANAGE)
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    found = find(pk)
    try:
        stopped = connecting.stop(found)
    except Refused as refused:
        messages.error(request, f"{refused}.")
    else:
        if stopped:
            ring(tidy_up, request.practice.pk, stopped.pk)
            messages.success(request, "The run is stopped. The next one asks for the same again.")
    return redirect_to(request, request.practice.url("connections:connection", pk))


@require_GET
@needs(MANAGE)
def sync(request: HttpRequest, pk: int, sync_pk: int) -> HttpResponse:
    """One run: what came, by kind; what was left out; what was rejected, by reason and one by one."""
    found = _find(pk, sync_pk)
    run = found.import_run
    rejections = ImportRejection.objects.filter(run=run) if run else ImportRejection.objects.none()
    reason = request.GET.get("reason", "")
    listed = rejections.filter(reason=reason) if reason else rejections
    return page(
        request,
        "audience/connection_run.html",
        partial="rows",
        connection=found.connection,
        sync=found,
        run=run,
        advice=advice(found.problem) if found.problem else None,
        kinds=by_kind(run.counts) if run else [],
        left_out=_left_out(run),
        reasons=_reasons(rejections),
        reason=reason,
        rejected=Paginator(listed.order_by("reason", "file", "line", "pk"), REJECTED_ON_A_PAGE).get_page(
            request.GET.get("page")
        ),
    )


@require_GET
@needs(MANAGE)
def rejected(request: HttpRequest, pk: int, sync_pk: int) -> HttpResponse:
    """What was rejected, as a file for the EHR's vendor. It names records by their ids, nobody by name."""
    found = _find(pk, sync_pk)
    rows = ImportRejection.objects.filter(run=found.import_run_id).order_by("reason", "file", "line", "pk")
    columns = ("file", "line", "resource_type", "external_id", "reason")
    audit.record("ehr.rejected_downloaded", found, rows=rows.count())
    return spreadsheet(
        f"rejected-{found.started_at:%Y-%m-%d}.csv",
        ("File", "Line", "Type", "Id in the EHR", "Reason"),
        rows.values_list(*columns),
    )


def _find(pk: int, sync_pk: int) -> EhrSync:
    syncs = EhrSync.objects.select_related("connection", "import_run")
    return get_object_or_404(syncs, pk=sync_pk, connection=pk)


def _left_out(run: ImportRun | None) -> list[tuple[str, str, int]]:
    """What kind, why, how many; most first."""
    if run is None:
        return []
    found = [(kinds.words(kind), why, n) for kind, reasons in run.left_out.items() for why, n in reasons.items() if n]
    found += [(kinds.words(kind), "TrackStat does not use these", n) for kind, n in run.not_read.items()]
    return sorted(found, key=lambda one: (-one[2], one[0]))


def _reasons(rejections: Any) -> list[dict[str, Any]]:
    found = rejections.order_by("reason").values("reason").annotate(n=Count("pk"))
    return sorted(found, key=lambda one: (-one["n"], one["reason"]))
