"""What everybody should know, above every page of a practice. Later apps register theirs, as for the menu."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Notice:
    """`what` is a short sentence, `more` says what it means and what to do; `link` is what leads to `url`."""

    what: str
    more: str
    tone: str = "warn"
    url: str = ""
    link: str = ""


# Each is asked with the request of a member, in the practice's scope; keep them to one cheap statement.
sources: list[Callable[[Any], Iterable[Notice]]] = []


def shown(request: Any) -> list[Notice]:
    return [notice for source in sources for notice in source(request)]
