"""Families: who lives together, who shares a phone or a mailbox, who has left the practice or died."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from trackstat.seed.generator.names import BACKGROUNDS, NICKNAMES, STREETS
from trackstat.seed.generator.practices import PracticePlan

# RFC 2606: nobody can own these.
_MAIL_DOMAINS = ("mailbox.example", "inbox.example", "post.example", "example.com", "example.net", "example.org")
# The EHR's words for those who do not come any more, and how many of a hundred adults they fit.
_STATUS_SHARES = {"": 87.0, "Discharged": 4.0, "Archived": 3.0, "Inactive": 6.0}
_HOUSEHOLDS = {"single": 40, "couple": 17, "family": 24, "parent": 9, "elders": 10}
_AGES = {"single": (19, 74), "couple": (22, 72), "family": (28, 52), "parent": (26, 50), "elders": (67, 89)}
_BIRTHDAYS_TODAY, _BIRTHDAYS_TOMORROW = 0.006, 0.004


@dataclass
class Person:
    id: str
    first_name: str
    last_name: str
    nickname: str
    birth_date: date
    sex: str
    address: str
    city: str
    state: str
    postal_code: str
    provider: str
    cell: str = ""
    home_phone: str = ""
    work_phone: str = ""
    email: str = ""
    # The EHR's own word for a patient who is not active; empty for one who is.
    status: str = ""
    is_child: bool = False


class People:
    """All patients of a plan. Everything is drawn from one generator, in one order."""

    def __init__(self, plan: PracticePlan, today: date, random: Random):
        self.plan, self.today, self.random = plan, today, random
        self.people: list[Person] = []
        self._made = 0
        self._phones: set[str] = {plan.phone, plan.text_number}
        self._emails: set[str] = set()

    def generate(self) -> list[Person]:
        while len(self.people) < self.plan.patients:
            self.people += self._household()
        del self.people[self.plan.patients :]
        self._spread_birthdays()
        return self.people

    def _household(self) -> list[Person]:
        kind = self._weighted(_HOUSEHOLDS)
        background = self._weighted(self.plan.backgrounds)
        last = self.random.choice(BACKGROUNDS[background].last)
        home = self._address()
        line = self._phone() if self._chance(0.9 if kind == "elders" else 0.3) else ""
        sexes = ["female", "male"] if self._chance(0.5) else ["male", "female"]
        if self._chance(0.06):
            sexes[1] = sexes[0]
        adults = [self._adult(kind, background, last, sex, home, line) for sex in sexes[: 1 + (kind in _PAIRS)]]
        if len(adults) == 2 and self._chance(0.18):
            adults[1].last_name = self.random.choice(BACKGROUNDS[self._weighted(self.plan.backgrounds)].last)
        if kind == "elders" and adults[0].email and self._chance(0.5):
            adults[1].email = adults[0].email
        if kind not in ("family", "parent"):
            return adults
        children = self.random.choices((1, 2, 3), (45, 40, 15))[0]
        return adults + [self._child(background, last, home, line, adults) for _ in range(children)]

    def _adult(
        self, kind: str, background: str, last: str, sex: str, home: tuple[str, str, str, str], line: str
    ) -> Person:
        person = self._person(background, last, sex, self._born(*_AGES[kind]), home)
        elder = kind == "elders"
        person.cell = self._phone() if self._chance(0.55 if elder else 0.93) else ""
        person.home_phone = line
        person.work_phone = self._phone() if not elder and self._chance(0.12) else ""
        person.email = self._email(person) if self._chance(0.45 if elder else 0.8) else ""
        person.status = "Deceased" if elder and self._chance(0.12) else self._weighted(_STATUS_SHARES)
        return person

    def _child(
        self, background: str, last: str, home: tuple[str, str, str, str], line: str, parents: list[Person]
    ) -> Person:
        child = self._person(background, last, self.random.choice(("female", "male")), self._born(1, 17), home)
        child.is_child, child.home_phone = True, line
        # Front desks write a parent's number and mailbox into a child's record.
        parent = self.random.choice(parents)
        grown_up = (self.today - child.birth_date).days > 15 * 365
        child.cell = self._phone() if grown_up and self._chance(0.6) else parent.cell
        child.email = parent.email if self._chance(0.8) else ""
        child.status = "Inactive" if self._chance(0.05) else ""
        return child

    def _person(self, background: str, last: str, sex: str, born: date, home: tuple[str, str, str, str]) -> Person:
        self._made += 1
        first = self.random.choice(getattr(BACKGROUNDS[background], sex))
        nickname = NICKNAMES.get(first, "") if self._chance(0.45) else ""
        providers = [provider.id for provider in self.plan.providers]
        provider = self.random.choices(providers, range(len(providers) + 1, 1, -1))[0]
        said = sex if self._chance(0.99) else "other"
        return Person(f"pat-{self._made:05d}", first, last, nickname, born, said, *home, provider)

    def _address(self) -> tuple[str, str, str, str]:
        town = self.random.choices(self.plan.towns, [town.share for town in self.plan.towns])[0]
        street = f"{self.random.randint(2, 480)} {self.random.choice(STREETS)}"
        if self._chance(0.3):
            street += f", Apt {self.random.randint(1, 24)}"
        return street, town.city, town.state, self.random.choice(town.postal_codes)

    def _phone(self) -> str:
        """A number of the region with exchange 555, which no carrier gives out; directory assistance is left alone."""
        while True:
            number = f"+1{self.random.choice(self.plan.area_codes)}555{self.random.randint(100, 9999):04d}"
            if number not in self._phones and not number.endswith("1212"):
                self._phones.add(number)
                return number

    def _email(self, person: Person) -> str:
        first, last = _ascii(person.nickname or person.first_name), _ascii(person.last_name)
        shape = self.random.choice(("{f}.{l}", "{f}{l}", "{f}.{l}{y}", "{i}{l}", "{l}.{f}"))
        local = shape.format(f=first, l=last, i=first[:1], y=f"{person.birth_date:%y}")
        address = f"{local}@{self.random.choice(_MAIL_DOMAINS)}"
        while address in self._emails:
            address = f"{local}{self.random.randint(2, 999)}@{self.random.choice(_MAIL_DOMAINS)}"
        self._emails.add(address)
        return address

    def _born(self, youngest: int, oldest: int) -> date:
        return self.today - timedelta(days=self.random.randint(youngest * 366, oldest * 365))

    def _spread_birthdays(self) -> None:
        """Gives some active adults a birthday today and tomorrow, and a few one on 29 February."""
        adults = [person for person in self.people if not person.is_child and not person.status and person.cell]
        self.random.shuffle(adults)
        tomorrow = self.today + timedelta(days=1)
        for day, share in ((self.today, _BIRTHDAYS_TODAY), (tomorrow, _BIRTHDAYS_TOMORROW)):
            for _ in range(max(2, round(self.plan.patients * share))):
                person = adults.pop()
                person.birth_date = _same_year(person.birth_date, day)
        for _ in range(max(1, self.plan.patients // 1000)):
            person = adults.pop()
            person.birth_date = date(person.birth_date.year // 4 * 4, 2, 29)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _weighted[T](self, weights: Mapping[T, float]) -> T:
        return self.random.choices(list(weights), list(weights.values()))[0]


_PAIRS = ("couple", "family", "elders")


def _same_year(born: date, day: date) -> date:
    return date(born.year, day.month, min(day.day, 28) if day.month == 2 else day.day)


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in plain if letter.isalnum())
