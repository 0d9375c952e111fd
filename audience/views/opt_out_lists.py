"""Bringing over who opted out before: a CSV of numbers, mailboxes or patient ids, and what became of it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_http_methods

from audience import opt_out_lists
from audience.ehr.csv.words import MEANINGS
from audience.models import EhrConnection, ImportRejection, OptOutList
from audience.tasks import read_opt_outs
from audience.views.connections import MANAGE
from trackstat.celery import ring
from trackstat.htmx import page, redirect_to
from trackstat.tenancy.permissions import needs

ON_A_PAGE = 10
REJECTED_ON_A_PAGE = 50


class ListForm(forms.Form):
    file = forms.FileField(
        label="CSV file",
        max_length=200,
        allow_empty_file=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt"}),
        help_text="With a column of cell phones, of email addresses, or of patient ids; date and note if there are.",
    )
    scope = forms.ChoiceField(
        label="What they do not want",
        choices=list(MEANINGS["opt_outs.scope"].items()),
        help_text="Where the list itself does not say.",
    )
    source = forms.ChoiceField(label="Whose patient ids are in it", required=False)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        connections = list(EhrConnection.objects.order_by("name").values_list("source", "name"))
        if len(connections) > 1:
            self.fields["source"].choices = connections
        else:
            del self.fields["source"]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > opt_out_lists.LARGEST:
            raise forms.ValidationError(
                f"The file has more than {opt_out_lists.LARGEST // 1024**2} MB. Split it, and bring the parts over."
            )
        return file


@require_http_methods(["GET", "POST"])
@needs(MANAGE)
def index(request: HttpRequest) -> HttpResponse:
    form = ListForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        taken = opt_out_lists.take(said["file"].name, said["file"].read(), said["scope"], said.get("source", ""))
        ring(read_opt_outs, request.practice.pk, taken.pk)
        messages.success(request, f"{taken.name} is being read.")
        return redirect_to(request, request.practice.url("connections:opt_out_list", taken.pk))
    lists = OptOutList.objects.select_related("import_run").order_by("-uploaded_at", "-pk")
    request.place = "connections:index"
    return page(
        request,
        "audience/opt_out_lists.html",
        partial="rows",
        form=form,
        lists=Paginator(lists, ON_A_PAGE).get_page(request.GET.get("page")),
        status=422 if form.errors else 200,
    )


@require_GET
@needs(MANAGE)
def opt_out_list(request: HttpRequest, pk: int) -> HttpResponse:
    """What became of one list: how many are opted out by it, and which of its lines were not understood."""
    found = get_object_or_404(OptOutList.objects.select_related("import_run"), pk=pk)
    rejections = ImportRejection.objects.filter(run=found.import_run_id)
    if found.import_run_id is None:
        rejections = rejections.none()
    request.place = "connections:index"
    return page(
        request,
        "audience/opt_out_list.html",
        partial="live",
        list=found,
        left_out=found.import_run.left_out.get("OptOut", {}) if found.import_run else {},
        reasons=list(rejections.order_by().values("reason").annotate(n=Count("pk")).order_by("-n", "reason")),
        rejected=Paginator(rejections.order_by("line", "pk"), REJECTED_ON_A_PAGE).get_page(request.GET.get("page")),
    )
