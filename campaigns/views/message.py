"""Step 3: what is said, as which channel, when; and how one chosen patient will get it."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET, require_http_methods

from audience.filters import BadDefinition
from audience.models import Patient
from campaigns import drafts
from campaigns.forms import MessageForm, message_initial
from campaigns.models import Campaign, Step
from campaigns.recipients import audience_of
from campaigns.sending import identity_for
from campaigns.views.frame import find, wizard
from messaging import merge
from messaging.compose import compose
from messaging.models import Content
from messaging.words import OPT_OUT_LINE
from trackstat.htmx import page
from trackstat.tenancy.permissions import needs

# The mail mock-up's own page: sandboxed, may carry the styles emails need inline.
MAIL_CSP = {
    "default-src": ["'none'"],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["'self'"],
    "frame-ancestors": ["'self'"],
}


@require_http_methods(["GET", "POST"])
@needs("campaigns.change_campaign")
def message(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk, Campaign.Kind.BLAST)
    step = campaign.steps.select_related("content").first()
    if request.method == "POST":
        return _save(request, campaign, step)
    return wizard(request, campaign, "message", **_context(campaign, step, MessageForm(initial=message_initial(step))))


def _save(request: HttpRequest, campaign: Campaign, step: Step | None) -> HttpResponse:
    form = MessageForm(request.POST)
    wrong: list[str] = []
    if form.is_valid():
        said = form.cleaned_data
        try:
            step = drafts.save_step(
                campaign,
                said["channel"],
                said["subject"],
                said["body"],
                said["when"],
                form.at_local,
                0,
                _version(request, campaign),
                request.user,
                position=step.position if step else None,
            )
        except drafts.BadWords as bad:
            wrong = bad.problems
        except (drafts.NotEditable, drafts.Conflict) as refused:
            wrong = [str(refused)]
    bad = wrong or form.errors
    campaign.refresh_from_db()
    context = _context(campaign, step, form) | {"wrong": wrong}
    return wizard(request, campaign, "message", "saved", **context, status=422 if bad else 200)


def _version(request: HttpRequest, campaign: Campaign) -> int:
    given = request.POST.get("version", "")
    return int(given) if given.isdecimal() else campaign.version


def _context(campaign: Campaign, step: Step | None, form: MessageForm) -> dict:
    return {
        "form": form,
        "step": step,
        "fields": merge.FIELDS,
        "opt_out_line": OPT_OUT_LINE,
        "identity": identity_for(step.channel if step else "text"),
    }


@require_GET
@needs("campaigns.change_campaign")
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """The message merged for one patient of the audience; `n` counts through them, as ‹ and › do."""
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
        before=number - 1 if number > 1 else None,
        after=number + 1 if number < count else None,
    )


@require_GET
@csp_override(MAIL_CSP)
@xframe_options_sameorigin
@needs("campaigns.change_campaign")
def mail(request: HttpRequest, pk: int, patient_pk: int) -> HttpResponse:
    """The email of the first step as HTML for the mock-up's frame."""
    campaign = find(pk)
    patient = Patient.objects.filter(pk=patient_pk).first()
    step = campaign.steps.select_related("content").first()
    if patient is None or step is None or step.content is None or step.channel != "email":
        return HttpResponse(status=404)
    composed = _compose(request, step.content, patient)
    return HttpResponse(composed.html if composed else "")


def _people(campaign: Campaign):
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
    return min(max(int(given), 1), max(count, 1)) if given and given.isdecimal() else 1


def _compose(request: HttpRequest, content: Content, patient: Patient):
    identity = identity_for(content.channel)
    return compose(content, patient, request.practice, identity) if identity else None
