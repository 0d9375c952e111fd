"""Writes the files of one export."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from trackstat.seed.generator import care_resources, resources
from trackstat.seed.generator.care import Cares
from trackstat.seed.generator.people import People, Person
from trackstat.seed.generator.practices import PracticePlan
from trackstat.seed.generator.visits import Visits

# Check-ins of visits longer ago are not in such systems' exports, and nothing here asks for them.
_CHECK_INS_KEPT = timedelta(days=45)


@dataclass(frozen=True)
class Export:
    """What was written: the folder and the number of resources of each type."""

    folder: Path
    counts: dict[str, int]


def write(plan: PracticePlan, folder: Path, at: datetime) -> Export:
    """The export of `plan` as its EHR would make it at the moment `at` (aware)."""
    at = at.astimezone(ZoneInfo(plan.zone)).replace(second=0, microsecond=0)
    random = Random(f"{plan.seed} {plan.patients} {at.date().isoformat()}")
    people = People(plan, at.date(), random).generate()
    visits = list(Visits(plan, at, random).generate(people))
    recent = at - _CHECK_INS_KEPT
    came = ((visit, visit.came_at) for visit in visits if visit.came_at and visit.starts_at > recent)
    cares = list(Cares(plan, at.date()).generate(people, visits))
    services = [service for care in cares for service in care.services]
    sources = {care.patient: care_resources.referral(care.referral_source) for care in cares}
    folder.mkdir(parents=True, exist_ok=True)
    counts = {
        # Appointments first, as bulk servers do when the alphabet decides: a reader must not count on patients first.
        "Appointment": _write(folder / "Appointment.000.ndjson.gz", map(resources.appointment, visits)),
        "ChargeItem": _write(folder / "ChargeItem.000.ndjson.gz", map(care_resources.charge, services)),
        "Condition": _write(
            folder / "Condition.000.ndjson.gz", (each for care in cares for each in care_resources.conditions(care))
        ),
        "Coverage": _write(
            folder / "Coverage.000.ndjson.gz", (care_resources.coverage(care) for care in cares if care.company)
        ),
        "Encounter": _write(folder / "Encounter.000.ndjson", (resources.encounter(*one) for one in came)),
        "EpisodeOfCare": _write(folder / "EpisodeOfCare.000.ndjson.gz", map(care_resources.episode, cares)),
        "Invoice": _write(
            folder / "Invoice.000.ndjson.gz", (care_resources.invoice(service) for service in services if service.paid)
        ),
        "Location": _write(
            folder / "Location.000.ndjson",
            (resources.location(name, number, plan) for number, name in enumerate(plan.locations, 1)),
        ),
        "Organization": _write(folder / "Organization.000.ndjson", [resources.organization(plan)]),
        "Patient": _write(folder / "Patient.000.ndjson", (_patient(one, plan, random, sources) for one in people)),
        "Practitioner": _write(
            folder / "Practitioner.000.ndjson",
            (resources.practitioner(one, number) for number, one in enumerate(plan.providers, 1)),
        ),
    }
    return Export(folder, counts)


def _patient(person: Person, plan: PracticePlan, random: Random, sources: dict[str, dict]) -> dict:
    found = resources.patient(person, plan, random)
    if source := sources.get(person.id):
        found["extension"] = [*found.get("extension", []), source]
    return found


def _write(path: Path, found: Iterable[dict]) -> int:
    lines = [msgspec.json.encode(resource) for resource in found]
    body = b"\n".join(lines) + b"\n"
    # Without a time stamp the same export is the same file.
    path.write_bytes(gzip.compress(body, compresslevel=3, mtime=0) if path.suffix == ".gz" else body)
    return len(lines)
