"""Form fields with label, help and error; see templates/components/README.md."""

from typing import Any

from django import template
from django.forms import BaseForm, BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from trackstat.attributes import attribute_name, attributes

register = template.Library()


@register.simple_tag
def field(bound: BoundField, look: str = "", label: str = "", hide_label: bool = False, **given: Any) -> SafeString:
    """One field of a Django form. look="chips": choices to press. More attributes go to the control."""
    if bound.is_hidden:
        return bound.as_hidden()
    widget = bound.field.widget
    kind = "line"
    if isinstance(widget, CheckboxInput):
        kind = "tick"
    elif isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        kind = "chips" if look == "chips" else "group"
    passed = {attribute_name(name): value for name, value in given.items() if value is not None and value is not False}
    words = {"field": bound, "kind": kind, "label": label or bound.label, "hide_label": hide_label}
    if kind == "chips":
        words["choices"] = bound.subwidgets
        words["given"] = attributes(given)
    else:
        words["control"] = bound.as_widget(attrs=passed)
    return mark_safe(render_to_string("components/field.html", words))


@register.simple_tag
def fields(form: BaseForm) -> SafeString:
    """Every field of a form, with what is wrong with the whole form on top."""
    return mark_safe(render_to_string("components/fields.html", {"form": form}))


@register.simple_tag
def counter(bound: BoundField | None = None, id: str = "", ending: str = "", toll_free: bool = False) -> SafeString:
    """132 characters · 1 segment · 1 credit each, while one types. `ending`: what the first text also carries."""
    return format_html(
        '<output class="counter" data-counter="{}"{}></output>',
        id or (bound.id_for_label if bound else ""),
        attributes({"data_ending": ending or None, "data_toll_free": toll_free or None}),
    )
