"""What a phone number says by itself, without asking anybody."""

from functools import lru_cache

import phonenumbers
from phonenumbers import timezone as phone_zones

# Area codes of North America that belong to no place.
_TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888"})


def is_toll_free(number: str) -> bool:
    return number.startswith("+1") and number[2:5] in _TOLL_FREE


@lru_cache(maxsize=20_000)
def may_be_texted(number: str) -> bool:
    """E.164, possible, without an extension. Not `is_valid`: numbering plans run ahead of the library's tables."""
    if not number.startswith("+") or not number[1:].isdigit() or is_toll_free(number):
        return False
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


@lru_cache(maxsize=20_000)
def time_zones(number: str) -> tuple[str, ...]:
    """IANA names the area code stands for: usually one, sometimes two; none for toll-free and unknown ones."""
    if is_toll_free(number):
        return ()
    try:
        zones = phone_zones.time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ()
    return tuple(zone for zone in zones if zone != "Etc/Unknown")
