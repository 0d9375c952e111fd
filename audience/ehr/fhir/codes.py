"""Codes, each in its own system, and the EHR's words for them."""

from functools import lru_cache

from audience.ehr.clean import printable
from audience.ehr.fhir.resources import Concept
from audience.ehr.words import CODE_SYSTEMS, ICD

_LONGEST_SYSTEM, _LONGEST_CODE, _LONGEST_NAME = 120, 60, 200


def codings(concept: Concept | None) -> list[tuple[str, str, str]]:
    """System, code and name of every coding that has a code; a code that stands in two systems is two."""
    if concept is None:
        return []
    found = []
    for coding in concept.coding or ():
        if coding.code:
            one = _coding(coding.system or "", coding.code, coding.display or concept.text or "")
            if one[1]:
                found.append(one)
    return found


# A practice uses a few hundred codes, an export names them a million times.
@lru_cache(maxsize=20_000)
def _coding(system: str, code: str, name: str) -> tuple[str, str, str]:
    system = CODE_SYSTEMS.get(system) or printable(system, _LONGEST_SYSTEM)
    code = printable(code, _LONGEST_CODE)
    return system, dotted(code)[:_LONGEST_CODE] if system in ICD else code, printable(name, _LONGEST_NAME)


def first_code(concept: Concept | None) -> str:
    """The first coding's code, of whatever system; '' when there is none."""
    for coding in (concept.coding if concept else None) or ():
        if coding.code:
            return coding.code
    return ""


def dotted(code: str) -> str:
    """ICD codes the one way, `M54.5`: billing systems leave the dot out."""
    code = code.upper()
    return f"{code[:3]}.{code[3:]}" if len(code) > 3 and "." not in code else code
