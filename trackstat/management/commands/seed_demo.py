"""`bin/manage seed_demo`: two made-up practices. Again it changes nothing."""

from typing import ClassVar

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from trackstat.seed.demo import has_patients, seed_offices, seed_patients
from trackstat.seed.generator import PRACTICES


class Command(BaseCommand):
    help = "Make the demo's two practices with people, patients and some weeks of sent campaigns, where missing."
    # `migrate` has just run them, and starting the demo again must not take long.
    requires_system_checks: ClassVar[list[str]] = []

    def handle(self, *args, **options):
        if not settings.SANDBOX:
            raise CommandError("The demo's people have a known password: they are made beside a sandbox only.")
        practices = seed_offices()
        if not all(map(has_patients, practices)):
            self._wake()
        for plan in PRACTICES:
            seed_patients(plan, self.stdout.write)

    def _wake(self) -> None:
        """Their "today" is the day on which the demo will stand, also when it is started in the middle of the night."""
        if not (settings.SANDBOX_DATABASE_URL and settings.SANDBOX_URL):
            return
        try:
            call_command("sandbox_clock", "--awake", stdout=self.stdout)
        except OSError:
            self.stderr.write("The sandbox does not answer yet; its clock is set when it does.")
