"""What patients are treated for and who pays: courses of care, diagnoses, services, insurance and money.

Drawn from a generator of its own, after people and visits: these stay the same whatever is added here.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from trackstat.seed.generator.people import Person
from trackstat.seed.generator.practices import PracticePlan
from trackstat.seed.generator.visits import Visit

# Services of visits longer ago are not in such systems' exports.
_SERVICES_KEPT = timedelta(days=365)
_STILL_IN_CARE = timedelta(days=60)
_COMPANIES = {"Blue Cross Blue Shield": 34, "Aetna": 17, "UnitedHealthcare": 18, "Cigna": 12, "Tufts Health Plan": 8}
_CASES = {"Back and neck": 52, "Wellness": 30, "Personal injury": 9, "Workers' compensation": 5, "Pregnancy": 4}
_ATTORNEYS = ("Harper & Lowe", "Castellano Law Group", "Whitman Injury Law")
_PACKAGES = ("12 adjustments", "Family wellness plan", "Massage bundle of 6")
_SOURCES = {"Friend or family": 38, "Google search": 27, "Physician": 14, "Insurance directory": 12, "Walk-in": 9}
# ICD-10 code, name, and of which cases.
_DIAGNOSES = {
    "Back and neck": (
        ("M54.50", "Low back pain, unspecified"),
        ("M54.2", "Cervicalgia"),
        ("M99.01", "Segmental and somatic dysfunction of cervical region"),
        ("M99.03", "Segmental and somatic dysfunction of lumbar region"),
        ("M54.16", "Radiculopathy, lumbar region"),
    ),
    "Wellness": (("M99.02", "Segmental and somatic dysfunction of thoracic region"), ("R51.9", "Headache")),
    "Personal injury": (("S13.4XXA", "Sprain of ligaments of cervical spine"), ("M54.2", "Cervicalgia")),
    "Workers' compensation": (("S33.5XXA", "Sprain of ligaments of lumbar spine"),),
    "Pregnancy": (("O26.891", "Pregnancy related conditions, first trimester"),),
}
# Purpose → CPT code, name, and what it costs in dollars.
_SERVICES = {
    "New Patient Exam": ("99203", "Office visit, new patient", 135),
    "Report of Findings": ("99213", "Office visit, established patient", 80),
    "Re-Exam": ("99213", "Office visit, established patient", 80),
    "Adjustment": ("98941", "Chiropractic manipulation, 3-4 regions", 65),
    "Massage Therapy": ("97124", "Massage therapy", 90),
    "Spinal Decompression": ("97012", "Mechanical traction", 55),
    "X-Ray": ("72100", "X-ray of lumbar spine", 95),
    "Wellness Checkup": ("98940", "Chiropractic manipulation, 1-2 regions", 50),
}


@dataclass
class Service:
    id: str
    patient: str
    code: str
    name: str
    on: date
    # What was paid at the desk, in dollars; 0 where the insurance company pays all of it.
    paid: int


@dataclass
class Care:
    """What the practice's EHR knows of a patient besides people and visits."""

    patient: str
    case_type: str
    began: date
    # None while it goes on.
    ended: date | None
    referral_source: str
    attorney: str = ""
    package: str = ""
    fee_schedule: str = ""
    company: str = ""
    # Codes and names.
    diagnoses: list[tuple[str, str]] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)


class Cares:
    """The care of everybody who came at least once, seen on `today` (the practice's day)."""

    def __init__(self, plan: PracticePlan, today: date) -> None:
        self.today, self.random = today, Random(f"care {plan.seed} {plan.patients} {today.isoformat()}")

    def generate(self, people: list[Person], visits: list[Visit]) -> Iterator[Care]:
        came: dict[str, list[Visit]] = defaultdict(list)
        booked = set()
        for visit in visits:
            if visit.status == "fulfilled":
                came[visit.patient].append(visit)
            elif visit.status == "booked" and visit.starts_at.date() >= self.today:
                booked.add(visit.patient)
        for person in people:
            if kept := came.get(person.id):
                yield self._care(person, kept, is_booked=person.id in booked)

    def _care(self, person: Person, kept: list[Visit], *, is_booked: bool) -> Care:
        days = [visit.starts_at.date() for visit in kept]
        goes_on = not person.status and (is_booked or max(days) > self.today - _STILL_IN_CARE)
        case = self._drawn(_CASES)
        if case == "Pregnancy" and (person.sex != "female" or not 19 < self._age(person) < 46):
            case = "Wellness"
        care = Care(
            person.id,
            case,
            min(days),
            None if goes_on else max(days) + timedelta(days=14),
            self._drawn(_SOURCES),
            company=self._company(person, case),
        )
        if case == "Personal injury" and self.random.random() < 0.8:
            care.attorney = self.random.choice(_ATTORNEYS)
        if goes_on and case == "Wellness" and self.random.random() < 0.5:
            care.package = self.random.choice(_PACKAGES)
        care.fee_schedule = "Insurance" if care.company else self.random.choice(("Self-pay", "Time of service"))
        codes = _DIAGNOSES[case]
        care.diagnoses = self.random.sample(codes, self.random.randint(1, min(2, len(codes))))
        since = self.today - _SERVICES_KEPT
        care.services = [self._service(visit, care) for visit in kept if visit.starts_at.date() > since]
        care.services = [service for service in care.services if service.code]
        return care

    def _service(self, visit: Visit, care: Care) -> Service:
        code, name, price = _SERVICES.get(visit.purpose, ("", "", 0))
        copay = self.random.choice((0, 20, 25, 40)) if care.company else price
        number = visit.id.removeprefix("appt-")
        return Service(number, visit.patient, code, name, visit.starts_at.date(), min(copay, price))

    def _company(self, person: Person, case: str) -> str:
        if self._age(person) >= 65:
            return "Medicare" if self.random.random() < 0.9 else ""
        if case in ("Personal injury", "Workers' compensation"):
            return "Liberty Mutual" if self.random.random() < 0.7 else ""
        return self._drawn(_COMPANIES) if self.random.random() < 0.66 else ""

    def _age(self, person: Person) -> int:
        return (self.today - person.birth_date).days // 365

    def _drawn(self, weights: dict[str, int]) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]
