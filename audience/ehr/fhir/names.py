"""Names of people and things: which of several to take, and how to read one."""

from collections.abc import Sequence

from audience.ehr.clean import printable, text
from audience.ehr.fhir.resources import Concept, Contained, HumanName, Reference
from audience.ehr.words import APPOINTMENT_TYPES

# Names of things are cut here rather than refused: a visit is not lost for a long reason.
_LONGEST = 200
# Lower is taken first; a name of any other use (old, maiden, temp, anonymous) only when there is nothing else.
_ORDER = {"official": 0, "usual": 1, None: 2, "nickname": 8}


def person(names: list[HumanName] | None) -> tuple[str, str, str]:
    """First, preferred and last name; no preferred one unless the EHR keeps a nickname or a usual given name."""
    ranked = sorted(names or (), key=lambda name: (_ended(name), _ORDER.get(name.use, 5)))
    if not ranked:
        return "", "", ""
    first, last = _split(ranked[0])
    preferred = ""
    for other in ranked[1:]:
        if other.use in ("nickname", "usual"):
            preferred = preferred or _split(other)[0]
        if other.use not in ("nickname", "old", "maiden"):
            last = last or _split(other)[1]
    return first or preferred, preferred if preferred != first else "", last


def full(names: list[HumanName] | None) -> str:
    """How a provider is written in lists: `Dr. Rosa Delgado`; the written-out form where the EHR has one."""
    ranked = sorted(names or (), key=lambda name: (_ended(name), _ORDER.get(name.use, 5)))
    if not ranked:
        return ""
    name = ranked[0]
    if name.text:
        return printable(name.text, _LONGEST)
    parts = [*(name.prefix or ()), *(name.given or ()), name.family, *(name.suffix or ())]
    return printable(" ".join(part for part in parts if part), _LONGEST)


def _ended(name: HumanName) -> bool:
    return bool(name.period and name.period.end)


def _split(name: HumanName) -> tuple[str, str]:
    given = next((part for part in name.given or () if part), "")
    family = name.family or ""
    if not given and not family and name.text:
        given, _, family = name.text.strip().rpartition(" ")
        given = given or family
        family = "" if given == family else family
    return text(given, "first name", 100), text(family, "last name", 100)


def concept(*concepts: Concept | None) -> str:
    """The first of these that has words: its text, else what its codings display."""
    for one in concepts:
        if one is None:
            continue
        if cleaned := printable(one.text or _displayed(one), _LONGEST):
            return cleaned
    return ""


def _displayed(one: Concept) -> str:
    codings = one.coding or ()
    words = (APPOINTMENT_TYPES.get(code.code or "") for code in codings if "0276" in (code.system or ""))
    return next(filter(None, words), None) or next((c.display for c in codings if c.display), "")


def display(reference: Reference | None, contained: Sequence[Contained] | None) -> str:
    """The name that a reference itself carries, or that of the contained resource it points into."""
    if reference is None:
        return ""
    if reference.display:
        return printable(reference.display, _LONGEST)
    if (reference.reference or "").startswith("#"):
        for resource in contained or ():
            if resource.id == reference.reference[1:]:
                return _contained_name(resource)
    return ""


def _contained_name(resource: Contained) -> str:
    return printable(resource.name, _LONGEST) if isinstance(resource.name, str) else full(resource.name)
