"""The practice's tags: how many carry each, where it is used, and what one does with it as a whole."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from audience import tag_changes, tag_uses, tagging
from audience import tags as rules
from audience.models import Patient, PatientTag, Tag, TagJob
from audience.views.tagging import MAY_TAG, with_progress
from trackstat.formats import number
from trackstat.htmx import page, redirect_to
from trackstat.tenancy.permissions import needs

PER_PAGE = 25
# Of what was put on and taken off in the background, the latest.
LATELY = 5
SORTS: dict[str, Any] = {"name": Lower("name"), "patients": "carried"}


@require_GET
@needs(MAY_TAG)
def tags(request: HttpRequest) -> HttpResponse:
    q = " ".join(request.GET.get("q", "").split())[:60]
    found = Tag.objects.filter(name__icontains=q) if q else Tag.objects.all()
    rows = Paginator(_sorted(_with_numbers(found), request.GET.get("sort", "")), PER_PAGE).get_page(
        request.GET.get("page")
    )
    uses = tag_uses.uses(request.practice)
    for row in rows:
        row.uses = uses.get(row.pk, [])
        row.held = any(use.holds for use in row.uses)
    lately = TagJob.objects.select_related("created_by", "tag").order_by("-pk")[:LATELY]
    return page(
        request,
        "audience/tags.html",
        "rows",
        rows=rows,
        q=q,
        any_at_all=bool(rows) or bool(q),
        jobs=[with_progress(job) for job in lately],
    )


@require_POST
@needs(MAY_TAG)
def create_tag(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("name", "")
    try:
        if known := rules.find(name):
            messages.info(request, f"There is a tag “{known}” already.")
        else:
            messages.success(request, f"Made the tag “{rules.create(name, request.user)}”.")
    except rules.BadTag as bad:
        messages.error(request, str(bad))
    return redirect_to(request, request.practice.url("audience:tags"))


@require_POST
@needs(MAY_TAG)
def rename_tag(request: HttpRequest, pk: int) -> HttpResponse:
    tag = _find(pk)
    try:
        renamed = tag_changes.rename(tag, request.POST.get("name", ""), request.user)
    except tag_changes.NameTaken as taken:
        messages.warning(request, f"{taken} You can merge the two.")
        return redirect_to(request, f"{request.practice.url('audience:merge_tag', pk)}?into={taken.other.pk}")
    except rules.BadTag as bad:
        messages.error(request, str(bad))
    else:
        messages.success(request, f"The tag is called “{renamed}” now, wherever it is used.")
    return redirect_to(request, request.practice.url("audience:tags"))


@require_http_methods(["GET", "POST"])
@needs(MAY_TAG)
def merge_tag(request: HttpRequest, pk: int) -> HttpResponse:
    """GET says what merging into the tag `into` would come to; POST does it."""
    tag = _find(pk)
    given = (request.POST or request.GET).get("into", "")
    into = Tag.objects.filter(pk=int(given[:18])).first() if given.isdecimal() else None
    bad, looked = "", None
    try:
        if into is not None and request.method == "POST":
            gained = tag_changes.merge(tag, into, request.user)
            who = f"{number(gained)} patient{'' if gained == 1 else 's'} got it by that"
            messages.success(request, f"“{tag}” is “{into}” now; {who}.")
            return redirect_to(request, request.practice.url("audience:tags"))
        if into is not None:
            looked = tag_changes.look_at_merge(tag, into, request.practice)
    except rules.BadTag as refused:
        bad = str(refused)
    others = Tag.objects.filter(reserved=False).exclude(pk=tag.pk).order_by(Lower("name"))
    return page(
        request,
        "audience/tag_merge.html",
        status=422 if bad else 200,
        tag=tag,
        into=into,
        looked=looked,
        bad=bad,
        others=others,
    )


@require_POST
@needs(MAY_TAG)
def take_tag_off_everyone(request: HttpRequest, pk: int) -> HttpResponse:
    tag = _find(pk)
    carriers = Patient.objects.filter(pk__in=PatientTag.objects.filter(tag=tag).values("patient"))
    try:
        tagging.start(tag, TagJob.Action.TAKE_OFF, carriers, "Everyone who carried it", request.user)
    except rules.BadTag as bad:
        messages.error(request, str(bad))
    return redirect_to(request, request.practice.url("audience:tags"))


@require_POST
@needs(MAY_TAG)
def delete_tag(request: HttpRequest, pk: int) -> HttpResponse:
    tag = _find(pk)
    try:
        carried = tag_changes.delete(tag, request.practice, request.user)
    except rules.BadTag as bad:
        messages.error(request, str(bad))
    else:
        messages.success(
            request, f"Deleted “{tag}”. {number(carried)} patient{'' if carried == 1 else 's'} carried it."
        )
    return redirect_to(request, request.practice.url("audience:tags"))


def _find(pk: int) -> Tag:
    return get_object_or_404(Tag.objects, pk=pk)


def _with_numbers(tags: QuerySet[Tag]) -> QuerySet[Tag]:
    carriers = PatientTag.objects.filter(tag=OuterRef("pk")).order_by().values("tag").annotate(n=Count("pk"))
    return tags.annotate(carried=Coalesce(Subquery(carriers.values("n")), 0))


def _sorted(tags: QuerySet[Tag], sort: str) -> QuerySet[Tag]:
    field = SORTS.get(sort.removeprefix("-"), SORTS["name"])
    named = tags.annotate(by=field) if not isinstance(field, str) else tags
    name = field if isinstance(field, str) else "by"
    return named.order_by(f"-{name}" if sort.startswith("-") else name, "pk")
