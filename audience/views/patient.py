from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch
from django.views.decorators.http import require_GET, require_POST

from audience import tags
from audience.card import card
from audience.models import Patient, Tag
from trackstat.htmx import page, redirect_to
from trackstat.tenancy import audit
from trackstat.tenancy.permissions import needs

_SHOWN = ("primary_provider", "attorney", "care_package", "fee_schedule", "referral_source")


@require_GET
@needs("audience.view_patient")
def patient(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything the practice knows about a patient; looking is recorded."""
    found = get_object_or_404(Patient.everyone.select_related(*_SHOWN), pk=pk)
    if found.merged_into_id:
        return redirect_to(request, request.practice.url("audience:patient", found.merged_into_id))
    audit.record("patient.viewed", found)
    may_tag = request.membership.can("audience.change_tag")
    return page(
        request,
        "audience/patient.html",
        may_tag=may_tag,
        conversation_url=_conversation(request, found),
        **card(found, request.practice, request.membership),
    )


@require_POST
@needs("audience.change_tag")
def put_tag(request: HttpRequest, pk: int) -> HttpResponse:
    """A tag chosen from the list, or a new one by name."""
    found = get_object_or_404(Patient.objects, pk=pk)
    try:
        tag = tags.create(request.POST.get("name", ""), request.user)
        tags.put_on(tag, found, request.user)
    except tags.BadTag as bad:
        messages.error(request, str(bad))
    return redirect_to(request, request.practice.url("audience:patient", pk))


@require_POST
@needs("audience.change_tag")
def take_tag(request: HttpRequest, pk: int, tag_pk: int) -> HttpResponse:
    found = get_object_or_404(Patient.objects, pk=pk)
    try:
        tags.take_off(get_object_or_404(Tag.objects, pk=tag_pk), found, request.user)
    except tags.BadTag as bad:
        messages.error(request, str(bad))
    return redirect_to(request, request.practice.url("audience:patient", pk))


def _conversation(request: HttpRequest, found: Patient) -> str:
    if not request.membership.can("messaging.view_conversation"):
        return ""
    try:
        return request.practice.url("messaging:conversation", found.pk)
    except NoReverseMatch:
        return ""
