"""A message as a patient gets it. Templates get them through `ui`."""

from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


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
