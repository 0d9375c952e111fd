"""`bin/manage ehr_sync PRACTICE [CONNECTION]`: fetches from the practice's EHR now, and waits until that is over."""

import math
import time

from django.core.management.base import BaseCommand, CommandError

from audience.ehr.live.sync import ask, work
from audience.ehr.live.trouble import Patience, Refused
from audience.ehr.reading import Progress
from audience.models import EhrConnection, EhrSync
from trackstat import clock
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

_COUNTS = ("read", "new", "changed", "unchanged", "left_out", "rejected")
# Seconds between two looks at a sync that was put off.
_LOOK = 15.0


class Command(BaseCommand):
    help = "Fetch what has changed from a practice's EHR connections."

    def add_arguments(self, parser):
        parser.add_argument("practice", help="the practice's short name in addresses, e.g. northside")
        parser.add_argument("connection", nargs="?", help="its source name; without it all that are in use")
        parser.add_argument("--from-start", action="store_true", help="everything, not only what has changed")

    def handle(self, *, practice: str, connection: str | None, from_start: bool, **options):
        found = Practice.objects.filter(slug=practice).first()
        if found is None:
            raise CommandError(f"There is no practice “{practice}”")
        with practice_scope(found):
            every = EhrConnection.objects.order_by("source")
            chosen = list(every.filter(source=connection) if connection else every.filter(is_active=True))
        if not chosen:
            raise CommandError(f"{found.name} has no such EHR connection" if connection else "No EHR is connected")
        failed = [one.source for one in chosen if not self._sync(found, one, from_start)]
        if failed:
            raise CommandError(f"Not synced: {', '.join(failed)}")

    def _sync(self, practice: Practice, connection: EhrConnection, from_start: bool) -> bool:
        try:
            with practice_scope(practice):
                pk = ask(connection, from_start=from_start).pk
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        said = ""

        def say(words: str) -> None:
            nonlocal said
            if words != said:
                self.stderr.write(f"{connection.source}: {words}", str)
            said = words

        def report(progress: Progress) -> None:
            say(progress.step)

        while True:
            sync = work(practice, connection.pk, Patience(math.inf, say), report)
            with practice_scope(practice):
                now = clock.now()
                sync = EhrSync.objects.select_related("import_run").get(pk=pk)
            if sync.is_over:
                break
            say(sync.problem or "Another process is at it")
            time.sleep(min(_LOOK, max(0.2, (sync.next_at - now).total_seconds())))
        self._tell(connection, sync)
        return sync.state == EhrSync.State.DONE

    def _tell(self, connection: EhrConnection, sync: EhrSync) -> None:
        if sync.state == EhrSync.State.FAILED:
            self.stdout.write(f"{connection.source}: {sync.problem}")
            return
        if sync.import_run is None:
            self.stdout.write(f"{connection.source}: nothing has changed")
            return
        self.stdout.write(f"{connection.source}: {sync.files:,} files, {sync.size:,} bytes")
        for kind, counts in sync.import_run.counts.items():
            words = ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in _COUNTS if counts.get(name))
            self.stdout.write(f"  {kind or 'unreadable'}: {words}")
        if sync.left_out:
            codes = ", ".join(f"{code} ({number})" for code, number in sorted(sync.left_out.items()))
            self.stdout.write(f"  The EHR could not export everything: {codes}")
