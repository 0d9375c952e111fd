"""What base.html needs on every page."""

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.functional import SimpleLazyObject

from trackstat import navigation, notices
from trackstat.tenancy.models import Membership


def frame(request: HttpRequest) -> dict[str, Any]:
    """`practice` and `membership` only for a member: a page that says "not found" names nobody's practice.

    The menu and the list of practices are read when the template gets there, so htmx partials cost no query for them.
    """
    membership = getattr(request, "membership", None)
    if membership is None:
        return {"practice": None, "membership": None}
    menu = SimpleLazyObject(lambda: navigation.menu(request))
    return {
        "practice": request.practice,
        "membership": membership,
        "practices": SimpleLazyObject(lambda: _practices(request)),
        "navigation": menu,
        "notices": SimpleLazyObject(lambda: notices.shown(request)),
        "phone_navigation": SimpleLazyObject(lambda: navigation.first_on_phones(menu)),
        "home_url": _url(request, "practice_home"),
        "patients_url": _url(request, "audience:patients", "audience.view_patient"),
        "patient_search_url": _url(request, "audience:patient_search", "audience.view_patient"),
    }


def _practices(request: HttpRequest) -> list[dict[str, Any]]:
    memberships = Membership.own.filter(user=request.user, is_active=True).select_related("practice")
    return sorted(
        (
            {
                "name": each.practice.name,
                "url": each.practice.url("practice_home"),
                "current": each.pk == request.membership.pk,
            }
            for each in memberships
        ),
        key=lambda practice: practice["name"].lower(),
    )


def _url(request: HttpRequest, name: str, permission: str = "") -> str:
    if permission and not request.membership.can(permission):
        return ""
    try:
        return request.practice.url(name)
    except NoReverseMatch:
        return ""
