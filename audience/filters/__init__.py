"""Audience filters: `Audience(practice, definition, on, require)`, `validate(definition)`, the registry.

Filters register themselves here, in the order the builder offers them. Later apps register theirs from their AppConfig.
"""

from audience.filters import visits, appointments, people, tags, care, money, places, reach  # noqa: F401  # isort: skip
from audience.filters.audience import Audience, Breakdown, Effect, Explanation, LeftOut, Line
from audience.filters.definition import BLANK, Chosen, Definition, parse, validate
from audience.filters.registry import REGISTRY, BadDefinition, Filter, On, find, grouped, primary, register
from audience.filters.requirements import FIELDS, fields_for

__all__ = [
    "BLANK",
    "FIELDS",
    "REGISTRY",
    "Audience",
    "BadDefinition",
    "Breakdown",
    "Chosen",
    "Definition",
    "Effect",
    "Explanation",
    "Filter",
    "LeftOut",
    "Line",
    "On",
    "fields_for",
    "find",
    "grouped",
    "parse",
    "primary",
    "register",
    "validate",
]
