import datetime as dt
import tempfile
import time
from collections import Counter
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Max, Q

from audience.ehr.run import import_folder
from campaigns import blast, drafts, moves
from campaigns.models import Campaign, Enrollment, Step
from messaging.lookups import look_up
from messaging.models import Attempt, Message
from trackstat.clock import now
from trackstat.formats import number, share
from trackstat.sandbox.client import SandboxClient
from trackstat.seed.generator import PRACTICES, write
from trackstat.seed.office import seed_practice
from trackstat.tenancy.models import Practice, PracticeSettings
from trackstat.tenancy.roles import seed_roles
from trackstat.tenancy.scope import practice_scope

WAIT_SECONDS = 120
# A text held for so long waits for the morning where its patient lives.
HELD = dt.timedelta(minutes=5)
TEXT = "Hi {{PatientFirstName|there}}, it has been a while. Call {{PracticeName}} at {{PracticePhone}} to book."
SUBJECT = "News from {{PracticeName}}"
EMAIL = "Hello {{PatientFirstName|there}},\n\nwe have new opening hours. See you soon!\n\n{{PracticeName}}"
# Everybody who was ever here.
DEFINITION = {
    "primary": {"key": "last_visit", "value": {"range": "more_than_ago", "least": 0, "unit": "days"}},
    "filters": [],
}
State = Message.State
# The last word on a message; "sent" may still become "delivered".
OVER = {State.DELIVERED, State.UNDELIVERED, State.FAILED, State.ABORTED, State.CANCELLED}


