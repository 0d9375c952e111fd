"""What campaigns has to say just before a message is handed over; registered by importing this module."""

import datetime as dt
from collections import defaultdict

from django.db import connection

from campaigns.models import Campaign, Enrollment
from campaigns.recipients import practice_in_scope
from campaigns.triggers import trigger_for
from messaging.checks import Candidate, Stop, Verdict, Wait, check, lock
from messaging.models import Message
from trackstat.tenancy.scope import current_practice_id

# A paused campaign's messages are not claimed at all; one that was just then looks again after this.
PAUSED = dt.timedelta(seconds=15)

_GO_ON = {Campaign.State.ENABLED, Campaign.State.SENDING, Campaign.State.SENT}


@lock
def campaigns(candidates: list[Candidate]) -> None:
    """Whoever pauses, stops or switches off a campaign has its row: arming waits for them, and they for arming."""
    ids = {candidate.campaign_id for candidate in candidates if candidate.campaign_id is not None}
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM campaigns_campaign WHERE practice_id = %s AND id = ANY(%s) ORDER BY id FOR SHARE",
            [current_practice_id(), sorted(ids)],
        )


@check
def campaign_goes_on(candidates: list[Candidate], now: dt.datetime) -> dict[int, Verdict]:
    """Off or stopped: never (only such a one can be deleted). Paused: later. Sent: a repeat may still go."""
    ids = {candidate.campaign_id for candidate in candidates if candidate.campaign_id is not None}
    states = dict(Campaign.objects.filter(pk__in=ids).values_list("pk", "state"))
    found: dict[int, Verdict] = {}
    for candidate in candidates:
        state = states.get(candidate.campaign_id)
        if state == Campaign.State.PAUSED:
            found[candidate.message_id] = Wait(now + PAUSED)
        elif candidate.campaign_id is not None and state not in _GO_ON:
            found[candidate.message_id] = Stop(Message.Reason.STOPPED)
    return found


@check
def trigger_is_still_true(candidates: list[Candidate], now: dt.datetime) -> dict[int, Verdict]:
    """A drip's message whose reason to be written has gone since."""
    enrollments = (
        Enrollment.objects.filter(
            pk__in=[candidate.enrollment_id for candidate in candidates if candidate.enrollment_id is not None],
            campaign__kind=Campaign.Kind.DRIP,
        )
        .select_related("patient", "campaign")
        .order_by("pk")
    )
    by_trigger: dict[str, list[Enrollment]] = defaultdict(list)
    for enrollment in enrollments:
        by_trigger[enrollment.campaign.trigger].append(enrollment)
    if not by_trigger:
        return {}
    practice, gone = practice_in_scope(), set[int]()
    for trigger, theirs in by_trigger.items():
        gone |= trigger_for(trigger).no_longer_true(theirs, practice)
    return {
        candidate.message_id: Stop(Message.Reason.NO_LONGER_MATCHES)
        for candidate in candidates
        if candidate.enrollment_id in gone
    }
