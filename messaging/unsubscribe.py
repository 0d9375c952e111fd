"""The link at the foot of every message. No sign-in: its unguessable token is the proof.

Mail scanners open links, so GET only shows a page. POST acts: from that page, or by the mail program's own button
(RFC 8058: a body of `List-Unsubscribe=One-Click`, without cookies or CSRF token, answered without a redirect).
"""

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from audience import consent
from audience.models import Channel, ConsentEvent, ContactPoint
from messaging.models import Message
from messaging.withdraw import withdraw
from trackstat.clock import Now
from trackstat.htmx import page
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import across_practices, practice_scope

Purpose, Source = ConsentEvent.Purpose, ConsentEvent.Source
BACK = "back"


class Choice(forms.Form):
    choice = forms.ChoiceField(
        label="What would you like to stop?",
        widget=forms.RadioSelect,
        choices=[
            (Purpose.EVERYTHING, "Everything, appointment messages too"),
            (Purpose.ANNOUNCEMENT, "Office updates and announcements only"),
            (Purpose.APPOINTMENT, "Messages about my appointments only"),
        ],
        initial=Purpose.EVERYTHING,
    )


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    with across_practices("unsubscribe"):
        found = Message.objects.filter(token=token, contact_point__isnull=False).values_list("pk", "practice_id")
        message_id, practice_id = found.first() or (None, None)
    if practice_id is None:
        raise Http404
    with practice_scope(practice_id):
        message = Message.objects.get(pk=message_id)
        if request.method != "POST":
            return _show(request, message, Choice())
        if request.POST.get("List-Unsubscribe") == "One-Click":
            _stop(message, Purpose.EVERYTHING)
            return HttpResponse("You are unsubscribed.", content_type="text/plain; charset=utf-8")
        if request.POST.get("choice") == BACK and message.channel == Channel.EMAIL:
            _come_back(message)
            return _show(request, message, Choice(), did=BACK)
        form = Choice(request.POST)
        if not form.is_valid():
            return _show(request, message, form, status=422)
        _stop(message, form.cleaned_data["choice"])
        return _show(request, message, form, did=form.cleaned_data["choice"])


def _stop(message: Message, purpose: str) -> None:
    point = ContactPoint.objects.get(pk=message.contact_point_id)
    withdraw(point.channel, point.address, purpose, Source.UNSUBSCRIBE, f"Link in message {message.pk}")
    Message.objects.filter(pk=message.pk, unsubscribed_at=None).update(unsubscribed_at=Now())


def _come_back(message: Message) -> None:
    """The patient's own wish, by the same proof as the opt-out; staff could not do it for them."""
    point = ContactPoint.objects.get(pk=message.contact_point_id)
    consent.opt_in(
        point.channel, point.address, Purpose.EVERYTHING, Source.UNSUBSCRIBE, f"Link in message {message.pk}"
    )


def _show(request: HttpRequest, message: Message, form: Choice, did: str = "", status: int = 200) -> HttpResponse:
    point = ContactPoint.objects.get(pk=message.contact_point_id)
    sender = Practice.objects.select_related("settings").get(pk=message.practice_id)
    return page(
        request,
        "messaging/unsubscribe.html",
        status=status,
        form=form,
        did=did,
        sender=sender,
        address=_masked(point.address),
        is_email=point.channel == Channel.EMAIL,
        out_of_everything=point.all_opted_out_at is not None,
        out_of_announcements=point.announcement_opted_out_at is not None,
        out_of_appointments=point.appointment_opted_out_at is not None,
        # No cookie for a page that needs none.
        csrf_token="",
    )


def _masked(address: str) -> str:
    """Enough to recognise one's own: whoever a mail was forwarded to learns no address."""
    name, at, domain = address.partition("@")
    return f"{name[:1]}…{name[-1:]}@{domain}" if at else f"…{address[-4:]}"
