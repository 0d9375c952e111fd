"""Values as such systems write them: dates, times, money, names, phones.

Each function takes what stands in one field and answers with the value, with an empty one where there is nothing to
use, or raises `Rejected`. What may be read in two ways is read as the mapping says.
"""

import re
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from audience.ehr import clean
from audience.ehr.records import Rejected

_EARLIEST, _LATEST = 1850, 2200
# What systems write where there is no date.
_NO_DATE = re.compile(r"^(?:0{1,4}[-/.]0{1,2}[-/.]0{1,4}|0+|n/?a|none|null|unknown|-+)$", re.IGNORECASE)
_NUMBERS = re.compile(r"^(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_WORDS = re.compile(
    r"^(?:(\d{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3,9})|([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?)\.?,?[ -](\d{4}|\d\d)$",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"^(\d{1,2}):?(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([ap])?\.?(?:m\.?)?$|^(\d{1,2})\s*([ap])\.?m?\.?$", re.IGNORECASE
)
_TIME_BEHIND = re.compile(
    r"[T ,]+(\d{1,2}(?::\d{2}){1,2}(?:\.\d+)?\s*(?:[ap]\.?m?\.?)?|\d{1,2}\s*[ap]\.?m\.?)$", re.IGNORECASE
)
_WEEKDAY = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? +", re.IGNORECASE)
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
         "sep sept september", "oct october", "nov november", "dec december"), 1)
    for name in names.split()
}  # fmt: skip
_SUFFIX = re.compile(r"^(?:jr|sr|ii|iii|iv|md|dc|esq)\.?$", re.IGNORECASE)
_INITIAL = re.compile(r"\s+[^\W\d_]\.?$")
_CALLED = re.compile(r"\s*[(\"“]([^()\"“”]{1,60})[)\"”]\s*")
_CELL = re.compile(r"\b(?:c|cell|cellular|m|mob|mobile|text|sms)\b", re.IGNORECASE)
_WORK = re.compile(r"\b(?:w|work|office|bus|business)\b", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\n;|]|,(?!\s*(?:ext|x))|/(?=\D*\d{3})|\bor\b", re.IGNORECASE)
_LABEL = re.compile(r"^\s*[a-z]+\s*[:.-]\s*|\s*[(\[]?[a-z]+[)\]]?\s*$", re.IGNORECASE)
_CURRENCY = re.compile(r"(?:US)?\$|USD|€|EUR", re.IGNORECASE)
_MOST_CENTS = 10**12
_AMOUNT = {
    ".": re.compile(r"^(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.(\d*))?$"),
    ",": re.compile(r"^(?:\d{1,3}(?:[. ]\d{3})+|\d+)?(?:,(\d*))?$"),
}


class Ways(NamedTuple):
    """How to read what may be read in two ways: order of dates, decimal sign, the practice's date and zone."""

    dates: str
    decimal: str
    on: date
    zone: ZoneInfo


@lru_cache(maxsize=50_000)
def day(value: str, what: str, ways: Ways) -> date | None:
    """A date, also where a time follows it."""
    value = _WEEKDAY.sub("", value.strip())
    if not value or _NO_DATE.match(value):
        return None
    found = _date(value, ways) or _date(_split(value)[0], ways)
    if found is None:
        raise Rejected(f"{what} is not a date{_how(value, ways)}")
    if not _EARLIEST <= found.year <= _LATEST:
        raise Rejected(f"{what} lies in the year {found.year}")
    return found


def birthday(value: str, ways: Ways) -> date | None:
    """A date of birth; one to come was written with two digits of its year and lies a century back."""
    found = day(value, "The birth date", ways)
    # 1 January 1900 is how spreadsheets write "none".
    if found is None or found == date(1900, 1, 1):
        return None
    if found > ways.on and not re.search(r"\d{4}", value):
        return found.replace(year=found.year - 100)
    return found


def moment(value: str, time_of_day: str, what: str, ways: Ways) -> datetime | None:
    """A point in time in UTC, from a date and a time in one field or in two, which are the practice's own.

    An hour that summer time leaves out is an hour later, one that comes twice is the first. Raises Rejected for a day
    without a time.
    """
    value, time_of_day = value.strip(), time_of_day.strip()
    if not value or _NO_DATE.match(value):
        return None
    if _ISO.match(value) and not time_of_day:
        return clean.moment(value, what, ways.zone)
    of_day = _time(time_of_day)
    if time_of_day and of_day is None:
        # Spreadsheets put a date before a time that stands alone.
        of_day = _time(_split(time_of_day)[1])
        if of_day is None:
            raise Rejected(f"{what} has no time that can be read")
    first, rest = _split(value)
    on = day(first if rest else value, what, ways)
    of_day = of_day or _time(rest)
    if on is None:
        return None
    if of_day is None:
        raise Rejected(f"{what} has a day and no time")
    return datetime.combine(on, of_day, ways.zone).astimezone(UTC)


def time_only(value: str) -> time | None:
    """A time that stands alone; None for anything else."""
    return _time(value.strip())


