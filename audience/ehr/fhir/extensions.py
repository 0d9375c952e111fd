"""What an EHR keeps in fields of its own, found by how their addresses end, whoever's namespace they stand in."""

import re
from functools import lru_cache

from audience.ehr.clean import printable
from audience.ehr.fhir.resources import Extension
from audience.ehr.words import MARKETING_FIELDS, NO_MARKETING_FIELDS, OWN_FIELDS, yes_or_no

_LONGEST = 200
_SIGNS = re.compile(r"[-_]")


def own_field(extensions: list[Extension] | None, field: str) -> str:
    """The words in the field that `words.OWN_FIELDS` calls so; '' when there is none."""
    endings = OWN_FIELDS[field]
    for extension in extensions or ():
        if _name(extension.url).endswith(endings) and (found := printable(word(extension), _LONGEST)):
            return found
    return ""


def marketing_ok(extensions: list[Extension] | None) -> bool | None:
    """The EHR's marketing flag, whichever way round it asks; None when it has none."""
    for extension in extensions or ():
        name = _name(extension.url)
        refused = name.endswith(NO_MARKETING_FIELDS)
        if refused or name.endswith(MARKETING_FIELDS):
            said = extension.value_boolean if extension.value_boolean is not None else yes_or_no(word(extension))
            if said is not None:
                return said is not refused
    return None


def word(extension: Extension) -> str:
    concept = extension.value_codeable_concept
    coding = extension.value_coding or next(iter(concept.coding or ()), None) if concept else extension.value_coding
    spoken = concept.text if concept else None
    coded = (coding.display or coding.code) if coding else None
    referred = extension.value_reference.display if extension.value_reference else None
    return extension.value_string or extension.value_code or spoken or coded or referred or ""


# An EHR has a few dozen of them, each in every patient.
@lru_cache(maxsize=1000)
def _name(url: str) -> str:
    return _SIGNS.sub("", url.lower())
