"""Pages that do with htmx what ours do, for tests/ui/test_htmx_browser.py."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from trackstat.htmx import nothing, page, redirect_to
from trackstat.styleguide import styleguide

NAMES = ["Alvarez", "Bennett", "Okafor"]
asked = {"progress": 0, "autosave": 0}


def listing(request):
    q = request.GET.get("q", "")
    rows = sorted((name for name in NAMES if q.lower() in name.lower()), reverse=request.GET.get("sort") == "-name")
    return page(request, "ui_list.html", partial="rows", rows=rows, q=q)


def progress(request):
    asked["progress"] += 1
    return page(request, "ui_part.html", partial="progress", done=min(3, 1 + asked["progress"]))


def save(request):
    messages.success(request, "Kept.")
    return page(request, "ui_part.html", partial="part", words="saved by POST")


def quiet(request):
    messages.warning(request, "Only words.")
    return nothing(request)


def broken(request):
    raise RuntimeError("made to break")


def refused(request):
    raise PermissionDenied("audience.view_patient")


def gone(request):
    raise Http404


def wrong(request):
    return page(request, "ui_part.html", partial="part", status=422, words="Name is missing")


def autosave(request):
    asked["autosave"] += 1
    return HttpResponse(status=204)


urlpatterns = [
    path("ui/list/", listing),
    path("ui/progress/", progress),
    path("ui/save/", save),
    path("ui/quiet/", quiet),
    path("ui/broken/", broken),
    path("ui/refused/", refused),
    path("ui/gone/", gone),
    path("ui/wrong/", wrong),
    path("ui/autosave/", autosave),
    path("ui/moved/", lambda request: redirect_to(request, "/styleguide/")),
    path("ui/signed-out/", lambda request: redirect("/accounts/login/?next=/ui/list/")),
    path("ui/dialog/", lambda request: page(request, "ui_part.html", partial="dialog")),
    path("styleguide/", styleguide),
    path("accounts/", include("trackstat.account_urls")),
]
