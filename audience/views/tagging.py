"""Tagging many at once: what is asked before, how far it is, and taking it back."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from audience import tagging, tags
from audience.listing import search
from audience.models import Patient, Tag, TagJob
from trackstat.formats import number
from trackstat.htmx import page, redirect_to
from trackstat.tenancy.permissions import needs

MAY_TAG = "audience.change_tag"
# Taggings shown with their campaign.
OF_CAMPAIGN = 3


@require_http_methods(["GET", "POST"])
@needs(MAY_TAG)
def tag_patients(request: HttpRequest) -> HttpResponse:
    """Everyone of the patients' list, or of what was searched for there."""
    q = asked_for(request)
    whom = f"Patients found by “{q}”" if q else "All patients"
    return ask_or_start(request, search(Patient.objects.all(), q), whom, request.practice.url("audience:tags"), q)


@require_GET
@needs(MAY_TAG)
def tag_job(request: HttpRequest, pk: int) -> HttpResponse:
    """One job, as it stands; asked for again until it is over."""
    job = get_object_or_404(TagJob.objects.select_related("created_by", "tag"), pk=pk)
    return page(request, "audience/tag_job.html", "job", job=with_progress(job))


@require_POST
@needs(MAY_TAG)
def undo_tag_job(request: HttpRequest, pk: int) -> HttpResponse:
    job = get_object_or_404(TagJob.objects, pk=pk)
    try:
        tagging.undo(job, request.user)
    except tags.BadTag as bad:
        messages.error(request, str(bad))
    back = request.POST.get("back", "")
    here = back if back.startswith(request.practice.url("practice_home")) else request.practice.url("audience:tags")
    return redirect_to(request, here)


def ask_or_start(
    request: HttpRequest, patients: QuerySet[Patient], whom: str, back: str, q: str = "", campaign_id: int | None = None
) -> HttpResponse:
    """GET says for how many; POST puts the named tag on them, or takes it off, in the background."""
    context: dict[str, Any] = {"back": back, "whom": whom, "q": q, "action": request.path}
    if request.method == "POST":
        action = TagJob.Action.TAKE_OFF if request.POST.get("action") == "take_off" else TagJob.Action.PUT_ON
        try:
            tag = _named(request, action)
            job = tagging.start(tag, action, patients, whom, request.user, campaign_id)
        except tags.BadTag as bad:
            context["bad"] = str(bad)
        else:
            words = "is being put on" if action == TagJob.Action.PUT_ON else "is being taken off"
            who = f"{number(job.total)} patient{'' if job.total == 1 else 's'}"
            messages.success(request, f"“{tag}” {words} {who}. You may leave this page; it goes on by itself.")
            return redirect_to(request, back)
    context |= {"total": patients.count(), "choices": Tag.objects.filter(reserved=False)}
    status = 422 if "bad" in context else 200
    return page(request, "audience/tag_ask.html", "dialog", status=status, name=request.POST.get("name", ""), **context)


def _named(request: HttpRequest, action: str) -> Tag:
    name = request.POST.get("name", "")
    if action == TagJob.Action.PUT_ON:
        return tags.create(name, request.user)
    if (tag := tags.find(name)) is None:
        raise tags.BadTag("There is no tag of that name, so nobody carries it. Choose one of the list.")
    return tag


def asked_for(request: HttpRequest) -> str:
    """What was searched for in the list that is to be tagged."""
    return " ".join((request.POST.get("q") or request.GET.get("q", "")).split())[:100]


def shown_jobs(campaign_id: int) -> list[TagJob]:
    """The latest taggings of a campaign's people, as `tag_jobs.html` shows them."""
    latest = tagging.jobs_of_campaign(campaign_id).select_related("created_by", "tag")
    return [with_progress(job) for job in latest[:OF_CAMPAIGN]]


def with_progress(job: TagJob) -> TagJob:
    """Adds what `tag_job.html` shows."""
    job.told = tagging.progress(job)  # type: ignore[attr-defined]
    undoing = job.state in (TagJob.State.UNDOING, TagJob.State.UNDONE)
    job.over = job.state in (TagJob.State.DONE, TagJob.State.UNDONE)  # type: ignore[attr-defined]
    job.n = job.told.undone if undoing else job.told.looked_at  # type: ignore[attr-defined]
    job.of = job.told.changed if undoing else job.total  # type: ignore[attr-defined]
    job.may_undo = not undoing and job.tag_id is not None and (job.told.changed > 0 or not job.over)  # type: ignore[attr-defined]
    return job
