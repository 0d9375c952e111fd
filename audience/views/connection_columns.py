"""Which column of a practice's CSV files is which."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from audience import connecting
from audience.ehr.csv.fields import KINDS
from audience.ehr.csv.mapping import Wrong
from audience.ehr.live.trouble import Refused
from audience.mapping_form import MappingForm
from audience.models import EhrConnection, EhrTest
from audience.tasks import try_out
from audience.views.connections import MANAGE, find
from trackstat.celery import ring
from trackstat.htmx import page, redirect_to
from trackstat.tenancy.permissions import needs


@require_http_methods(["GET", "POST"])
@needs(MANAGE)
def columns(request: HttpRequest, pk: int) -> HttpResponse:
    """Offers the headings that the last test found; what is saved is tested at once.

    `?has=patients:a.csv` says of a file what it has, where nobody could tell.
    """
    connection = find(pk, kind=EhrConnection.Kind.CSV)
    looked = EhrTest.objects.filter(connection=connection, found__has_key="files").order_by("-asked_at", "-pk").first()
    has = [each for each in request.GET.getlist("has") if ":" in each]
    told = dict(each.split(":", 1)[::-1] for each in has)
    form = MappingForm(looked.found if looked else {}, connection.mapping, request.POST or None, told)
    usual = request.POST.get("usual") == "1"
    if request.method == "POST" and (usual or form.is_valid()):
        try:
            connecting.map_columns(connection, {} if usual else form.said())
        except Wrong as wrong:
            for problem in wrong.problems:
                form.add_error(None, problem)
        except Refused as refused:
            messages.error(request, f"{refused}.")
            return redirect_to(request, request.practice.url("connections:connection", pk))
        else:
            ring(try_out, request.practice.pk, connecting.test(connection).pk)
            messages.success(request, "Saved. The files are being tested with it.")
            return redirect_to(request, request.practice.url("connections:connection", pk))
    return page(
        request,
        "audience/connection_columns.html",
        form=form,
        connection=connection,
        looked=looked,
        kinds=KINDS.values(),
        has=has,
        status=422 if form.errors else 200,
    )
