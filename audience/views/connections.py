"""Connections to EHRs: which there are, how they stand, adding and changing them. The rules: audience.connecting."""

import json
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from audience import connecting
from audience.connection_forms import FORMS, form_for
from audience.ehr.dry_run import DryRun
from audience.ehr.freshness import ago, is_late
from audience.ehr.live.advice import advice
from audience.ehr.live.keys import key_set
from audience.ehr.live.trouble import Refused
from audience.models import EhrConnection, EhrSync, EhrTest, Patient
from audience.tasks import sync
from audience.views import key_set as public
from audience.views.connection_progress import by_kind, progress_of
from trackstat import clock
from trackstat.celery import ring
from trackstat.formats import number
from trackstat.htmx import page, redirect_to
from trackstat.tenancy.permissions import needs

MANAGE = "audience.manage_ehr"
RUNS_ON_A_PAGE = 10


@require_GET
@needs(MANAGE)
def index(request: HttpRequest) -> HttpResponse:
    now = clock.now()
    under_way = {each.connection_id: each for each in EhrSync.objects.filter(finished_at=None)}
    patients = dict(Patient.objects.order_by("source").values_list("source").annotate(Count("pk")))
    rows = [
        standing(each, now) | {"sync": under_way.get(each.pk), "patients": patients.get(each.source, 0)}
        for each in EhrConnection.objects.order_by("name", "pk")
    ]
    return page(request, "audience/connections.html", partial="rows", rows=rows, moving=bool(under_way))


@require_http_methods(["GET", "POST"])
@needs(MANAGE)
def add(request: HttpRequest) -> HttpResponse:
    """First the kind, then what that kind needs."""
    kind = request.GET.get("kind", "")
    if kind not in FORMS:
        return page(request, "audience/connection_kinds.html")
    form = form_for(EhrConnection(kind=kind), request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = connecting.make(form.save(commit=False), form.cleaned_data.get("goes_on_with", ""))
        messages.success(request, f"{made.name} is added. Nothing is fetched until you run it or switch it on.")
        return redirect_to(request, request.practice.url("connections:connection", made.pk))
    return page(request, "audience/connection_form.html", form=form, kind=kind, status=_status(form))


@require_GET
@needs(MANAGE)
def connection(request: HttpRequest, pk: int) -> HttpResponse:
    """How it stands, what it is doing, what its runs brought. The middle asks again by itself while something moves."""
    found = find(pk)
    now = clock.now()
    under_way = EhrSync.objects.filter(connection=found, finished_at=None).first()
    test = EhrTest.objects.filter(connection=found).order_by("-asked_at", "-pk").first()
    dry_run = DryRun.of_json(test.found["dry_run"]) if test and "dry_run" in test.found else None
    runs = EhrSync.objects.filter(connection=found).exclude(finished_at=None).select_related("import_run")
    return page(
        request,
        "audience/connection.html",
        partial="live",
        **standing(found, now),
        sync=under_way,
        progress=progress_of(under_way, found, now) if under_way else None,
        test=test,
        test_advice=advice(test.problem) if test and test.problem else None,
        test_is_of_now=bool(test) and (not found.last_ended_at or test.asked_at > found.last_ended_at),
        dry_run=dry_run,
        foreseen=by_kind(dry_run.counts) if dry_run else [],
        moving=bool(under_way) or bool(test and not test.finished_at),
        runs=Paginator(runs.order_by("-started_at", "-pk"), RUNS_ON_A_PAGE).get_page(request.GET.get("page")),
        patients=Patient.objects.filter(source=found.source).count(),
        key_url=public.url_of(found) if found.encrypted_private_key else "",
        key_json=json.dumps(key_set(found), indent=1) if found.encrypted_private_key else "",
    )


@require_http_methods(["GET", "POST"])
@needs(MANAGE)
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    found = find(pk)
    form = form_for(found, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            connecting.change(form.save(commit=False), form.changed_fields)
        except Refused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, "Saved.")
            return redirect_to(request, request.practice.url("connections:connection", pk))
    return page(
        request, "audience/connection_form.html", form=form, kind=found.kind, connection=found, status=_status(form)
    )


@require_POST
@needs(MANAGE)
def new_key(request: HttpRequest, pk: int) -> HttpResponse:
    found = find(pk, kind=EhrConnection.Kind.FHIR)
    try:
        connecting.new_key(found)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "A new key is made. Your EHR lets us in again as soon as its vendor has entered it.")
    return redirect_to(request, request.practice.url("connections:connection", pk))


@require_POST
@needs(MANAGE)
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """On or off, as the button said: pressing twice does not turn it back."""
    found = find(pk)
    on = request.POST.get("on") == "1"
    connecting.switch(found, on=on)
    if on:
        ring(sync, request.practice.pk, pk)
    return redirect_to(request, request.practice.url("connections:connection", pk))


@require_POST
@needs(MANAGE)
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    found = find(pk)
    try:
        patients = connecting.remove(found)
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect_to(request, request.practice.url("connections:connection", pk))
    stay = f"{number(patients)} patient{'' if patients == 1 else 's'} stay{'s' if patients == 1 else ''}"
    messages.success(request, f"{found.name} is removed. {stay} as last read.")
    return redirect_to(request, request.practice.url("connections:index"))


def find(pk: int, **more: Any) -> EhrConnection:
    return get_object_or_404(EhrConnection.objects, pk=pk, **more)


def standing(connection: EhrConnection, now: Any) -> dict[str, Any]:
    """How a connection stands, for a row of the list and for its own page."""
    return {
        "connection": connection,
        "advice": advice(connection.problem) if connection.problem else None,
        "ago": ago(connection.last_ended_at, now) if connection.last_ended_at else "",
        "is_late": is_late(connection, now),
        "is_due": connection.next_at is None or connection.next_at <= now,
    }


def _status(form: Any) -> int:
    return 422 if form.errors else 200
