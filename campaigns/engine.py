"""The one engine of blasts and drips: brakes, asks the triggers, turns what falls due into messages, ends blasts.

Every function here works in short transactions of its own, each complete in itself: a crash between them loses
nothing and a second run finds nothing to do. One worker at a time works for a practice (`_alone`).
"""

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import connection
from django.db.models import Exists, OuterRef

from campaigns import brake, moves
from campaigns.fresh import freshen
from campaigns.households import spare
from campaigns.models import Campaign, Enrollment, Step
from campaigns.problems import problems_of_practice
from campaigns.recipients import audience_of, practice_in_scope
from campaigns.schedule import WORTH_SENDING, delayed, to_utc
from campaigns.sending import identity_for
from campaigns.tagging import tag_everyone
from campaigns.tasks import HORIZON
from campaigns.triggers import trigger_for
from messaging.compose import Due, materialise
from messaging.models import Message, SendingIdentity
from messaging.tasks import wake
from trackstat.clock import Now, now
from trackstat.tenancy import audit
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import current_practice_id, practice_scope

# Enrollments in one transaction.
BATCH = 5000
# A task may run for 90 s.
WORK_SECONDS = 45
# An audience loaded longer ago than this is looked at again before it is written to (A14).
FRESH = dt.timedelta(minutes=5)
# First number of the advisory lock; the second is the practice.
_LOCK = 4201

State = Campaign.State


def work(practice_id: int, horizon: dt.timedelta = HORIZON) -> int:
    """Everything the engine has to do for a practice now; how many messages were written."""
    brake.look_at_all(practice_id)
    enrol_due(practice_id, horizon)
    written = materialise_due(practice_id, horizon)
    end_sent(practice_id)
    return written


def enrol_due(practice_id: int, horizon: dt.timedelta = HORIZON) -> int:
    """Ask the triggers of the practice's drips who falls due up to the horizon; how many were enrolled."""
    with _alone(practice_id) as free:
        if not free:
            return 0
        moment, enrolled = now(), 0
        to, practice = moment + horizon, practice_in_scope()
        drips = Campaign.objects.filter(kind=Campaign.Kind.DRIP, state=State.ENABLED, next_check_at__lte=to)
        for campaign in drips.order_by("pk"):
            # The watermark is moved first: that also waits for whoever is switching the drip off.
            moved = drips.filter(pk=campaign.pk, watermark_at=campaign.watermark_at).update(
                watermark_at=to, next_check_at=trigger_for(campaign.trigger).next_check(campaign, practice, to)
            )
            if moved and campaign.watermark_at is not None:
                trigger = trigger_for(campaign.trigger)
                enrolled += trigger.enrol(campaign, practice, campaign.watermark_at, to, moment)
        return enrolled


def materialise_due(practice_id: int, horizon: dt.timedelta = HORIZON) -> int:
    """Write the messages of every live campaign's enrollments due up to the horizon; how many were written.

    After WORK_SECONDS the rest is left to the next tick.
    """
    written, until = 0, time.monotonic() + WORK_SECONDS
    while time.monotonic() < until and (batch := _materialise_batch(practice_id, horizon)) is not None:
        written += batch
    return written


def end_sent(practice_id: int) -> list[int]:
    """Blasts of which nothing is left to write or to hand over are sent; their ids."""
    with practice_scope(practice_id):
        of = Message.State
        waiting = Message.objects.filter(campaign_id=OuterRef("pk"), state__in=[of.PENDING, of.CLAIMED, of.SENDING])
        active = Enrollment.objects.filter(campaign=OuterRef("pk"), state=Enrollment.State.ACTIVE)
        sending = Campaign.objects.filter(kind=Campaign.Kind.BLAST, state=State.SENDING)
        ended = []
        for campaign in sending.filter(~Exists(waiting), ~Exists(active)):
            if sending.filter(pk=campaign.pk).update(state=State.SENT, finished_at=Now(), updated_at=Now()):
                audit.record("campaign.sent", campaign)
                ended.append(campaign.pk)
        return ended


def _materialise_batch(practice_id: int, horizon: dt.timedelta) -> int | None:
    """One transaction; None when nothing is due, or another worker is at it."""
    with _alone(practice_id) as free:
        if not free:
            return None
        moment = now()
        campaign = _next_campaign(moment + horizon)
        if campaign is None:
            return None
        if lacking := problems_of_practice(campaign):
            # Somebody may have stopped it this moment.
            with suppress(moves.Blocked):
                moves.pause(campaign, None, why=" ".join(problem.text for problem in lacking))
            return 0
        steps = {step.position: step for step in campaign.steps.select_related("content")}
        identities = {channel: identity_for(channel) for channel in {step.channel for step in steps.values()}}
        if not _hold_live(campaign):
            return 0
        enrollments = list(
            Enrollment.objects.select_for_update(skip_locked=True)
            .filter(campaign=campaign, state=Enrollment.State.ACTIVE, due_at__lte=moment + horizon)
            .order_by("due_at", "pk")
            .values_list("pk", "patient_id", "next_position", "due_at", "not_after")[:BATCH]
        )
        if not enrollments:
            return None
        enrollments = _without_those_who_no_longer_match(campaign, enrollments, moment)
        practice, written = practice_in_scope(), 0
        by_position: dict[int, list[tuple]] = defaultdict(list)
        for row in enrollments:
            by_position[row[2]].append(row)
        for position, rows in by_position.items():
            written += _write(campaign, steps.get(position), identities, rows, practice)
            _advance(steps.get(position + 1), rows, practice)
        wake(practice_id)
        return written


