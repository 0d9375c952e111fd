"""The time zones a phone number stands for."""

from functools import lru_cache

import phonenumbers
from phonenumbers import timezone as phone_zones

from audience.numbers import is_toll_free


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
