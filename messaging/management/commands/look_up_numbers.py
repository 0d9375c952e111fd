from django.core.management.base import BaseCommand, CommandError

from messaging.lookups import NoLine, look_up
from trackstat.tenancy.models import Practice


class Command(BaseCommand):
    help = "Ask the carrier which numbers that the EHR does not mark are mobile, so that their owners can be texted."

    def add_arguments(self, parser):
        parser.add_argument("practice", help="slug of the practice")
        parser.add_argument("--most", type=int, default=10_000, help="ask about so many numbers at the most")

    def handle(self, *args, practice, most, **options):
        try:
            practice_id = Practice.objects.get(slug=practice).pk
        except Practice.DoesNotExist:
            raise CommandError(f"There is no practice “{practice}”.") from None
        found: dict[str, int] = {}
        try:
            for found in look_up(practice_id, most):
                self.stdout.write(f"{sum(found.values()):,} numbers asked about")
        except NoLine:
            raise CommandError("The practice has no texting line: add one first.") from None
        self.stdout.write(", ".join(f"{count:,} {kind}" for kind, count in sorted(found.items())) or "Nothing to ask.")
