"""Time zones of US postal codes, from the `zipcodes` package (United States Postal Service and Census data)."""

import re
from collections.abc import Iterable
from functools import cache
from threading import Lock, Thread

import zipcodes

# Asking for one code takes 1.4 ms, listing all of them about 0.6 s.
_FEW = 300
_FIVE_DIGITS = re.compile(r"^\d{5}")
# The package reads its list at the first question, which takes 0.7 s.
_asking = Lock()


def load() -> None:
    """Begins to read the package's list; whoever asks meanwhile waits for it."""

    def ask() -> None:
        with _asking:
            _one("02118")

    thread = Thread(target=ask, name="zip-codes", daemon=True)
    thread.start()


def zones_of(postal_codes: Iterable[str]) -> dict[str, str]:
    """IANA name of the zone each US postal code lies in; without military codes and those nobody knows."""
    codes = {code: code[:5] for code in postal_codes if _FIVE_DIGITS.match(code)}
    with _asking:
        zones = _all() if len(codes) > _FEW else {code: _one(code) for code in codes.values()}
    return {code: zone for code, five in codes.items() if (zone := zones.get(five))}


@cache
def _all() -> dict[str, str]:
    return {place["zip_code"]: place["timezone"] for place in zipcodes.list_all()}


@cache
def _one(five: str) -> str:
    return next((place["timezone"] for place in zipcodes.matching(five)), "")
