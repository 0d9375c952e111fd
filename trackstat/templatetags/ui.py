"""The components as template tags, built in: no `{% load %}`. templates/components/README.md shows each in one line.

Attributes no tag knows by name are passed on: `hx_post=url` becomes `hx-post="…"`, `hx_target__inherited` becomes
`hx-target:inherited`, True becomes a bare attribute, None and False none at all.
"""

from django import template

from trackstat import formats
from trackstat.templatetags import controls, fields, layout, pieces, previews

register = template.Library()
for part in (controls, fields, layout, pieces, previews):
    register.tags |= part.register.tags
for shown in (
    formats.number,
    formats.share,
    formats.money,
    formats.day,
    formats.when,
    formats.clock,
    formats.duration,
    formats.phone,
    formats.of,
):
    register.filter(shown.__name__, shown)
