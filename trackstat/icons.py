"""Lucide's drawings, as bin/lib/assets left them in static/vendor. Only known names are ever marked safe."""

import json
from functools import cache

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe


class UnknownIcon(LookupError):
    """No such drawing in Lucide: a misspelt name in a template or in Python."""


def svg(name: str, css: str = "", label: str = "") -> SafeString:
    """Inline SVG; hidden from screen readers unless `label` is given. Raises UnknownIcon."""
    try:
        drawing = _drawings()[name]
    except KeyError:
        raise UnknownIcon(f"There is no icon {name!r}; lucide.dev/icons lists the names") from None
    told = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" '
        'stroke-linejoin="round" {}>{}</svg>',
        css,
        told,
        mark_safe(drawing),
    )


@cache
def _drawings() -> dict[str, str]:
    path = settings.BASE_DIR / "static" / "vendor" / "lucide.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run bin/lib/assets")
    return json.loads(path.read_text())
