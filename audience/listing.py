"""Lists of patients as staff read them: search, sort, page, and what each row shows. A fixed number of statements."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import F, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import HttpRequest

from audience.filters.people import age_on
from audience.models import Appointment, Patient, PatientTag
from trackstat.clock import now

SIZE = 50
# Key in the address → columns; a leading "-" turns all of them.
SORTS: dict[str, tuple[str, ...]] = {
    "name": ("last_name", "first_name", "pk"),
    "age": ("-birth_date", "pk"),
    "last": ("last_visit_on", "pk"),
    "next": ("next_visit_at", "pk"),
    "visits": ("visit_count", "pk"),
}


@dataclass(frozen=True)
class Listing:
    """One page of patients, and what was asked for."""

    page: Page
    q: str
    sort: str
    total: int

    @property
    def is_searched(self) -> bool:
        return bool(self.q)


def listing(
    request: HttpRequest, patients: QuerySet[Patient], on: dt.date, size: int = SIZE, count: int | None = None
) -> Listing:
    """By the address's `q`, `sort` and `page`; what these do not name is by name, first page.

    `count`: how many all of them are, where that is known.
    """
    q = " ".join(request.GET.get("q", "").split())[:100]
    sort = request.GET.get("sort", "")
    if sort.removeprefix("-") not in SORTS:
        sort = ""
    ids = in_order(search(patients, q), sort or "name").values_list("pk", flat=True)
    paginator = Paginator(ids, size)
    if count is not None and not q:
        paginator.count = count
    page = paginator.get_page(request.GET.get("page"))
    # The details only now: they would be worked out for every row before the page, too.
    shown = {row.pk: row for row in with_details(Patient.everyone.filter(pk__in=list(page.object_list)), on)}
    page.object_list = [shown[pk] for pk in page.object_list if pk in shown]
    return Listing(page, q, sort, page.paginator.count)


def search(patients: QuerySet[Patient], words: str) -> QuerySet[Patient]:
    """Each word begins a first, last or preferred name; or digits of a phone number; or the beginning of an email."""
    for word in words.replace(",", " ").split() if not _is_phone(words) else [re.sub(r"\D", "", words)]:
        if word.isdigit() and len(word) >= 3:
            q = Q(cell__contains=word) | Q(home_phone__contains=word) | Q(work_phone__contains=word)
        elif "@" in word:
            q = Q(email__istartswith=word)
        else:
            q = (
                Q(last_name__istartswith=word)
                | Q(first_name__istartswith=word)
                | Q(preferred_name__istartswith=word)
                | Q(email__istartswith=word)
            )
        patients = patients.filter(q)
    return patients


def _is_phone(words: str) -> bool:
    return bool(re.fullmatch(r"[\d\s().+-]{3,}", words)) and bool(re.search(r"\d{3}", words))


def in_order(patients: QuerySet[Patient], sort: str) -> QuerySet[Patient]:
    """Empty dates come last, whichever way one sorts."""
    turned = sort.startswith("-")
    orders: list[Any] = []
    for column in SORTS[sort.removeprefix("-")]:
        down = column.startswith("-") != turned
        field = F(column.removeprefix("-"))
        if column in {"last_name", "first_name", "pk"}:
            orders.append(field.desc() if down else field.asc())
        else:
            orders.append(field.desc(nulls_last=True) if down else field.asc(nulls_last=True))
    return patients.order_by(*orders)


def with_details(patients: QuerySet[Patient], on: dt.date) -> list[Patient]:
    """The rows of one page with `age`, `upcoming` (moment of the next visit) and `tags`."""
    booked = Appointment.objects.filter(
        patient=OuterRef("pk"), status=Appointment.Status.SCHEDULED, starts_at__gt=now()
    ).order_by("starts_at")
    found = patients.annotate(upcoming=Subquery(booked.values("starts_at")[:1])).prefetch_related(
        Prefetch("patient_tags", PatientTag.objects.select_related("tag").order_by("tag__name"))
    )
    rows: list[Patient] = list(found)
    for row in rows:
        row.age = age_on(row.birth_date, on) if row.birth_date else None  # type: ignore[attr-defined]
        row.tags = [each.tag for each in row.patient_tags.all()]  # type: ignore[attr-defined]
    return rows
