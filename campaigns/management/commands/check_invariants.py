from django.core.management.base import BaseCommand, CommandError

from campaigns.invariants import SHOWN, check_all
from trackstat.formats import number


class Command(BaseCommand):
    help = "Look through all practices for rows that must not exist; changes nothing. Fails when there are any."

    def add_arguments(self, parser):
        parser.add_argument(
            "--grace",
            type=float,
            default=60,
            metavar="SECONDS",
            help="how long a running system may take to mend what a crash left behind (default 60)",
        )

    def handle(self, *args, grace, **options):
        checked = violated = 0
        for finding in check_all(grace):
            checked += 1
            name = finding.invariant.name
            if not finding.count:
                self.stdout.write(f"{name}: fine")
                continue
            violated += 1
            self.stdout.write(f"{name}: {number(finding.count)} violations. {finding.invariant.sentence}")
            for violation in finding.violations:
                self.stdout.write(f"  {violation}")
            if finding.count > SHOWN:
                self.stdout.write("  …")
        self.stdout.write(f"{checked} invariants, {violated} violated")
        if violated:
            raise CommandError("What must not be is in the database, see above.")
