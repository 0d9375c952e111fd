"""Who or what a reference means: every way in which FHIR exports point from one resource to another.

A reference becomes a key: the id of the resource meant, or an alias that starts with `?` (an identifier) or `urn:`, to
be looked up when all files are read. Seen in real exports: `Patient/7`, `https://ehr.example/fhir/Patient/7`,
`Patient/7/_history/2`, `urn:uuid:…`, `Practitioner?identifier=system|value`, `#contained`, and an identifier or a
display name with no reference at all.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from audience.ehr.clean import text
from audience.ehr.fhir.resources import Identifier, Reference

# As nearly all are written; the other shapes cost more to tell.
_PLAIN = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})")
_TYPED = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9.\-_]{1,200})(?:/_history/[^/]*)?$")
_CONDITIONAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)\?identifier=(.+)$")


def target(reference: Reference | None) -> tuple[str, str]:
    """The kind of resource meant (empty if the reference does not say) and its key (empty if it has none)."""
    if reference is None:
        return "", ""
    address = reference.reference or ""
    if address and (plain := _plain(address)):
        return plain
    kind = reference.type or ""
    if found := _CONDITIONAL.search(address):
        system, bar, value = unquote(found[2]).partition("|")
        return found[1], alias(Identifier(system, value) if bar else Identifier(None, system))
    if address.startswith(("urn:", "#")):
        return kind, text(address, "reference", 200)
    return kind, alias(reference.identifier)


# Everything of a visit names the same patient and provider.
@lru_cache(maxsize=20_000)
def _plain(address: str) -> tuple[str, str] | None:
    found = _PLAIN.fullmatch(address) or _TYPED.search(address)
    return (found[1], found[2]) if found else None


def alias(identifier: Identifier | None) -> str:
    """The key of an identifier; empty when it names nothing."""
    if identifier is None or not identifier.value:
        return ""
    return f"?{text(identifier.system, 'identifier', 300)}|{text(identifier.value, 'identifier', 300)}"
