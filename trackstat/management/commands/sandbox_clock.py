import datetime as dt

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Max

from trackstat.clock import now, real_now
from trackstat.sandbox.client import SandboxClient
from trackstat.tenancy.models import AuditEvent, Practice, PracticeSettings
from trackstat.tenancy.scope import practice_scope

STEP = dt.timedelta(minutes=15)


class Command(BaseCommand):
    help = "Move the clock of demo and tests, in the database and in the sandbox. Never in production."

    def add_arguments(self, parser):
        how = parser.add_mutually_exclusive_group(required=True)
        how.add_argument("--awake", action="store_true", help="to about 10:00 when some practice has quiet hours")
        how.add_argument("--at", help="to this moment, ISO 8601 with an offset from UTC")
        how.add_argument("--ahead", type=float, help="by so many seconds from the real time; 0 puts it back")

    def handle(self, *args, awake, at, ahead, **options):
        if not settings.SANDBOX_DATABASE_URL:
            raise CommandError("SANDBOX_DATABASE_URL is not set: only the sandbox's role may move the clock.")
        if awake:
            shift = _next_waking_moment() - real_now()
        elif at:
            shift = dt.datetime.fromisoformat(at).astimezone(dt.UTC) - real_now()
        else:
            shift = dt.timedelta(seconds=ahead)
        if abs(shift) < STEP:
            shift = dt.timedelta()
        with psycopg.connect(settings.SANDBOX_DATABASE_URL, autocommit=True) as connection:
            connection.execute("UPDATE trackstat.clock SET shift = %s", [shift])
        if settings.SANDBOX_URL:
            SandboxClient(settings.SANDBOX_URL).set_clock(shift.total_seconds())
        if shift:
            self.stdout.write(f"The clock stands at {now():%a %d %b %Y, %H:%M} UTC.")


def _next_waking_moment() -> dt.datetime:
    """The real time when every practice is awake, else the first moment they all are; never before what happened."""
    moment, practices = real_now(), []
    for practice in Practice.objects.all():
        with practice_scope(practice):
            practices.append(PracticeSettings.objects.get())
            latest = AuditEvent.objects.aggregate(at=Max("at"))["at"]
            moment = max(moment, latest or moment)
    for _ in range(4 * 24 * 7):
        if all(_is_awake(practice, moment) for practice in practices):
            return moment
        moment += STEP
    raise CommandError("There is no moment at which all practices may send texts.")


def _is_awake(practice: PracticeSettings, moment: dt.datetime) -> bool:
    """An hour after quiet hours end and two before they begin: time enough to look around."""
    local = moment.astimezone(practice.tz).replace(tzinfo=None)
    until = practice.quiet_until_sunday if local.weekday() == 6 else practice.quiet_until
    opens = dt.datetime.combine(local, until) + dt.timedelta(hours=1)
    return opens <= local <= dt.datetime.combine(local, practice.quiet_from) - dt.timedelta(hours=2)
