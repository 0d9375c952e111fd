import datetime as dt

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from audience import consent
from audience.models import Channel, ConsentEvent, ContactPoint, Patient
from audience.standing import Standing, standings
from messaging import thread
from messaging.models import InboundMessage
from messaging.withdraw import withdraw
from trackstat.clock import Now, now
from trackstat.htmx import page, redirect_to, wants_part
from trackstat.tenancy import audit
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.permissions import needs

Purpose, Source = ConsentEvent.Purpose, ConsentEvent.Source
LABELS = {Channel.TEXT: "Texts", Channel.EMAIL: "Emails"}
# A page that looks again by itself is one viewing, for so long.
ONE_VIEWING = dt.timedelta(minutes=15)


class OptOut(forms.Form):
    channel = forms.ChoiceField(choices=Channel.choices, widget=forms.HiddenInput)
    purpose = forms.ChoiceField(
        label="Of what",
        widget=forms.RadioSelect,
        choices=[(Purpose.EVERYTHING, "Everything"), (Purpose.ANNOUNCEMENT, "Office updates and announcements only")],
        initial=Purpose.EVERYTHING,
    )
    note = forms.CharField(
        label="How the patient told us",
        max_length=300,
        help_text="For example: by phone on Tuesday, at the front desk.",
    )


class OptIn(forms.Form):
    channel = forms.ChoiceField(choices=Channel.choices, widget=forms.HiddenInput)
    note = forms.CharField(label="Why", max_length=300, help_text="For example: opted out by mistake.")


@require_GET
@needs("messaging.view_conversation")
def conversation(request: HttpRequest, pk: int) -> HttpResponse:
    patient = get_object_or_404(Patient.objects, pk=pk)
    _record_viewing(request, patient)
    # A page left open asks for its thread again and again, with nobody before it perhaps: that reads nothing.
    if not wants_part(request):
        InboundMessage.objects.filter(patient=patient, read_at=None).update(read_at=Now())
    request.place = "messaging:inbox"
    return _show(request, patient)


@needs("messaging.opt_out_patient")
@require_POST
def opt_out(request: HttpRequest, pk: int) -> HttpResponse:
    patient = get_object_or_404(Patient.objects, pk=pk)
    form = OptOut(request.POST)
    if not form.is_valid() or not patient.address_for(form.cleaned_data["channel"]):
        return _show(request, patient, opt_out=form, status=422)
    channel, purpose = form.cleaned_data["channel"], form.cleaned_data["purpose"]
    withdrawn = withdraw(
        channel, patient.address_for(channel), purpose, Source.STAFF, form.cleaned_data["note"], request.user
    )
    audit.record("patient.opted_out", patient, channel=channel, purpose=purpose, dropped=withdrawn.dropped)
    waiting = {0: "Nothing was waiting.", 1: "1 waiting message will not be sent."}
    told = waiting.get(withdrawn.dropped, f"{withdrawn.dropped} waiting messages will not be sent.")
    messages.success(request, f"Opted out of {'texts' if channel == Channel.TEXT else 'emails'}. {told}")
    return redirect_to(request, request.practice.url("messaging:conversation", pk))


@needs("messaging.opt_out_patient")
@require_POST
def opt_in(request: HttpRequest, pk: int) -> HttpResponse:
    """Takes back what staff had noted; what the patient did themselves stays."""
    patient = get_object_or_404(Patient.objects, pk=pk)
    form = OptIn(request.POST)
    if not form.is_valid() or not patient.address_for(form.cleaned_data["channel"]):
        return _show(request, patient, opt_in=form, status=422)
    channel = form.cleaned_data["channel"]
    try:
        consent.opt_in(
            channel,
            patient.address_for(channel),
            Purpose.EVERYTHING,
            Source.STAFF,
            form.cleaned_data["note"],
            request.user,
        )
    except consent.OnlyThePatient:
        messages.error(request, "The patient opted out themselves, so only they can come back. Nothing was changed.")
    else:
        audit.record("patient.opted_in", patient, channel=channel)
        messages.success(request, f"{'Texts' if channel == Channel.TEXT else 'Emails'} can be sent again.")
    return redirect_to(request, request.practice.url("messaging:conversation", pk))


def _show(
    request: HttpRequest,
    patient: Patient,
    opt_out: OptOut | None = None,
    opt_in: OptIn | None = None,
    status: int = 200,
) -> HttpResponse:
    points = thread.points(patient)
    said = standings(patient, points)
    return page(
        request,
        "messaging/conversation.html",
        partial="thread",
        status=status,
        patient=patient,
        entries=thread.entries(patient),
        standings=[_named(label, said[channel]) for channel, label in LABELS.items()],
        addresses=[] if wants_part(request) else _addresses(patient, points, said, opt_out, opt_in),
        may_opt_out=request.membership.can("messaging.opt_out_patient"),
    )


def _addresses(
    patient: Patient,
    points: dict[str, ContactPoint],
    said: dict[str, Standing],
    opt_out: OptOut | None,
    opt_in: OptIn | None,
) -> list[dict]:
    """Cell and email with what may be sent there and what staff can do about it."""
    found = []
    for channel, label in LABELS.items():
        point = points.get(channel)
        refused_out = opt_out if opt_out and opt_out.data.get("channel") == channel else None
        refused_in = opt_in if opt_in and opt_in.data.get("channel") == channel else None
        found.append(
            {
                "channel": channel,
                "label": label,
                "address": patient.address_for(channel),
                "point": point,
                "look": said[channel],
                "is_out": bool(point and any(getattr(point, column) for column in consent.OPTED_OUT_AT.values())),
                "opt_out": refused_out or OptOut(initial={"channel": channel}, auto_id=f"{channel}-out-%s"),
                "opt_in": refused_in or OptIn(initial={"channel": channel}, auto_id=f"{channel}-in-%s"),
                "reopen_out": refused_out is not None,
                "reopen_in": refused_in is not None,
            }
        )
    return found


def _named(label: str, said: Standing) -> dict[str, str]:
    return {"look": said.state, "words": f"{label}: {said.words[:1].lower()}{said.words[1:]}"}


def _record_viewing(request: HttpRequest, patient: Patient) -> None:
    if wants_part(request):
        seen = AuditEvent.objects.filter(
            object_type=patient._meta.label_lower,
            object_id=patient.pk,
            action="conversation.viewed",
            user=request.user,
            at__gt=now() - ONE_VIEWING,
        )
        if seen.exists():
            return
    audit.record("conversation.viewed", patient)
