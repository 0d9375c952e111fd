"""What campaigns has to say just before a message is handed over; registered by importing this module."""

import datetime as dt
from collections import defaultdict

from campaigns.models import Campaign, Enrollment
from campaigns.recipients import practice_in_scope
from campaigns.triggers import trigger_for
from messaging.checks import Candidate, Situation, Stop, Verdict, Wait, check, lock
from messaging.models import Message
from trackstat import prepared
from trackstat.tenancy.scope import current_practice_id

# A paused campaign's messages are not claimed at all; one that was just then looks again after this.
PAUSED = dt.timedelta(seconds=15)

_GO_ON = {Campaign.State.ENABLED, Campaign.State.SENDING, Campaign.State.SENT}


# Whoever pauses, stops or switches off a campaign has its row: arming waits for them, and they for arming.
lock("campaigns_campaign", lambda candidate: candidate.campaign_id)

_CAMPAIGNS = "SELECT id, state, kind FROM campaigns_campaign WHERE practice_id = %s AND id = ANY(%s::bigint[])"


@check
def campaign_goes_on(candidates: list[Candidate], situation: Situation) -> dict[int, Verdict]:
    """Off or stopped: never (only such a one can be deleted). Paused: later. Sent: a repeat may still go.

    A drip's message whose reason to be written has gone since: never.
    """
    theirs = [candidate for candidate in candidates if candidate.campaign_id is not None]
    if not theirs:
        return {}
    ids = prepared.array({candidate.campaign_id for candidate in theirs})
    campaigns = {pk: (state, kind) for pk, state, kind in prepared.run(_CAMPAIGNS, [current_practice_id(), ids])}
    found: dict[int, Verdict] = {}
    of_drips = []
    for candidate in theirs:
        state, kind = campaigns.get(candidate.campaign_id, ("", ""))
        if state == Campaign.State.PAUSED:
            found[candidate.message_id] = Wait(situation.now + PAUSED)
        elif state not in _GO_ON:
            found[candidate.message_id] = Stop(Message.Reason.STOPPED)
        elif kind == Campaign.Kind.DRIP and candidate.enrollment_id is not None:
            of_drips.append(candidate)
    return found | _no_longer_true(of_drips)


def _no_longer_true(candidates: list[Candidate]) -> dict[int, Verdict]:
    if not candidates:
        return {}
    enrollments = (
        Enrollment.objects.filter(pk__in=[candidate.enrollment_id for candidate in candidates])
        .select_related("patient", "campaign")
        .order_by("pk")
    )
    by_trigger: dict[str, list[Enrollment]] = defaultdict(list)
    for enrollment in enrollments:
        by_trigger[enrollment.campaign.trigger].append(enrollment)
    practice, gone = practice_in_scope(), set[int]()
    for trigger, these in by_trigger.items():
        gone |= trigger_for(trigger).no_longer_true(these, practice)
    return {
        candidate.message_id: Stop(Message.Reason.NO_LONGER_MATCHES)
        for candidate in candidates
        if candidate.enrollment_id in gone
    }
