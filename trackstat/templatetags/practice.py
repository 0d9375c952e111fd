from django import template

register = template.Library()


@register.simple_tag(takes_context=True)
def practice_url(context, name, *args):
    """`{% practice_url "audience:patient" patient.pk %}`: a page of the practice the request is in."""
    return context["request"].practice.url(name, *args)


@register.filter
def may(membership, permission):
    """`{% if membership|may:"campaigns.change_campaign" %}`."""
    return bool(membership) and membership.can(permission)
