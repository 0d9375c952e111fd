"""The made-up practice of the demo as a system without FHIR would write it, as CSV: the same people, visits, services
and payments."""

import datetime as dt
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from tests.audience.ehr.csv.drops import write as write_file
from trackstat.seed.generator import PracticePlan
from trackstat.seed.generator.care import Cares
from trackstat.seed.generator.people import People
from trackstat.seed.generator.resources import practitioner
from trackstat.seed.generator.visits import Visits

_STATUS = {
    "fulfilled": "Kept", "arrived": "Arrived", "checked-in": "Checked In", "booked": "Scheduled", "pending": "Pending",
    "noshow": "No Show", "cancelled": "Cancelled",
}  # fmt: skip
# Check-ins of visits longer ago are not in the FHIR export either.
_CHECK_INS_KEPT = dt.timedelta(days=45)


def write(plan: PracticePlan, folder: Path, at: dt.datetime, **how) -> Path:
    """The counterpart of `trackstat.seed.generator.write`: the same practice at the same moment."""
    at = at.astimezone(ZoneInfo(plan.zone)).replace(second=0, microsecond=0)
    random = Random(f"{plan.seed} {plan.patients} {at.date().isoformat()}")
    people = People(plan, at.date(), random).generate()
    visits = list(Visits(plan, at, random).generate(people))
    cares = list(Cares(plan, at.date()).generate(people, visits))
    services = [service for care in cares for service in care.services]
    sources = {care.patient: care.referral_source for care in cares}
    names = {one.id: _full(practitioner(one, number)["name"][0]) for number, one in enumerate(plan.providers, 1)}
    places = {f"loc-{number}": name for number, name in enumerate(plan.locations, 1)}
    write_file(
        folder,
        "Patient List.csv",
        *(
            {
                "Chart #": person.id,
                "Name": f"{person.last_name}, {person.first_name}",
                "Nickname": person.nickname,
                "DOB": f"{person.birth_date:%m/%d/%Y}",
                "Sex": person.sex[0].upper() if person.sex != "other" else "Other",
                "Home Phone": person.home_phone,
                "Cell": _written(person.cell),
                "Work Phone": person.work_phone,
                "E-mail": person.email.upper(),
                "Address": person.address,
                "City": person.city,
                "State": person.state,
                "Zip": person.postal_code,
                "Country": "USA",
                "Status": person.status or "Active",
                "Primary Provider": names[person.provider],
                "Referral Source": sources.get(person.id, ""),
            }
            for person in people
        ),
        **how,
    )
    write_file(
        folder,
        "Appointments.csv",
        *(
            {
                "Appt ID": visit.id,
                "Chart #": visit.patient,
                "Appt Date": f"{visit.starts_at:%m/%d/%Y}",
                "Appt Time": f"{visit.starts_at:%I:%M %p}",
                "Duration": str((visit.ends_at - visit.starts_at) // dt.timedelta(minutes=1)),
                "Status": _STATUS[visit.status],
                "Checked In": f"{visit.came_at:%I:%M %p}"
                if visit.came_at and visit.starts_at > at - _CHECK_INS_KEPT
                else "",
                "Type": visit.purpose,
                "Provider": names[visit.provider],
                "Location": places[visit.location],
            }
            for visit in visits
        ),
        **how,
    )
    write_file(
        folder,
        "Charges.csv",
        *(
            {
                "Transaction ID": service.id,
                "Chart #": service.patient,
                "Date of Service": f"{service.on:%m/%d/%Y}",
                "CPT": service.code,
                "Description": service.name,
            }
            for service in services
        ),
        **how,
    )
    write_file(
        folder,
        "Payments.csv",
        *(
            {
                "Payment ID": service.id,
                "Chart #": service.patient,
                "Date": f"{service.on:%m/%d/%Y}",
                "Amount": f"${service.paid}.00",
                "Paid By": "Patient",
            }
            for service in services
            if service.paid
        ),
        **how,
    )
    return folder


def _written(number: str) -> str:
    return f"({number[2:5]}) {number[5:8]}-{number[8:]}" if number else ""


def _full(name: dict) -> str:
    return " ".join([*name.get("prefix", ()), *name["given"], name["family"], *name["suffix"]])
