"""`bin/manage import_opt_outs PRACTICE FILE`: brings a list of opt-outs into the consent ledger."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from audience.ehr.csv.lists import ListReader, dry_run_opt_outs, import_opt_outs
from audience.ehr.csv.words import MEANINGS
from audience.ehr.run import AlreadyRunning
from audience.management.told import practice_named, progress_on, tell
from trackstat.tenancy.scope import practice_scope


class Command(BaseCommand):
    help = "Bring the opt-outs of an earlier system over: a CSV of phone numbers, email addresses or patient ids."

    def add_arguments(self, parser):
        parser.add_argument("practice", help="the practice's short name in addresses, e.g. northside")
        parser.add_argument("file", type=Path, help="a CSV file")
        parser.add_argument(
            "--of",
            choices=list(MEANINGS["opt_outs.scope"]),
            default="all",
            help="what they do not want, where the list does not say (default: %(default)s)",
        )
        parser.add_argument("--source", default="", help="which EHR connection the list's patient ids are of")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *, practice: str, file: Path, of: str, source: str, dry_run: bool, **options):
        found = practice_named(practice)
        if not file.is_file():
            raise CommandError(f"There is no file {file}")
        reader = ListReader(file, scope=of)
        for note in reader.notes:
            self.stderr.write(note, str)
        try:
            done = (dry_run_opt_outs if dry_run else import_opt_outs)(found, reader, source, progress_on(self.stderr))
        except AlreadyRunning as error:
            raise CommandError(str(error)) from None
        with practice_scope(found):
            tell(done, self.stdout)
        if dry_run:
            self.stdout.write("Nothing was changed.")
