"""Buttons, menus, dialogs, switches, removable chips. Templates get them through `ui`."""

from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from trackstat import icons
from trackstat.attributes import attributes

register = template.Library()


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
    """kind: "" | primary | add (the one yellow) | danger | quiet | link. `label` names a button without words."""
    words = content.strip()
    shape = ["small" if small else "", "square" if label and not words else ""]
    css = " ".join(filter(None, ["button", kind, *shape, class_]))
    if not words:
        given |= {"aria_label": label or None, "title": label or None}
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
    words: dict[str, Any] = {"id": id, "title": title, "action": action, "verb": verb, "kind": kind, "keep": keep}
    words |= {"content": mark_safe(content), "given": attributes(given), "csrf_token": context.get("csrf_token")}
    return mark_safe(render_to_string("components/confirm.html", words))


@register.inclusion_tag("components/toggle.html", takes_context=True)
def toggle(
    context: template.Context, on: bool, action: str, label: str = "", blockers: Any = (), **given: Any
) -> dict[str, Any]:
    """A switch that posts to `action`. With `blockers` (words, or words, url and link words) it stays off."""
    reasons = [(reason, "", "") if isinstance(reason, str) else (*reason, "", "")[:3] for reason in blockers]
    words = {"on": on, "action": action, "label": label, "blockers": reasons, "given": attributes(given)}
    return words | {"csrf_token": context.get("csrf_token"), "blocked": bool(reasons) and not on}


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
