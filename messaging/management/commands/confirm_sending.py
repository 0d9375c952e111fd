import getpass
import socket

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from messaging import restored
from trackstat.formats import duration, number


class Command(BaseCommand):
    help = "Let a database that was restored or copied send again, after showing what it would send."

    def add_arguments(self, parser):
        parser.add_argument("--yes", action="store_true", help="do not ask; for scripts")
        parser.add_argument("--by", help="who confirms; the name of the system's user if not given")

    def handle(self, *args, yes, by, **options):
        if restored.sending_allowed():
            self.stdout.write("Sending is on. There is nothing to confirm.")
            return
        with _owner() as owner:
            self._show(owner)
            if not yes and input("Type “send” to let this database send: ").strip().lower() != "send":
                raise CommandError("Nothing was changed: sending stays off.")
            try:
                restored.confirm(owner, by or f"{getpass.getuser()} at {socket.gethostname()}")
            except restored.NotRemembered as problem:
                raise CommandError(str(problem)) from None
        self.stdout.write("Sending is on. Workers go on within a tick.")

    def _show(self, owner: psycopg.Connection) -> None:
        self.stdout.write("This database was restored or copied, or an older state of it was put back.")
        self.stdout.write("It does not know what was sent since; everything below would go out, perhaps again.\n")
        for name, waiting, unclear, to_write, newest in owner.execute(_WAITING).fetchall():
            age = f"the newest hand-over is {duration(newest)} old" if newest is not None else "nothing was handed over"
            self.stdout.write(
                f"  {name}: {number(waiting)} messages wait, {number(unclear)} were being handed over,"
                f" {number(to_write)} patients of live campaigns are still to be written to; {age}."
            )


def _owner() -> psycopg.Connection:
    """The owner of the tables, in autocommit: the role everything else runs as may not confirm."""
    if "owner" not in settings.DATABASES:
        raise CommandError("DATABASE_OWNER_URL is not set: only the owner of the tables may confirm.")
    here, owner = connection.settings_dict, settings.DATABASES["owner"]
    return psycopg.connect(
        host=owner["HOST"],
        port=owner["PORT"],
        user=owner["USER"],
        password=owner["PASSWORD"],
        dbname=here["NAME"],
        autocommit=True,
    )


# As the owner, over all practices. Seconds since the newest attempt, by the product's clock.
_WAITING = """
SELECT p.name,
       (SELECT count(*) FROM messaging_message m WHERE m.practice_id = p.id AND m.state IN ('pending', 'claimed')),
       (SELECT count(*) FROM messaging_message m WHERE m.practice_id = p.id AND m.state = 'sending'),
       (SELECT count(*) FROM campaigns_enrollment e
          JOIN campaigns_campaign c ON c.practice_id = e.practice_id AND c.id = e.campaign_id
         WHERE e.practice_id = p.id AND e.state = 'active' AND c.state IN ('enabled', 'sending')),
       (SELECT extract(epoch FROM trackstat.now() - max(a.started_at))::float8 FROM messaging_attempt a
         WHERE a.practice_id = p.id)
  FROM tenancy_practice p ORDER BY p.name
"""
