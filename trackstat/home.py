import sys

from django.contrib.auth.decorators import login_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.views.decorators.http import require_GET
from psycopg_pool import PoolTimeout

from trackstat.tenancy.models import Membership
from trackstat.tenancy.permissions import needs
from trackstat.tenancy.scope import practice_scope


@require_GET
@login_required
def choose_practice(request: HttpRequest) -> HttpResponse:
    """Straight into the only practice, else a choice of them."""
    with practice_scope(None, request.user):
        memberships = list(Membership.own.filter(user=request.user, is_active=True).select_related("practice"))
    if len(memberships) == 1:
        return redirect(memberships[0].practice.url("practice_home"))
    for membership in memberships:
        membership.url = membership.practice.url("practice_home")
    return render(request, "choose_practice.html", {"memberships": memberships})


@require_GET
@needs("audience.view_patient")
def practice_home(request: HttpRequest) -> HttpResponse:
    """Those who run campaigns start there, the front desk starts with patients."""
    page = "campaigns:blasts" if request.membership.can("campaigns.view_campaign") else "audience:patients"
    return redirect(request.practice.url(page))


def server_error(request: HttpRequest) -> HttpResponse:
    """The 500 page; 503 with a word of patience when it is only the database that is away."""
    away = isinstance(sys.exception(), OperationalError | InterfaceError | PoolTimeout)
    template = loader.get_template("503.html" if away else "500.html")
    response = HttpResponse(template.render(), status=503 if away else 500)
    if away:
        response["Retry-After"] = "10"
    return response
