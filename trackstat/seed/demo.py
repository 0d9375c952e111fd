"""The demo's two practices, from nothing: offices, people, patients by the real EHR reader, weeks of sent campaigns."""

import datetime as dt
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from audience.ehr.run import import_folder
from audience.models import ImportRun
from campaigns.models import Campaign
from trackstat import clock
from trackstat.seed.campaigns import BIRTHDAY, DRAFT, PAST
from trackstat.seed.cast import seed_people
from trackstat.seed.connection import folder_of, introduce, seed_connection
from trackstat.seed.generator import PRACTICES, PracticePlan, write
from trackstat.seed.history import seed_birthday, seed_draft, seed_past
from trackstat.seed.office import seed_practice
from trackstat.seed.tagging import seed_opt_outs, seed_tags
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

SOURCE = "fhir"
EHR = "ChiroCloud"


def seed_offices(plans: tuple[PracticePlan, ...] = PRACTICES) -> list[Practice]:
    """The practices with settings, lines and people; enough to know when they are awake."""
    practices = []
    for plan in plans:
        practice = seed_practice(plan, clock.now())
        with practice_scope(practice):
            seed_people(plan.slug)
        practices.append(practice)
    return practices


def seed_patients(plan: PracticePlan, say: Callable[[str], None] = lambda line: None) -> None:
    """Patients and what was sent to them. Each part is made once: where it is there already, nothing is done."""
    practice = Practice.objects.get(slug=plan.slug)
    with practice_scope(practice):
        has_campaigns = Campaign.objects.exists()
        now = clock.now()
    if not has_patients(practice):
        with tempfile.TemporaryDirectory(prefix="trackstat-ehr-") as passing:
            kept = folder_of(plan.slug)
            export = write(plan, kept or Path(passing), now)
            run = import_folder(practice, export.folder, SOURCE)
        if kept:
            with practice_scope(practice):
                seed_connection(plan.slug, EHR, run)
        say(f"{plan.name}: {export.counts['Patient']:,} patients and {export.counts['Appointment']:,} appointments")
        assert run.state == run.State.DONE
    if folder_of(plan.slug):
        with practice_scope(practice):
            introduce(plan.slug)
    if not has_campaigns:
        with practice_scope(practice):
            _seed_messages(practice, plan, now)
            sent = Campaign.objects.filter(state=Campaign.State.SENT).count()
        say(f"{plan.name}: {sent} campaigns of the last weeks")


def has_patients(practice: Practice) -> bool:
    """Whether the practice's import was ever finished; one that was killed is done again."""
    with practice_scope(practice):
        return ImportRun.objects.filter(source=SOURCE, state=ImportRun.State.DONE).exists()


def _seed_messages(practice: Practice, plan: PracticePlan, now: dt.datetime) -> None:
    """Tags, wishes and campaigns: all of it or nothing."""
    random = Random(f"{plan.seed} messages")
    people = seed_people(plan.slug)
    by = people.get("mona") or people["quinn"]
    seed_tags(now.astimezone(practice.tz).date(), by, random)
    seed_opt_outs(by, random)
    for past in sorted(PAST[plan.slug], key=lambda one: -one.days_ago):
        seed_past(practice, past, now, by, random)
    seed_draft(DRAFT, by)
    seed_birthday(BIRTHDAY, by)
