"""States, numbers, progress, people, notices. Templates get them through `ui`."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from trackstat import formats, icons, states

register = template.Library()


@register.simple_tag
def icon(name: str, css: str = "", label: str = "") -> SafeString:
    return icons.svg(name, css, label)


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
    shown = {"done": done, "of": total, "value": str(done), "most": str(total or 1), "what": what, "words": words}
    return shown | {"id": id, "poll": "" if over else poll, "rate": rate, "left": left, "finished": over}


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


@register.simple_block_tag
def notice(content: str, tone: str = "", icon: str = "") -> SafeString:
    drawn = icons.svg(
        icon or {"good": "circle-check", "warn": "triangle-alert", "bad": "circle-alert"}.get(tone, "info")
    )
    return format_html('<div class="notice {}">{}<div>{}</div></div>', tone, drawn, mark_safe(content.strip()))


@register.simple_block_tag
def emptystate(content: str, text: str, icon: str = "inbox") -> SafeString:
    """One sentence and, inside, the action."""
    return format_html(
        '<div class="empty">{}<p>{}</p>{}</div>', icons.svg(icon, "large"), text, mark_safe(content.strip())
    )


@register.simple_tag
def saved(at: Any = None) -> SafeString:
    """ "Saved 2 s ago", kept true by the browser; follows the nearest form with `data-autosave`."""
    stamp = at.isoformat() if at else ""
    words = f"Saved {formats.when(at)}" if at else "Nothing to save yet"
    return format_html('<span class="saved" role="status" data-saved="{}">{}</span>', stamp, words)
