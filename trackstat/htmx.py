"""One page = one template; htmx gets a partial of it. Every view answers through `page`, `redirect_to` or `nothing`."""

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers


def page(
    request: HttpRequest, template: str, partial: str | None = None, *, status: int = 200, **context: Any
) -> HttpResponse:
    """The whole template, or only its `partial` when htmx swaps a part of the page.

    The browser's back button and htmx requests that replace the whole body get the whole page. Waiting Django
    messages go along with a partial as toasts, out of band.
    """
    part = partial if wants_part(request) else None
    response = render(request, f"{template}#{part}" if part else template, context, status=status)
    if part and messages.get_messages(request):
        response.content += render_to_string("components/toasts.html", {"oob": True}, request).encode()
    patch_vary_headers(response, ["HX-Request"])
    return response


def wants_part(request: HttpRequest) -> bool:
    htmx = request.htmx
    return bool(htmx) and not htmx.history_restore_request and not htmx.boosted and htmx.request_type != "full"


def redirect_to(request: HttpRequest, to: Any, *args: Any, **kwargs: Any) -> HttpResponse:
    """Like Django's `redirect`; htmx is told to go there as a whole page instead of swapping the target's HTML in."""
    if not request.htmx:
        return redirect(to, *args, **kwargs)
    response = HttpResponse(status=200)
    response["HX-Redirect"] = resolve_url(to, *args, **kwargs)
    return response


def nothing(request: HttpRequest) -> HttpResponse:
    """Leaves the page as it is, but for toasts: waiting Django messages are shown."""
    response = HttpResponse(status=204)
    waiting = [{"text": str(each), "tone": each.level_tag} for each in messages.get_messages(request)]
    if waiting:
        response["HX-Trigger"] = json.dumps({"toast": {"toasts": waiting}})
    return response


def refresh(response: HttpResponse, *events: str) -> HttpResponse:
    """Raises events on the page, for parts that listen with `hx-trigger="<event> from:body"`."""
    raised = json.loads(response.get("HX-Trigger", "{}"))
    response["HX-Trigger"] = json.dumps(raised | {event: {} for event in events})
    return response
