"""Text, dates and contact points as this product keeps them, from whatever an EHR typed.

Each function takes one value and answers with the cleaned value, with an empty one where there is nothing to use, or
raises `Rejected` where taking the record would mean keeping something wrong.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from audience.ehr.records import Rejected
from audience.ehr.words import PLACEHOLDER_EMAIL, STATES, UNITED_STATES
from audience.numbers import is_north_american, may_be_texted

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060\ufeff\ud800-\udfff]+")
_SEPARATORS = re.compile(r"\s*(?:[;,|\n]|/|\bor\b|\band\b|&)\s*", re.IGNORECASE)
_BEFORE_EXTENSION = re.compile(r"\s*[,;]\s*(?=(?:ext|x)[a-z]*\W{0,3}\d)", re.IGNORECASE)
_US_PHONE = re.compile(r"^(?:\+?1[ .-]?)?\(?([2-9]\d\d)\)?[ .-]?([2-9]\d\d)[ .-]?(\d{4})$")
_US_ZIP = re.compile(r"^(\d{5})(?:[ -]?(\d{4}))?(?:\D.*)?$")
# As nearly all are written; what Django's validator would say of the others costs more to tell.
_PLAIN_EMAIL = re.compile(r"[a-z0-9_]+(?:[.+-][a-z0-9_]+)*@(?:[a-z0-9]{1,60}\.){1,4}[a-z]{2,20}")
# Ids, and what else has nothing to be cleaned.
_PLAIN = re.compile(r"[A-Za-z0-9.\-]+")
_DATE = re.compile(r"^\d{4}(-\d{2}){0,2}$")
# RFC 5321, and what is kept; Django's validator takes longer ones.
LONGEST_EMAIL = 254
_EARLIEST, _LATEST = 1850, 2200


def text(value: str | None, what: str, limit: int = 200) -> str:
    """`value` without control characters and doubled spaces; refuses more than `limit` characters of it."""
    if not value:
        return ""
    if len(value) <= limit and _PLAIN.fullmatch(value):
        return value
    cleaned = printable(value)
    if len(cleaned) > limit:
        raise Rejected(f"{what} is {len(cleaned):,} characters long; at most {limit} are kept")
    return cleaned


def printable(value: str, limit: int | None = None) -> str:
    """`value` without control characters and doubled spaces, cut at `limit`."""
    if not value:
        return ""
    if value.isascii() and value.isprintable():
        if "  " not in value and value[0] != " " and value[-1] != " ":
            return value[:limit]
        cleaned = value
    else:
        cleaned = _CONTROL.sub(" ", value)
    return " ".join(cleaned.split())[:limit]


def day(value: str | None, what: str) -> date | None:
    """A full date; None for a year or a year and month alone, which FHIR allows and no rule here can use."""
    if not value:
        return None
    if not _DATE.match(value):
        value = value[:10]
    if len(value) < 10 and _DATE.match(value):
        return None
    try:
        parsed = date.fromisoformat(value)
    except ValueError:
        raise Rejected(f"{what} is not a date") from None
    if not _EARLIEST <= parsed.year <= _LATEST:
        raise Rejected(f"{what} lies in the year {parsed.year}")
    return parsed


def moment(value: str | None, what: str, zone: ZoneInfo) -> datetime | None:
    """An aware point in time. Without an offset, and for a date alone, it is read in the practice's own zone."""
    if not value:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        if _DATE.match(value):
            return None
        raise Rejected(f"{what} is not a date and time") from None
    if not _EARLIEST <= parsed.year <= _LATEST:
        raise Rejected(f"{what} lies in the year {parsed.year}")
    # A fixed offset stays; times of one zone would be subtracted as if clocks were never put forward or back.
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=zone).astimezone(UTC)


# All lines of a bill have the same few days.
@lru_cache(maxsize=20_000)
def local_day(value: str | None, what: str, zone: ZoneInfo) -> date | None:
    """The practice's date of a date or a point in time; None for a year or a month alone."""
    if not value or len(value) <= 10:
        return day(value, what)
    found = moment(value, what, zone)
    return found.astimezone(zone).date() if found else None


def phones(value: str | None, region: str = "US") -> list[tuple[str, bool]]:
    """Numbers in one field, as (E.164, may be texted); those that cannot be a number are left out.

    Possible, not valid, is asked for: the numbering plans that `is_valid` knows lag behind the carriers, and the
    carrier says more later. A number with an extension rings a switchboard, so it is kept for calling only, and so is a
    toll-free one.
    """
    if not value:
        return []
    value = _CONTROL.sub(" ", value).strip()
    if plain := (region == "US" and _US_PHONE.match(value)):
        e164 = f"+1{plain[1]}{plain[2]}{plain[3]}"
        return [(e164, may_be_texted(e164))]
    found = []
    for part in _SEPARATORS.split(_BEFORE_EXTENSION.sub(" ", value[:200])):
        try:
            number = phonenumbers.parse(part, region)
        except phonenumbers.NumberParseException:
            continue
        if not phonenumbers.is_possible_number(number):
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        # Length is all that "possible" checks.
        if number.country_code == 1 and not is_north_american(e164):
            continue
        found.append((e164, not number.extension and may_be_texted(e164)))
    return found


def emails(value: str | None) -> list[str]:
    """Addresses in one field, lower-cased; without what is no address and what front desks type for "none"."""
    if not value:
        return []
    found = []
    for part in re.split(r"[;,\s]+", _CONTROL.sub(" ", value[:1000]).strip()):
        address = part.removeprefix("mailto:").strip("<>").lower()
        if len(address) > LONGEST_EMAIL or not (_PLAIN_EMAIL.fullmatch(address) or _is_email(address)):
            continue
        if not PLACEHOLDER_EMAIL.search(address):
            found.append(address)
    return found


def _is_email(address: str) -> bool:
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def state(value: str | None, country: str) -> str:
    """The two letters of a US state, from either form; elsewhere what the EHR says."""
    cleaned = printable(value or "", 30)
    if country in ("", "US"):
        return STATES.get(cleaned.lower(), cleaned.upper() if len(cleaned) == 2 else cleaned)
    return cleaned


def postal_code(value: str | None, country: str) -> str:
    """US: five digits, or `12345-6789` (also written as nine digits in a row); elsewhere what the EHR says."""
    cleaned = printable(value or "")
    if country in ("", "US") and (parts := _US_ZIP.match(cleaned)):
        return f"{parts[1]}-{parts[2]}" if parts[2] else parts[1]
    return cleaned if len(cleaned) <= 12 else ""


def country(value: str | None) -> str:
    """Two letters for the United States in any spelling; elsewhere what the EHR says."""
    cleaned = printable(value or "", 60)
    return ("US" if cleaned else "") if cleaned.upper() in UNITED_STATES else cleaned
