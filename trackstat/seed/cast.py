"""Who signs in to the demo. Nobody here is real, and outside of a sandbox nothing here is made."""

from typing import NamedTuple

from trackstat.tenancy.models import Membership, User
from trackstat.tenancy.roles import seed_roles

# Shown on the demo's screen; the demo answers on this machine alone.
PASSWORD = "show me around 2026"


class Person(NamedTuple):
    """`roles`: the practice's slug → the role there."""

    email: str
    name: str
    roles: dict[str, str]


CAST = (
    Person("olive@northside.example", "Olive Ostrander", {"northside": "Administrator", "southside": "User"}),
    Person("mona@northside.example", "Mona Marsh", {"northside": "Manager"}),
    Person("uma@northside.example", "Uma Underhill", {"northside": "User Plus"}),
    Person("fred@northside.example", "Fred Falk", {"northside": "User"}),
    Person("quinn@southside.example", "Quinn Quill", {"southside": "Administrator"}),
)


def seed_people(slug: str) -> dict[str, User]:
    """The people of the practice in scope, by the word before the @, with their roles."""
    roles, people = seed_roles(), {}
    for person in CAST:
        if slug in person.roles:
            user = User.objects.filter(email=person.email).first()
            if user is None:
                user = User.objects.create_user(person.email, PASSWORD, name=person.name)
            Membership.objects.get_or_create(user=user, defaults={"role": roles[person.roles[slug]]})
            people[person.email.partition("@")[0]] = user
    return people
