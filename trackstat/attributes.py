"""HTML attributes from a template tag's arguments."""

from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def attribute_name(argument: str) -> str:
    """`hx_post` → hx-post, `hx_target__inherited` → hx-target:inherited, `class_` → class."""
    return argument.rstrip("_").replace("__", ":").replace("_", "-")


def attributes(given: dict[str, Any]) -> SafeString:
    """True becomes a bare attribute, None and False none at all; values are escaped."""
    kept = [(attribute_name(name), value) for name, value in given.items() if value is not None and value is not False]
    return format_html_join("", "{}", ((_attribute(name, value),) for name, value in kept))


def _attribute(name: str, value: Any) -> SafeString:
    return format_html(" {}", name) if value is True else format_html(' {}="{}"', name, value)