def _write(
    campaign: Campaign,
    step: Step | None,
    identities: dict[str, SendingIdentity | None],
    rows: list[tuple],
    practice: Practice,
) -> int:
    if step is None:
        return 0
    due = [Due(enrollment, patient, due_at, not_after) for enrollment, patient, _, due_at, not_after in rows]
    return materialise(
        step.content,
        identities[step.channel],
        campaign.category,
        campaign.pk,
        step.pk,
        due,
        spare=spare(campaign, step, practice),
    )


def _advance(following: Step | None, rows: list[tuple], practice: Practice) -> None:
    """On to the next message, counted from when this one was due; or done."""
    ids = [row[0] for row in rows]
    enrollments = Enrollment.objects.filter(pk__in=ids)
    if following is None:
        enrollments.update(state=Enrollment.State.DONE, finished_at=Now())
        return
    previous = sorted({row[3] for row in rows})
    dues = [next_due(following, due_at, practice) for due_at in previous]
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_enrollment e
               SET next_position = %s, due_at = v.due_at, not_after = v.due_at + %s
               FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS v (previous, due_at)
               WHERE e.practice_id = %s AND e.id = ANY(%s) AND e.due_at = v.previous""",
            [following.position, WORTH_SENDING, previous, dues, current_practice_id(), ids],
        )


def next_due(step: Step, previous: dt.datetime, practice: Practice) -> dt.datetime:
    """When (UTC) a later message is due for whom the one before it was due at `previous`."""
    if step.when == Step.When.AT and step.wall_time is not None:
        return max(to_utc(step.wall_time, practice.tz), previous)
    return delayed(previous, step.delay_minutes, step.time_of_day, practice.tz)


def _next_campaign(to: dt.datetime) -> Campaign | None:
    """The live campaign of which something has been due the longest."""
    found = Campaign.objects.raw(
        """SELECT c.* FROM campaigns_campaign c
           CROSS JOIN LATERAL (
               SELECT e.due_at FROM campaigns_enrollment e
               WHERE e.practice_id = c.practice_id AND e.campaign_id = c.id AND e.state = 'active' AND e.due_at <= %s
               ORDER BY e.due_at LIMIT 1) first
           WHERE c.practice_id = %s AND c.state IN ('enabled', 'sending')
           ORDER BY first.due_at, c.id LIMIT 1""",
        [to, current_practice_id()],
    )
    return next(iter(found), None)


def _hold_live(campaign: Campaign) -> bool:
    """Lock the campaign until commit if it is still live. A blast is being sent from now on."""
    if campaign.kind == Campaign.Kind.BLAST and campaign.state == State.ENABLED:
        begun = Campaign.objects.filter(pk=campaign.pk, state=State.ENABLED).update(
            state=State.SENDING, updated_at=Now()
        )
        if begun:
            audit.record("campaign.sending", campaign)
            freshen(campaign)
            tag_everyone(campaign)
        return bool(begun)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT 1 FROM campaigns_campaign WHERE practice_id = %s AND id = %s
               AND state IN ('enabled', 'sending') FOR SHARE""",
            [current_practice_id(), campaign.pk],
        )
        return cursor.fetchone() is not None


def _without_those_who_no_longer_match(campaign: Campaign, rows: list[tuple], moment: dt.datetime) -> list[tuple]:
    """Before a blast's first message: who was loaded a while ago and does not fit any more is left out, saying why."""
    if campaign.kind != Campaign.Kind.BLAST or campaign.loaded_at is None or moment - campaign.loaded_at < FRESH:
        return rows
    first = [row for row in rows if row[2] == 1]
    patients = [row[1] for row in first]
    # The filters only: who has opted out since gets a message row that says so.
    still = set(audience_of(campaign).matching().filter(pk__in=patients).order_by().values_list("pk", flat=True))
    gone = {row[0] for row in first if row[1] not in still}
    Enrollment.objects.filter(pk__in=gone).update(
        state=Enrollment.State.STOPPED, reason=Message.Reason.NO_LONGER_MATCHES, finished_at=Now()
    )
    return [row for row in rows if row[0] not in gone]


@contextmanager
def _alone(practice_id: int) -> Iterator[bool]:
    """A transaction in the practice's scope; False when another worker is doing this practice's engine work.

    Rows and unique keys make two at once harmless; this keeps them from meeting in a deadlock, and a large blast from
    taking every worker.
    """
    with practice_scope(practice_id):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, practice_id])
            free = cursor.fetchone()[0]
        yield free
