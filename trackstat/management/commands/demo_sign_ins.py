from django.core.management.base import BaseCommand

from trackstat.seed.cast import CAST, PASSWORD


class Command(BaseCommand):
    help = "The demo's people, one for each role, with their password."

    def handle(self, *args, **options):
        self.stdout.write(f"Sign in (password for all: {PASSWORD})")
        for person in CAST:
            roles = ", ".join(f"{role} of {slug}" for slug, role in person.roles.items())
            self.stdout.write(f"  {person.email:<26}{roles}")