def cents(value: str, ways: Ways) -> int | None:
    """US cents, halves up, less than 0 in brackets or with a minus on either side; None where there is no amount."""
    stripped = value.strip()
    if not stripped or stripped in ("-", "–"):
        return None
    bare = _CURRENCY.sub("", stripped).replace("\u00a0", " ").strip()
    below = bare.startswith("(") and bare.endswith(")")
    bare = bare[1:-1] if below else bare
    if bare.startswith(("-", "−")) or bare.endswith("-"):
        below, bare = not below, bare.strip("-−")
    bare = bare.strip()
    if not bare or not _AMOUNT[ways.decimal].match(bare) or len(bare) > 20:
        raise Rejected("The amount is no money that can be read")
    digits = bare.replace("," if ways.decimal == "." else ".", "").replace(" ", "").replace(",", ".")
    try:
        amount = Decimal(digits) * 100
    except ArithmeticError:
        raise Rejected("The amount is no money that can be read") from None
    if amount > _MOST_CENTS:
        raise Rejected("The amount cannot be right")
    found = int(amount.to_integral_value(ROUND_HALF_UP))
    return -found if below else found


def whole_name(value: str) -> tuple[str, str, str]:
    """First, preferred and last name of “Last, First M.” or “First M. Last”; nicknames in brackets or quotes."""
    value = clean.printable(value)
    preferred = ""
    if called := _CALLED.search(value):
        preferred = called[1]
        value = _CALLED.sub(" ", value, count=1).strip().replace(" ,", ",")
    last, comma, first = value.partition(",")
    if comma:
        first, comma, suffix = first.strip().partition(",")
        if _SUFFIX.match(first):
            first, suffix = suffix, first
        last = f"{last} {suffix.strip()}".strip()
    else:
        words = value.split(" ")
        tail = words[-1:] if len(words) > 2 and _SUFFIX.match(words[-1]) else []
        names = words[: len(words) - len(tail)]
        first, last = " ".join(names[:-1]) or names[-1], " ".join([*(names[-1:] if len(names) > 1 else []), *tail])
    first = _INITIAL.sub("", first.strip())
    return (
        clean.text(first, "The first name", 100),
        clean.text(preferred if preferred != first else "", "The preferred name", 100),
        clean.text(last, "The last name", 100),
    )


def phones(value: str, region: str = "US") -> list[tuple[str, str]]:
    """Numbers in one field as ("cell" | "work" | "", E.164), by what stands beside them: “C: 617 555 0111 / H: …”."""
    found = []
    for part in _SEPARATORS.split(value[:300]):
        sort = "cell" if _CELL.search(part) else "work" if _WORK.search(part) else ""
        for number, may_be_texted in clean.phones(_LABEL.sub("", part), region):
            found.append((sort if sort != "cell" or may_be_texted else "", number))
    return found


def listed(value: str, limit: int = 60) -> list[str]:
    """Codes in one field, each once: “M54.5; M99.01”."""
    parts = (clean.printable(part, limit) for part in re.split(r"[;,|\n]", value))
    return list(dict.fromkeys(part for part in parts if part))


def _date(value: str, ways: Ways) -> date | None:
    try:
        if found := _NUMBERS.match(value):
            return _of_numbers(found[1], found[2], found[3], found[4], ways)
        if found := _COMPACT.match(value):
            return date(*map(int, found.groups()))
        if found := _WORDS.match(value):
            month = _MONTHS.get((found[2] or found[3]).lower())
            return date(_year(found[5], ways), month, int(found[1] or found[4])) if month else None
    except ValueError:
        pass
    return None


def _of_numbers(first: str, sign: str, second: str, third: str, ways: Ways) -> date | None:
    if len(first) == 4:
        return date(int(first), int(second), int(third)) if len(third) < 3 else None
    if len(first) == 3 or len(third) not in (2, 4) or (sign == "." and ways.dates != "dmy"):
        return None
    if ways.dates == "ymd" and len(third) == 2:
        return date(_year(first, ways), int(second), int(third))
    month, on = (second, first) if ways.dates == "dmy" else (first, second)
    return date(_year(third, ways), int(month), int(on))


def _year(digits: str, ways: Ways) -> int:
    """Two digits are a year that is past, or no more than twenty years ahead."""
    year = int(digits)
    if len(digits) > 2:
        return year
    return 2000 + year if 2000 + year <= ways.on.year + 20 else 1900 + year


def _how(value: str, ways: Ways) -> str:
    if "." in value and ways.dates != "dmy":
        return "; with dots it is read only where the mapping says that the day stands first"
    return {"mdy": ", month first", "dmy": ", day first", "ymd": ", year first"}[ways.dates]


def _split(value: str) -> tuple[str, str]:
    """A date and the time behind it, '' where there is none."""
    found = _TIME_BEHIND.search(value)
    return (value[: found.start()], found[1]) if found else (value, "")


@lru_cache(maxsize=5_000)
def _time(value: str) -> time | None:
    found = _TIME.match(value.strip())
    if not found:
        return None
    hour = int(found[1] or found[5])
    half = (found[4] or found[6] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return time(hour, int(found[2] or 0), int(found[3] or 0))
    except ValueError:
        return None
