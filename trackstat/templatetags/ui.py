"""The components as template tags; templates/components/README.md shows each in one line.

Attributes no tag knows by name are passed on: `hx_post=url` becomes `hx-post="…"`, `hx_target__inherited` becomes
`hx-target:inherited`, True becomes a bare attribute, None and False none at all.
"""

from typing import Any

from django import template
from django.core.paginator import Page
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from trackstat import formats, icons, states
from trackstat.attributes import attributes
from trackstat.templatetags import fields
from trackstat.tenancy.models import Membership, Role

register = template.Library()
register.tags |= fields.register.tags
for _format in (formats.number, formats.money, formats.day, formats.when, formats.clock, formats.phone, formats.share):
    register.filter(_format.__name__, _format)
register.filter("duration", formats.duration)


@register.simple_tag
def icon(name: str, css: str = "", label: str = "") -> SafeString:
    return icons.svg(name, css, label)


# Buttons, menus, dialogs


@register.simple_block_tag
def button(
    content: str,
    kind: str = "",
    icon: str = "",
    href: str = "",
    type: str = "button",
    label: str = "",
    opens: str = "",
    closes: bool = False,
    menu: str = "",
    small: bool = False,
    class_: str = "",
    **given: Any,
) -> SafeString:
    """kind: "" | primary | add (the one yellow) | danger | quiet | link. `label` names a button that is only an icon."""
    words = content.strip()
    css = " ".join(
        filter(None, ["button", kind, "small" if small else "", "square" if label and not words else "", class_])
    )
    given |= {"aria_label": label or None, "title": label or None} if not words else {}
    given |= {"data_opens": opens or None, "data_closes": closes or None, "popovertarget": menu or None}
    acts = type == "submit" or any(name.startswith("hx_") for name in given)
    drawn = [icons.svg(icon)] if icon else []
    drawn += [icons.svg("loader-circle", "busy")] if acts and not href else []
    inner = format_html("{}{}", mark_safe("".join(drawn)), mark_safe(words))
    if href and not given.get("disabled"):
        return format_html('<a class="{}" href="{}"{}>{}</a>', css, href, attributes(given), inner)
    return format_html('<button class="{}" type="{}"{}>{}</button>', css, type, attributes(given), inner)


@register.simple_block_tag
def menu(
    content: str,
    id: str,
    text: str = "",
    label: str = "",
    icon: str = "ellipsis",
    kind: str = "quiet",
    small: bool = False,
) -> SafeString:
    """A button and the list it opens; inside: links, submit buttons in forms, `<hr>`, `<p class="heading">`."""
    words = {
        "content": mark_safe(content),
        "id": id,
        "text": text,
        "label": label,
        "icon": icon,
        "kind": kind,
        "small": small,
    }
    return mark_safe(render_to_string("components/menu.html", words))


@register.simple_block_tag
def dialog(content: str, id: str, title: str, wide: bool = False, open: bool = False) -> SafeString:
    """Opened by `{% button opens=id %}`; `open=True` opens it as soon as it is in the page (for one htmx brings)."""
    words = {"content": mark_safe(content), "id": id, "title": title, "wide": wide, "open": open}
    return mark_safe(render_to_string("components/dialog.html", words))


@register.simple_block_tag(takes_context=True)
def confirm(
    context: template.Context,
    content: str,
    id: str,
    title: str,
    action: str,
    verb: str,
    kind: str = "danger",
    keep: str = "Cancel",
    **given: Any,
) -> SafeString:
    """A dialog that says in numbers what will happen and posts to `action`; its button says it again, never "OK"."""
    words = {"id": id, "title": title, "action": action, "verb": verb, "kind": kind, "keep": keep}
    words |= {"content": mark_safe(content), "given": attributes(given), "csrf_token": context.get("csrf_token")}
    return mark_safe(render_to_string("components/confirm.html", words))


@register.inclusion_tag("components/toggle.html", takes_context=True)
def toggle(
    context: template.Context, on: bool, action: str, label: str = "", blockers: Any = (), **given: Any
) -> dict[str, Any]:
    """A switch that posts to `action`. `blockers`: (words, url, link words) each; while there are any it cannot go on."""
    reasons = [(reason, "", "") if isinstance(reason, str) else (*reason, "", "")[:3] for reason in blockers]
    words = {"on": on, "action": action, "label": label, "blockers": reasons, "given": attributes(given)}
    return words | {"csrf_token": context.get("csrf_token"), "blocked": bool(reasons) and not on}


# States, numbers, people


@register.simple_tag
def state(name: str, text: str = "", tone: str = "") -> SafeString:
    """Icon and word of a state; `text` says more ("Sending 412 of 1,284")."""
    looks = states.look(name)
    css = tone or looks.tone
    return format_html('<span class="state {}">{}{}</span>', css, icons.svg(looks.icon, "small"), text or looks.word)


@register.simple_tag
def badge(text: str, tone: str = "", icon: str = "") -> SafeString:
    return format_html('<span class="badge {}">{}{}</span>', tone, icons.svg(icon, "small") if icon else "", text)


@register.simple_tag
def count(n: int, one: str, many: str = "", url: str = "") -> SafeString:
    """The large number of a panel: 1,284 patients."""
    words = one if n == 1 else many or f"{one}s"
    figure = format_html('<span class="n">{}</span> <span>{}</span>', formats.number(n), words)
    linked = format_html('<a href="{}">{}</a>', url, figure) if url else figure
    return format_html('<p class="bignumber">{}</p>', linked)


