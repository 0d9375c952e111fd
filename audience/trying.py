"""Filters that are tried out and not kept yet live in the page's address: back and reload lose nothing."""

import base64
import binascii
import json
import zlib
from typing import Any

from audience.filters import FIELDS, BadDefinition

# Web servers take addresses of about 4,000 letters.
LONGEST = 3000
# Bytes; what a hand-made address may unpack to.
_LARGEST = 200_000


def packed(definition: dict[str, Any], require: list[str] | None) -> str:
    """For the address. Raises BadDefinition when it would be too long for one."""
    told = json.dumps({"is": definition, "require": require}, separators=(",", ":")).encode()
    words = base64.urlsafe_b64encode(zlib.compress(told, 9)).decode().rstrip("=")
    if len(words) > LONGEST:
        raise BadDefinition("So many choices are more than can be tried out at once. Choose fewer, or save in between.")
    return words


def unpacked(words: str) -> tuple[dict[str, Any], list[str] | None] | None:
    """Definition and ticked boxes, as typed in; None for what is not an address of ours."""
    try:
        raw = base64.urlsafe_b64decode(words + "=" * (-len(words) % 4))
        told = json.loads(zlib.decompressobj().decompress(raw, _LARGEST))
        definition, require = told["is"], told["require"]
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not _is_definition(definition):
        return None
    if require is not None:
        require = [field for field in FIELDS if field in require] if isinstance(require, list) else []
    return definition, require


def _is_definition(told: Any) -> bool:
    """Shaped like one, so that its rows can be shown; whether it can be meant is said beside the count."""
    if not isinstance(told, dict) or set(told) - {"primary", "filters"}:
        return False
    rows = [*([told["primary"]] if told.get("primary") else []), *_listed(told.get("filters", []))]
    return all(isinstance(row, dict) and isinstance(row.get("key"), str) for row in rows) and isinstance(
        told.get("filters", []), list
    )


def _listed(told: Any) -> list[Any]:
    return told if isinstance(told, list) else []
