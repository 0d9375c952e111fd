"""The made-up practices: where they are, who works there, and what their patients come for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    id: str
    prefix: str
    first_name: str
    last_name: str
    suffix: str
    gender: str


@dataclass(frozen=True)
class Town:
    city: str
    state: str
    postal_codes: tuple[str, ...]
    # How many of a hundred patients live there, roughly.
    share: int


@dataclass(frozen=True)
class PracticePlan:
    slug: str
    name: str
    zone: str
    patients: int
    phone: str
    # What it texts from, and the domain it mails from.
    text_number: str
    mail_domain: str
    address: str
    city: str
    state: str
    postal_code: str
    area_codes: tuple[str, ...]
    towns: tuple[Town, ...]
    providers: tuple[Provider, ...]
    locations: tuple[str, ...]
    # Backgrounds of `names.BACKGROUNDS`, by weight.
    backgrounds: dict[str, int]
    seed: int


NORTHSIDE = PracticePlan(
    slug="northside",
    name="Northside Chiropractic",
    zone="America/New_York",
    patients=2000,
    phone="+16175550142",
    text_number="+16175550177",
    mail_domain="mail.northside.example",
    address="210 Massachusetts Ave, Suite 3",
    city="Cambridge",
    state="MA",
    postal_code="02139",
    area_codes=("617", "857", "781", "339", "508", "978"),
    towns=(
        Town("Cambridge", "MA", ("02138", "02139", "02140", "02141"), 26),
        Town("Somerville", "MA", ("02143", "02144", "02145"), 20),
        Town("Boston", "MA", ("02108", "02115", "02116", "02118", "02127", "02130"), 22),
        Town("Medford", "MA", ("02155",), 9),
        Town("Arlington", "MA", ("02474", "02476"), 8),
        Town("Brookline", "MA", ("02445", "02446"), 6),
        Town("Watertown", "MA", ("02472",), 4),
        Town("Malden", "MA", ("02148",), 3),
        Town("Nashua", "NH", ("03060",), 1),
        # Snowbirds, whose own clock is what quiet hours go by.
        Town("Chicago", "IL", ("60614",), 1),
    ),
    providers=(
        Provider("prov-1", "Dr.", "Rosa", "Delgado", "DC", "female"),
        Provider("prov-2", "Dr.", "Peter", "Okafor", "DC", "male"),
        Provider("prov-3", "Dr.", "Ellen", "Whitcomb", "DC", "female"),
        Provider("prov-4", "", "Minh", "Tran", "LMT", "male"),
    ),
    locations=("Cambridge office", "Medford office"),
    backgrounds={
        "english": 22, "irish": 14, "italian": 10, "hispanic": 12, "african american": 9, "chinese": 7, "indian": 7,
        "portuguese": 5, "haitian": 4, "jewish": 4, "arabic": 2, "vietnamese": 2, "polish": 2,
    },
    seed=20_260_101,
)  # fmt: skip

SOUTHSIDE = PracticePlan(
    slug="southside",
    name="Southside Wellness",
    zone="America/Denver",
    patients=400,
    phone="+13035550188",
    text_number="+13035550166",
    mail_domain="mail.southside.example",
    address="48 South Broadway",
    city="Denver",
    state="CO",
    postal_code="80209",
    area_codes=("303", "720"),
    towns=(
        Town("Denver", "CO", ("80202", "80205", "80209", "80210", "80219", "80223"), 62),
        Town("Englewood", "CO", ("80110", "80113"), 14),
        Town("Lakewood", "CO", ("80226", "80228"), 12),
        Town("Littleton", "CO", ("80120", "80123"), 10),
        Town("Phoenix", "AZ", ("85016",), 2),
    ),
    providers=(
        Provider("prov-1", "Dr.", "Hannah", "Begay", "DC", "female"),
        Provider("prov-2", "", "Lucas", "Moreno", "LMT", "male"),
    ),
    locations=("South Broadway",),
    backgrounds={
        "english": 30, "hispanic": 26, "irish": 10, "african american": 8, "navajo": 4, "korean": 4, "vietnamese": 5,
        "german": 8, "indian": 3, "arabic": 2,
    },
    seed=20_260_102,
)  # fmt: skip

PRACTICES = (NORTHSIDE, SOUTHSIDE)
