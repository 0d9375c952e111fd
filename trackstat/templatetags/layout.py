"""The page's own parts: head, tabs, steps, table heads, pager. Templates get them through `ui`."""

from typing import Any

from django import template
from django.core.paginator import Page
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from trackstat import formats
from trackstat.tenancy.models import Membership, Role

register = template.Library()


@register.simple_block_tag
def head(content: str, title: str, purpose: str = "", back: str = "", back_label: str = "Back") -> SafeString:
    """Title, the line that says what the page is for; inside, the primary action, shown at the right."""
    words = {
        "content": mark_safe(content.strip()),
        "title": title,
        "purpose": purpose,
        "back": back,
        "back_label": back_label,
    }
    return mark_safe(render_to_string("components/head.html", words))


@register.simple_tag
def tab(label: str, url: str, current: bool = False, n: int | None = None) -> SafeString:
    number = format_html('<span class="count">{}</span>', formats.number(n)) if n is not None else ""
    here = mark_safe(' aria-current="page"') if current else ""
    return format_html('<a href="{}"{}>{}{}</a>', url, here, label, number)


@register.inclusion_tag("components/steps.html")
def steps(items: list[dict[str, Any]], label: str = "Steps") -> dict[str, Any]:
    """items: dicts of label, url, current, done, problem (words)."""
    return {"items": items, "label": label}


@register.inclusion_tag("components/th.html", takes_context=True)
def th(context: template.Context, label: str, sort: str = "", number: bool = False, first: str = "") -> dict[str, Any]:
    """A table head; with `sort` a link that sorts by it, keeping the rest of the query. `first="-"`: largest first."""
    query = context["request"].GET.copy()
    now = query.get("sort", "")
    direction = {"": "", sort: "ascending", f"-{sort}": "descending"}.get(now, "") if sort else ""
    query["sort"] = {"ascending": f"-{sort}", "descending": sort}.get(direction, f"{first}{sort}")
    query.pop("page", None)
    return {"label": label, "sort": sort, "number": number, "direction": direction, "url": f"?{query.urlencode()}"}


@register.inclusion_tag("components/pager.html", takes_context=True)
def pager(context: template.Context, page: Page, param: str = "page") -> dict[str, Any]:
    """1–50 of 1,284 ‹ ›; the links keep the rest of the query."""

    def address(n: int) -> str:
        query = context["request"].GET.copy()
        query[param] = str(n)
        return f"?{query.urlencode()}"

    before = address(page.previous_page_number()) if page.has_previous() else ""
    after = address(page.next_page_number()) if page.has_next() else ""
    return {"page": page, "before": before, "after": after, "total": page.paginator.count}


@register.simple_tag
def who_may(permission: str) -> dict[str, list[str]]:
    """Roles of the practice in scope that hold the permission, and up to three people who may change roles."""
    app, _, codename = str(permission).partition(".")
    held = {"granted__permission__content_type__app_label": app, "granted__permission__codename": codename}
    roles = Role.objects.filter(**held).distinct().values_list("name", flat=True)
    managers = Membership.objects.filter(
        is_active=True,
        user__is_active=True,
        role__granted__permission__content_type__app_label="tenancy",
        role__granted__permission__codename="manage_people",
    )
    people = managers.select_related("user").order_by("user__name", "pk")[:3]
    return {"roles": list(roles), "people": [str(each.user) for each in people]}