@register.simple_tag
def figure(label: str, n: Any, share: str = "", url: str = "") -> SafeString:
    """One number of a row of figures: put several into `<div class="figures">`."""
    shown = formats.number(n) if isinstance(n, int) else n
    inner = format_html('<span class="label">{}</span><span class="n">{}</span>', label, shown)
    more = format_html('<span class="share">{}</span>', share) if share else ""
    if url:
        return format_html('<a class="figure" href="{}">{}{}</a>', url, inner, more)
    return format_html('<div class="figure">{}{}</div>', inner, more)


@register.simple_tag
def bar(label: str, n: int, of: int, url: str = "", left_out: bool = False) -> SafeString:
    """One line of `<ul class="bars">`: words, number, and a bar of n out of `of`."""
    width = round(100 * n / of, 2) if of else 0
    words = format_html('<a href="{}">{}</a>', url, label) if url else label
    return format_html(
        '<li class="{}"><span>{}</span><span class="n">{}</span><svg viewBox="0 0 100 1" preserveAspectRatio="none" '
        'aria-hidden="true"><rect width="{}" height="1"/></svg></li>',
        "left-out" if left_out else "",
        words,
        formats.number(n),
        f"{width:.2f}",
    )


@register.inclusion_tag("components/progress.html")
def progress(
    id: str,
    done: int,
    total: int,
    what: str = "",
    poll: str = "",
    rate: float | None = None,
    left: float | None = None,
    finished: bool | None = None,
    words: str = "",
) -> dict[str, Any]:
    """`poll` is asked every 2 s for this same piece until it is finished. `rate` per second, `left` seconds."""
    over = done >= total if finished is None else finished
    if rate and left is None and not over:
        left = (total - done) / rate
    return {
        "id": id, "done": done, "value": str(done), "most": str(total or 1), "of": total, "what": what, "poll": "" if over else poll,
        "rate": rate, "left": left, "finished": over, "words": words,
    }  # fmt: skip


@register.simple_tag
def person(name: str, sub: str = "", url: str = "", css: str = "") -> SafeString:
    """Initials, name and a second line; as a table's first cell with `css="opens"` the whole row opens."""
    parts = [part for part in name.replace(",", " ").split() if part[0].isalpha()]
    initials = "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts)).upper()
    second = format_html('<span class="sub">{}</span>', sub) if sub else ""
    inner = format_html(
        '<span class="face" aria-hidden="true">{}</span><span class="who"><span>{}</span>{}</span>',
        initials,
        name,
        second,
    )
    if url:
        return format_html('<a class="person {}" href="{}">{}</a>', css, url, inner)
    return format_html('<span class="person {}">{}</span>', css, inner)


@register.simple_tag
def chip(text: str, remove: str = "", exclude: bool = False, **given: Any) -> SafeString:
    """What is active. `remove`: address without it; with `hx_*` a button does it in place."""
    sign = icons.svg("minus", "small") if exclude else ""
    what = f"Remove: {text}"
    gone: SafeString | str = ""
    if any(name.startswith("hx_") or name in {"name", "type"} for name in given):
        given = {"type": "button"} | given
        gone = format_html(
            '<button class="remove" aria-label="{}"{}>{}</button>', what, attributes(given), icons.svg("x", "small")
        )
    elif remove:
        gone = format_html('<a class="remove" href="{}" aria-label="{}">{}</a>', remove, what, icons.svg("x", "small"))
    css = " ".join(filter(None, ["chip", "exclude" if exclude else "", "" if gone else "plain"]))
    return format_html('<span class="{}">{}<span>{}</span>{}</span>', css, sign, text, gone)


# Lists


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


@register.simple_block_tag
def emptystate(content: str, text: str, icon: str = "inbox") -> SafeString:
    """One sentence and, inside, the action."""
    return format_html(
        '<div class="empty">{}<p>{}</p>{}</div>', icons.svg(icon, "large"), text, mark_safe(content.strip())
    )


@register.simple_block_tag
def notice(content: str, tone: str = "", icon: str = "") -> SafeString:
    drawn = icons.svg(
        icon or {"good": "circle-check", "warn": "triangle-alert", "bad": "circle-alert"}.get(tone, "info")
    )
    return format_html('<div class="notice {}">{}<div>{}</div></div>', tone, drawn, mark_safe(content.strip()))


# The page's own parts


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


@register.simple_tag
def saved(at: Any = None) -> SafeString:
    """ "Saved 2 s ago", kept true by the browser; follows the nearest form with `data-autosave`."""
    stamp = at.isoformat() if at else ""
    words = f"Saved {formats.when(at)}" if at else "Nothing to save yet"
    return format_html('<span class="saved" role="status" data-saved="{}">{}</span>', stamp, words)


@register.simple_block_tag
def phone_mockup(content: str, name: str, number: str = "") -> SafeString:
    """A patient's phone; inside: bubbles."""
    words = {"content": mark_safe(content), "name": name, "number": number}
    return mark_safe(render_to_string("components/phone.html", words))


@register.simple_block_tag
def bubble(
    content: str, ours: bool = False, at: str = "", state: str = "", by: str = "", note: bool = False
) -> SafeString:
    """One text of a thread, to be put into `<ol class="thread">`."""
    words = {"content": mark_safe(content.strip()), "ours": ours, "at": at, "state": state, "by": by, "note": note}
    return mark_safe(render_to_string("components/bubble.html", words).strip())


@register.inclusion_tag("components/mail.html")
def mail_mockup(subject: str, sender: str = "", to: str = "", src: str = "", body: str = "") -> dict[str, Any]:
    """`src`: page with the mail's HTML, shown in a frame that may run nothing; else `body` as plain text."""
    return {"subject": subject, "sender": sender, "to": to, "src": src, "body": body}


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
