"""What a phone number says by itself, without asking anybody."""

import re
from functools import lru_cache

import phonenumbers

# Area codes of North America that belong to no place.
_TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888"})
# In North America no area code or exchange starts with 0 or 1.
_NORTH_AMERICAN = re.compile(r"\+1[2-9]\d\d[2-9]\d{6}")


def is_toll_free(number: str) -> bool:
    return number.startswith("+1") and number[2:5] in _TOLL_FREE


def is_north_american(number: str) -> bool:
    """E.164, of the shape every number of country code 1 has."""
    return _NORTH_AMERICAN.fullmatch(number) is not None


@lru_cache(maxsize=20_000)
def may_be_texted(number: str) -> bool:
    """E.164, possible, without an extension. Not `is_valid`: numbering plans run ahead of the library's tables."""
    if not number.startswith("+") or not number[1:].isdigit() or is_toll_free(number):
        return False
    if is_north_american(number):
        return True
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
