"""What a patient's page shows. Later apps add their parts with `@section` (campaigns received, say)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from audience.chart import chart
from audience.filters import On
from audience.filters.people import age_on
from audience.filters.visits import next_visit_at
from audience.households import shared_with
from audience.models import Appointment, Channel, ContactPoint, Patient, Tag
from audience.standing import standings
from trackstat.clock import today
from trackstat.tenancy.models import Membership, Practice

VISITS_SHOWN = 50


class Row(NamedTuple):
    """A line of a section: what it is, when (UTC), its state's name, and where it leads."""

    words: str
    at: Any
    state: str
    url: str = ""


class Section(NamedTuple):
    title: str
    empty: str
    rows: list[Row]


Sections = Callable[[Patient, Practice, Membership], Section]
SECTIONS: list[Sections] = []


def section(build: Sections) -> Sections:
    """Decorator for AppConfig.ready of a later app: another part of every patient's page, in few statements."""
    SECTIONS.append(build)
    return build


class Contact(NamedTuple):
    """A phone or mailbox and what may be done with it."""

    label: str
    address: str
    is_phone: bool
    state: str
    words: str


def card(patient: Patient, practice: Practice, membership: Membership) -> dict[str, Any]:
    """In the practice's scope; a fixed number of statements."""
    on = On(today(practice), practice.tz)
    appointments = Appointment.objects.filter(patient=patient).select_related("provider", "purpose", "location")
    carried = list(Tag.objects.filter(patient_tags__patient=patient).order_by("name"))
    ids = {tag.pk for tag in carried}
    return {
        "patient": patient,
        "age": age_on(patient.birth_date, on.date) if patient.birth_date else None,
        "next_visit": next_visit_at(patient, on),
        "contacts": _contacts(patient),
        "households": shared_with(patient, on.date),
        "appointments": list(appointments.order_by("-starts_at")[:VISITS_SHOWN]),
        "tags": carried,
        "other_tags": [tag for tag in Tag.objects.filter(reserved=False) if tag.pk not in ids],
        "sections": [build(patient, practice, membership) for build in SECTIONS],
    } | chart(patient, membership, on.date)


def _contacts(patient: Patient) -> list[Contact]:
    points = {
        point.channel: point
        for point in ContactPoint.objects.filter(address__in=[patient.cell, patient.email])
        if point.address == patient.address_for(point.channel)
    }
    said = standings(patient, points)
    contacts = [
        Contact("Cell", patient.cell, True, *said[Channel.TEXT]),
        Contact("Home", patient.home_phone, True, "missing" if not patient.home_phone else "", ""),
        Contact("Work", patient.work_phone, True, "missing" if not patient.work_phone else "", ""),
        Contact("Email", patient.email, False, *said[Channel.EMAIL]),
    ]
    return [each for each in contacts if each.address or each.label in {"Cell", "Email"}]