class Command(BaseCommand):
    help = "The main job without a browser, for `bin/demo --check`: import, load, send a text and an email blast."

    def add_arguments(self, parser):
        parser.add_argument("--ehr", type=Path, help="folder with FHIR R4 NDJSON to import instead of the demo's own")

    def handle(self, *args, ehr, **options):
        begun = time.monotonic()
        practice = seed_practice(min(PRACTICES, key=lambda plan: plan.patients), now())
        with practice_scope(practice):
            seed_roles()
            # Everybody is meant: this practice lives only as long as the check.
            PracticeSettings.objects.update(whole_database_percent=100)
        call_command("sandbox_register", stdout=self.stdout)
        call_command("sandbox_clock", "--awake", stdout=self.stdout)
        self._import(practice, ehr)
        if ehr:
            self._ask_for_mobiles(practice)
        campaigns = [
            self._blast(practice, "text", "", TEXT),
            self._blast(practice, "email", SUBJECT, EMAIL),
        ]
        sent = [campaign for campaign in campaigns if campaign is not None]
        if not sent:
            raise CommandError("Nobody in this data can be texted or mailed.")
        self._wait(practice, sent)
        delivered = self._report(practice, sent)
        self._agree_with_the_ledger(practice)
        call_command("check_invariants", stdout=self.stdout)
        self.stdout.write(
            f"OK {delivered['text']} texts {delivered['email']} emails delivered in {time.monotonic() - begun:.0f} s"
        )

    def _agree_with_the_ledger(self, practice: Practice) -> None:
        """Carrier and mail service are the judge of what was sent, not our own tables."""
        sandbox = SandboxClient(settings.SANDBOX_URL)
        with practice_scope(practice):
            accepted = Attempt.objects.filter(outcome=Attempt.Outcome.ACCEPTED)
            ours = Counter(accepted.values_list("message__channel", "message__to_address"))
        theirs = Counter(
            (channel, entry["to"])
            for channel, kind in (("text", "sms.accepted"), ("email", "email.accepted"))
            for entry in sandbox.ledger(kind)
        )
        if ours != theirs:
            raise CommandError(
                f"The sandbox took {number(theirs.total())} messages, our tables say {number(ours.total())}."
            )

    def _import(self, practice: Practice, ehr: Path | None) -> None:
        with tempfile.TemporaryDirectory(prefix="trackstat-ehr-") as folder:
            if ehr is None:
                plan = min(PRACTICES, key=lambda plan: plan.patients)
                write(plan, Path(folder), now())
            run = import_folder(practice, ehr or Path(folder))
        for kind, counts in run.counts.items():
            self.stdout.write(f"{kind}: " + ", ".join(f"{number(n)} {what}" for what, n in counts.items()))
        if run.not_read:
            others = ", ".join(f"{number(n)} {kind}" for kind, n in sorted(run.not_read.items()))
            self.stdout.write(f"Not read yet: {others}")

    def _ask_for_mobiles(self, practice: Practice) -> None:
        found: dict[str, int] = {}
        for so_far in look_up(practice.pk):
            found = so_far
        if found:
            kinds = ", ".join(f"{number(n)} {kind}" for kind, n in sorted(found.items()))
            self.stdout.write(f"The carrier says of the numbers that the EHR does not mark: {kinds}")

    def _blast(self, practice: Practice, channel: str, subject: str, body: str) -> Campaign | None:
        with practice_scope(practice):
            campaign = drafts.create(Campaign.Kind.BLAST, f"Check by {channel}", None)
            drafts.save_step(campaign, channel, subject, body, Step.When.NOW, None, 0, campaign.version, None)
            drafts.save_definition(campaign, DEFINITION, None, campaign.version, None)
            count = blast.load(campaign, None)
            if not count:
                self.stdout.write(f"Nobody can be reached by {channel}: that blast is skipped.")
                return None
            moves.enable(campaign, None, confirmed_count=count)
        self.stdout.write(f"A blast by {channel} to {number(count)} patients is switched on.")
        return campaign

    def _wait(self, practice: Practice, campaigns: list[Campaign]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            with practice_scope(practice):
                over = all(self._is_over(campaign) for campaign in campaigns)
                morning = Message.objects.filter(self._held()).aggregate(at=Max("next_at"))["at"]
            if over and not morning:
                return
            if over:
                self.stdout.write("The rest waits for the morning where its patients live: the clock goes there.")
                call_command(
                    "sandbox_clock", "--at", (morning + dt.timedelta(minutes=1)).isoformat(), stdout=self.stdout
                )
            time.sleep(0.5)
        with practice_scope(practice):
            left = Counter(Message.objects.exclude(state__in=OVER).values_list("channel", "state"))
        still = ", ".join(f"{number(n)} {channel} {state}" for (channel, state), n in sorted(left.items()))
        raise CommandError(f"Not everything came to an end within {WAIT_SECONDS} s: {still or 'nothing is left open'}.")

    def _is_over(self, campaign: Campaign) -> bool:
        waiting = campaign.enrollments.filter(state=Enrollment.State.ACTIVE)
        open_ones = Message.objects.filter(campaign_id=campaign.pk).exclude(state__in=OVER)
        return not waiting.exists() and not open_ones.exclude(self._held()).exists()

    def _held(self) -> Q:
        return Q(state=State.PENDING, next_at__gt=now() + HELD)

    def _report(self, practice: Practice, campaigns: list[Campaign]) -> dict[str, int]:
        delivered = {"text": 0, "email": 0}
        self.stdout.write(f"\n{'Blast':<8}{'Recipients':>12}{'Delivered':>12}{'':>9}{'Errors':>9}{'Not sent':>10}")
        with practice_scope(practice):
            for campaign in campaigns:
                channel = campaign.steps.get().channel
                states = list(Message.objects.filter(campaign_id=campaign.pk).values_list("state", flat=True))
                arrived = delivered[channel] = states.count(State.DELIVERED)
                errors = states.count(State.FAILED) + states.count(State.UNDELIVERED)
                self.stdout.write(
                    f"{channel:<8}{number(len(states)):>12}{number(arrived):>12}{share(arrived, len(states)):>9}"
                    f"{number(errors):>9}{number(states.count(State.ABORTED)):>10}"
                )
                if len(states) != campaign.enrollments.count():
                    raise CommandError(f"{campaign}: not every recipient has a message.")
                if not arrived:
                    raise CommandError(f"{campaign}: nothing arrived.")
        self.stdout.write("")
        return delivered
