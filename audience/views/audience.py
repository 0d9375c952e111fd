"""One saved audience, and filters that have no name yet: the builder, with what is tried out kept in the address."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET, require_POST

from audience import saved
from audience.builder import INSIST, Builder, posted
from audience.filters import BLANK, BadDefinition
from audience.models import SavedAudience
from audience.trying import packed, unpacked
from audience.views.audiences import find
from trackstat.clock import today
from trackstat.htmx import redirect_to
from trackstat.tenancy.permissions import needs

PAGE = "audience/audience.html"


@require_GET
@needs("audience.view_audience")
def new_audience(request: HttpRequest) -> HttpResponse:
    return _respond(request, None)


@require_GET
@needs("audience.view_audience")
def audience(request: HttpRequest, pk: int) -> HttpResponse:
    return _respond(request, find(pk))


@require_POST
@needs("audience.view_audience")
def try_new_audience(request: HttpRequest) -> HttpResponse:
    return _try(request, None)


@require_POST
@needs("audience.view_audience")
def try_audience(request: HttpRequest, pk: int) -> HttpResponse:
    return _try(request, find(pk))


@require_POST
@needs("audience.view_audience")
def create_audience(request: HttpRequest) -> HttpResponse:
    """The filters on the page, under the name on the page."""
    definition, require = posted(request.POST)
    try:
        name, description = request.POST.get("name", ""), request.POST.get("description", "")
        made = saved.create(name, description, definition, require, request.user)
    except (saved.BadName, BadDefinition) as bad:
        messages.error(request, f"Not saved. {bad}")
        told = {"name": name[:80], "description": description[:200]}
        if isinstance(bad, BadDefinition):
            told[INSIST] = "1"
        return _back(request, None, definition, require, told)
    messages.success(request, f"Saved as “{made.name}”. Campaigns can start from it.")
    return redirect_to(request, request.practice.url("audience:audience", made.pk))


@require_POST
@needs("audience.view_audience")
def save_audience(request: HttpRequest, pk: int) -> HttpResponse:
    row, (definition, require) = find(pk), posted(request.POST)
    given = request.POST.get("version", "")
    try:
        version = int(given) if given.isdecimal() and len(given) < 10 else 0
        saved.save_filters(row, definition, require, version, request.user)
    except BadDefinition as bad:
        messages.error(request, f"Not saved. {bad}")
        return _back(request, row, definition, require, {INSIST: "1"})
    except saved.Changed:
        row = find(pk)
        by = f"{row.updated_by} has" if row.updated_by else "Somebody has"
        messages.warning(
            request,
            f"Not saved: {by} changed “{row.name}” meanwhile. Yours are below; save again to keep yours.",
        )
        return _back(request, row, definition, require)
    messages.success(request, f"Saved. “{row.name}” has these filters from now on.")
    return redirect_to(request, request.practice.url("audience:audience", pk))


def _respond(request: HttpRequest, row: SavedAudience | None) -> HttpResponse:
    words = request.GET.get("is", "")
    tried = unpacked(words) if words else None
    builder = _builder(request, row, *tried, words) if tried else _as_kept(request, row)
    return builder.respond(request, PAGE, **_around(request, row, builder))


def _try(request: HttpRequest, row: SavedAudience | None) -> HttpResponse:
    """Nothing is kept: what is tried goes into the page's address."""
    definition, require = posted(request.POST)
    try:
        words = packed(definition, require)
    except BadDefinition as bad:
        messages.error(request, str(bad))
        return _back(request, row, *(unpacked(request.POST.get("is", "")) or _kept(row)))
    builder = _builder(request, row, definition, require, words)
    response = builder.answer(request)
    if request.htmx:
        response["HX-Replace-Url"] = builder.urls["here"]
        keeping = {"oob": True, "builder": builder} | _around(request, row, builder)
        response.content += render_to_string(f"{PAGE}#keeping", keeping, request).encode()
    return response


def _back(
    request: HttpRequest,
    row: SavedAudience | None,
    definition: dict[str, Any],
    require: list[str] | None,
    told: dict[str, str] | None = None,
) -> HttpResponse:
    """To the page with what was tried out; `told` goes into its address, too."""
    try:
        words = packed(definition, require)
    except BadDefinition:
        words = ""
    return redirect_to(request, _url(request, row, words, told))


def _as_kept(request: HttpRequest, row: SavedAudience | None) -> Builder:
    return _builder(request, row, *_kept(row), "")


def _kept(row: SavedAudience | None) -> tuple[dict[str, Any], list[str] | None]:
    return (row.definition, row.require) if row else (BLANK, None)


def _builder(
    request: HttpRequest, row: SavedAudience | None, definition: dict[str, Any], require: list[str] | None, words: str
) -> Builder:
    """Boxes nobody touched require nothing: the messages of whoever uses the audience will."""
    of = [row.pk] if row else []
    plain = _url(request, row, "")
    return Builder(
        request.practice,
        definition,
        require,
        today(request.practice),
        {
            "page": plain,
            "here": _url(request, row, words),
            "save": request.practice.url("audience:try_audience" if row else "audience:try_new_audience", *of),
            "explain": plain,
        },
        category=saved.CATEGORY,
        hidden={"version": row.version} if row else {},
        untouched=(),
        trying=words,
    )


def _around(request: HttpRequest, row: SavedAudience | None, builder: Builder) -> dict[str, Any]:
    changed = bool(builder.trying) and (builder.definition, builder.kept_require) != _kept(row)
    return {
        "saved": row,
        "is_changed": changed,
        "uses": saved.used_by(request.practice, [row]).get(row.pk, []) if row else [],
        "name": request.GET.get("name", ""),
        "description": request.GET.get("description", ""),
    }


def _url(request: HttpRequest, row: SavedAudience | None, words: str, told: dict[str, str] | None = None) -> str:
    page = request.practice.url("audience:audience", row.pk) if row else request.practice.url("audience:new_audience")
    return f"{page}?{urlencode({'is': words} | (told or {}))}" if words else page
