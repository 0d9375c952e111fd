"""How one patient after the other will get the message: phone or mail, with ‹ ›."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET

from audience.filters import BadDefinition
from audience.models import Patient
from campaigns.models import Campaign
from campaigns.recipients import audience_of
from campaigns.sending import identity_for
from campaigns.views.frame import find
from messaging.compose import Composed, compose
from messaging.models import Content
from trackstat.htmx import page
from trackstat.tenancy.permissions import needs

# The mail mock-up's own page: sandboxed, may carry the styles emails need inline.
MAIL_CSP = {
    "default-src": ["'none'"],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["'self'"],
    "frame-ancestors": ["'self'"],
}


@require_GET
@needs("campaigns.view_campaign")
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """Merged for one patient of the audience; `n` counts through them."""
    campaign = find(pk)
    step = campaign.steps.select_related("content").first()
    people = _people(campaign)
    count = people.count()
    number = _number(request.GET.get("n"), count)
    patient = people[number - 1] if count else None
    composed = _compose(request, step.content, patient) if step and step.content and patient else None
    return page(
        request,
        "campaigns/preview.html",
        "preview",
        campaign=campaign,
        step=step,
        patient=patient,
        composed=composed,
        identity=identity_for(step.channel) if step else None,
        number=number,
        count=count,
        before=f"{request.path}?n={number - 1}" if number > 1 else "",
        after=f"{request.path}?n={number + 1}" if number < count else "",
    )


@require_GET
@csp_override(MAIL_CSP)
@xframe_options_sameorigin
@needs("campaigns.view_campaign")
def mail(request: HttpRequest, pk: int, patient_pk: int) -> HttpResponse:
    """The email of the first step as HTML for the mock-up's frame."""
    campaign = find(pk)
    patient = Patient.objects.filter(pk=patient_pk).first()
    step = campaign.steps.select_related("content").first()
    if patient is None or step is None or step.content is None or step.content.channel != "email":
        return HttpResponse(status=404)
    composed = _compose(request, step.content, patient)
    return HttpResponse(composed.html if composed else "")


def _people(campaign: Campaign) -> QuerySet[Patient]:
    """The loaded audience, else who the saved filters describe, by name."""
    if campaign.loaded_at is not None and campaign.kind == Campaign.Kind.BLAST:
        people = Patient.objects.filter(pk__in=campaign.members.values("patient_id"))
    else:
        try:
            people = audience_of(campaign).queryset()
        except BadDefinition:
            return Patient.objects.none()
    return people.order_by("last_name", "first_name", "pk")


def _number(given: str | None, count: int) -> int:
    return min(max(int(given[:9]), 1), max(count, 1)) if given and given.isdecimal() else 1


def _compose(request: HttpRequest, content: Content, patient: Patient) -> Composed | None:
    identity = identity_for(content.channel)
    return compose(content, patient, request.practice, identity) if identity else None
