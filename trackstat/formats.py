"""Numbers, dates and phones as people at a practice's desk write them."""

from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal

import phonenumbers
from django.utils import timezone


def number(value: int | None) -> str:
    """1284 → 1,284; nothing known → –."""
    return "–" if value is None else f"{value:,}"


def share(part: int | None, whole: int | None) -> str:
    """97 of 203 → 47.8 %; nothing to divide by → –. Never says 100 % or 0 % unless it is exactly that."""
    if not whole or part is None:
        return "–"
    percent = (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    if part not in (0, whole):
        percent = min(max(percent, Decimal("0.1")), Decimal("99.9"))
    return f"{percent.normalize():f} %"


def money(cents: int | None) -> str:
    """Cents → $1,284.50."""
    if cents is None:
        return "–"
    return f"{'−' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02}"


def of(name: str, key: int | str) -> str:
    """An id of its own for each row's menu or dialog: "stop"|of:12 → stop-12."""
    return f"{name}-{key}"


def day(value: date | datetime | None) -> str:
    """12 Mar 2026; a moment is first taken to the zone in force (the practice's)."""
    if value is None:
        return "–"
    local = _local(value) if isinstance(value, datetime) else value
    return f"{local.day} {local:%b %Y}"


def when(value: datetime | None) -> str:
    """Tue 24 Nov, 9:00 AM in the zone in force (the practice's); another year is named."""
    if value is None:
        return "–"
    local = _local(value)
    year = "" if local.year == timezone.localdate().year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year}, {clock(local)}"


def clock(value: datetime | time) -> str:
    """9:00 AM."""
    shown = _local(value) if isinstance(value, datetime) else value
    return f"{shown.hour % 12 or 12}:{shown:%M %p}"


def phone(value: str | None) -> str:
    """E.164 → (617) 555-0134; numbers of other countries keep their prefix; what is no number stays as it is."""
    if not value:
        return "–"
    try:
        parsed = phonenumbers.parse(value, "US")
    except phonenumbers.NumberParseException:
        return value
    national = parsed.country_code == 1
    kind = phonenumbers.PhoneNumberFormat.NATIONAL if national else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, kind)


def duration(seconds: float | None) -> str:
    """Seconds → "40 s", "3 min", "1 h 20 min"."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def _local(value: datetime) -> datetime:
    return timezone.localtime(value) if timezone.is_aware(value) else value
