from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from campaigns import drafts
from campaigns.forms import NameForm
from campaigns.models import Campaign
from campaigns.views.audience import version_of
from campaigns.views.frame import find, wizard
from trackstat.htmx import page, redirect_to
from trackstat.tenancy.permissions import needs


@require_http_methods(["GET", "POST"])
@needs("campaigns.change_campaign")
def new_blast(request: HttpRequest) -> HttpResponse:
    form = NameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        campaign = drafts.create(
            Campaign.Kind.BLAST, form.cleaned_data["name"], request.user, form.cleaned_data["category"]
        )
        return redirect_to(request, request.practice.url("campaigns:audience", campaign.pk))
    return page(request, "campaigns/new_blast.html", form=form, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@needs("campaigns.change_campaign")
def name(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find(pk, Campaign.Kind.BLAST)
    form = NameForm(request.POST or None, initial={"name": campaign.name, "category": campaign.category})
    if request.method == "POST" and form.is_valid():
        try:
            drafts.rename(campaign, form.cleaned_data["name"], version_of(request, campaign), request.user)
            drafts.save_category(campaign, form.cleaned_data["category"], campaign.version, request.user)
        except drafts.Conflict as conflict:
            said = f"Somebody else has changed this campaign meanwhile; it is named “{conflict.theirs['name']}” now."
            form.add_error(None, f"{said} Press Next again to keep yours.")
        except drafts.NotEditable as closed:
            form.add_error(None, str(closed))
        else:
            return redirect_to(request, request.practice.url("campaigns:audience", campaign.pk))
    return wizard(request, campaign, "name", form=form, status=422 if form.errors else 200)
