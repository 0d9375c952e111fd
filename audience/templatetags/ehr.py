"""`{% load ehr %}`: how old what is shown is."""

from typing import Any

from django import template

from audience.ehr import kinds
from audience.ehr.freshness import freshness as find

register = template.Library()


@register.inclusion_tag("components/freshness.html", takes_context=True)
def freshness(context: template.Context, source: str = "", means: str = "") -> dict[str, Any]:
    """When the EHR was last read, as one line. `source`: of one patient; `means`: what an old reading comes to here."""
    may_mend = context["membership"].can("audience.manage_ehr")
    return {"fresh": find(source), "means": means, "may_mend": may_mend, "request": context["request"]}


@register.filter
def kind_words(kind: str) -> str:
    return kinds.words(kind)
