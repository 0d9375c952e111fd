"""Writes the files of one export."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from trackstat.seed.generator import resources
from trackstat.seed.generator.people import People
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
    folder.mkdir(parents=True, exist_ok=True)
    counts = {
        # Appointments first, as bulk servers do when the alphabet decides: a reader must not count on patients first.
        "Appointment": _write(folder / "Appointment.000.ndjson.gz", map(resources.appointment, visits)),
        "Encounter": _write(folder / "Encounter.000.ndjson", (resources.encounter(*one) for one in came)),
        "Location": _write(
            folder / "Location.000.ndjson",
            (resources.location(name, number, plan) for number, name in enumerate(plan.locations, 1)),
        ),
        "Organization": _write(folder / "Organization.000.ndjson", [resources.organization(plan)]),
        "Patient": _write(folder / "Patient.000.ndjson", (resources.patient(one, plan, random) for one in people)),
        "Practitioner": _write(
            folder / "Practitioner.000.ndjson",
            (resources.practitioner(one, number) for number, one in enumerate(plan.providers, 1)),
        ),
    }
    return Export(folder, counts)


def _write(path: Path, found: Iterable[dict]) -> int:
    lines = [msgspec.json.encode(resource) for resource in found]
    body = b"\n".join(lines) + b"\n"
    # Without a time stamp the same export is the same file.
    path.write_bytes(gzip.compress(body, compresslevel=3, mtime=0) if path.suffix == ".gz" else body)
    return len(lines)
