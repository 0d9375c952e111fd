"""Every move of a campaign from one state to another (Campaign.MOVES): one guarded UPDATE with its audit row.

Who moves a campaign holds its row lock until commit; arming a message reads the campaign under a share lock
(campaigns.checks). So once a pause, a stop or a switching off is committed, nothing more of it is armed.
Making the same move twice is no error: the second answers False.
"""

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import F

from audience.filters import BadDefinition
from campaigns import blast
from campaigns.models import Campaign, Enrollment
from campaigns.problems import Problem, problems, problems_of_practice
from campaigns.tasks import work
from messaging.models import Hold, Message
from messaging.tasks import wake
from trackstat.celery import ring
from trackstat.clock import Now, now
from trackstat.tenancy import audit
from trackstat.tenancy.models import User

State = Campaign.State


class Blocked(Exception):
    """The move cannot be made; `reasons` say why and where to mend it."""

    def __init__(self, reasons: list[Problem]):
        super().__init__(" ".join(reason.text for reason in reasons))
        self.reasons = reasons


class NeedsConfirmation(Exception):
    """Other people would get the campaign than those last looked at. It is loaded anew: `count` are to be confirmed.

    `changes`: who came and went since it was loaded; None when it never was. `filters_changed`: after that loading.
    """

    def __init__(self, count: int, changes: blast.Changes | None = None, filters_changed: bool = False):
        super().__init__(f"The audience is now {count} patients.")
        self.count, self.changes, self.filters_changed = count, changes, filters_changed


def enable(campaign: Campaign, by: User | None, confirmed_count: int | None = None) -> bool:
    """Switch on: a blast is launched to the loaded audience, a drip starts watching from this moment.

    Raises Blocked, or NeedsConfirmation when what would be sent differs from what was seen: then the audience has
    been loaded anew, and enabling again with `confirmed_count` = its number goes ahead.
    """
    if campaign.kind == Campaign.Kind.BLAST:
        _reload_if_changed(campaign, confirmed_count)
    with transaction.atomic():
        _lock(campaign)
        if campaign.is_live:
            return False
        if campaign.archived_at is not None or State.ENABLED not in Campaign.MOVES[campaign.state]:
            raise Blocked([_impossible(campaign, "switched on")])
        if found := problems(campaign):
            raise Blocked(found)
        moment = now()
        # Before the move: the guard below undoes it if the campaign moved meanwhile.
        detail = {"recipients": blast.launch(campaign)} if campaign.kind == Campaign.Kind.BLAST else {}
        _move(
            campaign,
            {State.DRAFT},
            State.ENABLED,
            "campaign.enabled",
            by,
            changes={"enabled_at": moment, "watermark_at": moment, "next_check_at": moment},
            **detail,
        )
        ring(work, campaign.practice_id)
    return True


def disable(campaign: Campaign, by: User | None) -> bool:
    """Switch off: a drip stops watching and drops what is waiting; a blast that sent nothing yet is a draft again."""
    with transaction.atomic():
        _lock(campaign)
        if campaign.state == State.DRAFT:
            return False
        if campaign.state != State.ENABLED:
            raise Blocked([_impossible(campaign, "switched off")])
        detail = _end_enrollments(campaign) if campaign.kind == Campaign.Kind.DRIP else {}
        if campaign.kind == Campaign.Kind.BLAST:
            blast.withdraw(campaign)
        _move(campaign, {State.ENABLED}, State.DRAFT, "campaign.disabled", by, {"enabled_at": None}, **detail)
    return True


def pause(campaign: Campaign, by: User | None, why: str = "") -> bool:
    """Hold everything that is not handed over yet, until resumed; nothing is armed after this commits.

    `why` tells staff in sentences what to mend, when the product itself pauses (`by` None).
    """
    with transaction.atomic():
        _lock(campaign)
        if campaign.state == State.PAUSED:
            return False
        if campaign.state not in Campaign.LIVE:
            raise Blocked([_impossible(campaign, "paused")])
        Hold.objects.get_or_create(campaign_id=campaign.pk)
        detail = {"why": why} if why else {}
        before = State(campaign.state)
        changes = {"paused_from": before, "paused_reason": why}
        _move(campaign, {before}, State.PAUSED, "campaign.paused", by, changes, **detail)
    return True


def resume(campaign: Campaign, by: User | None) -> bool:
    """Go on where it was held. What a blast has waiting gets the paused time on top of its own.

    Raises Blocked while the practice lacks what it needs to send.
    """
    with transaction.atomic():
        _lock(campaign)
        if campaign.is_live:
            return False
        if campaign.state != State.PAUSED:
            raise Blocked([_impossible(campaign, "resumed")])
        if lacking := problems_of_practice(campaign):
            raise Blocked(lacking)
        hold = Hold.objects.filter(campaign_id=campaign.pk).first()
        if hold is not None and campaign.kind == Campaign.Kind.BLAST:
            _give_time(campaign, now() - hold.since)
        Hold.objects.filter(campaign_id=campaign.pk).delete()
        before = State(campaign.paused_from or State.ENABLED)
        changes = {"paused_from": "", "paused_reason": "", "next_check_at": now()}
        _move(campaign, {State.PAUSED}, before, "campaign.resumed", by, changes)
        wake(campaign.practice_id)
        ring(work, campaign.practice_id)
    return True


def stop(campaign: Campaign, by: User | None) -> bool:
    """End it for good: what waits is cancelled, what is handed over stays as it is."""
    with transaction.atomic():
        _lock(campaign)
        if campaign.state == State.STOPPED:
            return False
        if State.STOPPED not in Campaign.MOVES[campaign.state]:
            raise Blocked([_impossible(campaign, "stopped")])
        detail = _end_enrollments(campaign)
        Hold.objects.filter(campaign_id=campaign.pk).delete()
        _move(
            campaign,
            {State.ENABLED, State.SENDING, State.PAUSED},
            State.STOPPED,
            "campaign.stopped",
            by,
            {"finished_at": now(), "paused_from": "", "paused_reason": ""},
            **detail,
        )
    return True


def archive(campaign: Campaign, by: User | None) -> bool:
    """Take it out of the list. One that waits for its time is switched off; one that is sending must be stopped."""
    with transaction.atomic():
        _lock(campaign)
        if campaign.archived_at is not None:
            return False
        if campaign.state in {State.SENDING, State.PAUSED}:
            raise Blocked([Problem("Stop this campaign first: it is in the middle of sending.", "review")])
        if campaign.state == State.ENABLED:
            disable(campaign, by)
        Campaign.objects.filter(pk=campaign.pk, archived_at=None).update(archived_at=Now(), updated_at=Now())
        campaign.refresh_from_db()
        audit.record("campaign.archived", campaign, user_id=_id(by))
    return True


def _reload_if_changed(campaign: Campaign, confirmed_count: int | None) -> None:
    """Nothing is sent to a list that nobody saw (A5)."""
    campaign.refresh_from_db()
    if not campaign.may_be_edited or any(problem.step != "audience" for problem in problems(campaign)):
        return
    changes, is_stale = None, campaign.is_stale
    try:
        if campaign.loaded_at is not None:
            changes = blast.changes(campaign)
            if not is_stale and not changes.added and not changes.left:
                if confirmed_count is not None and confirmed_count != campaign.loaded_count:
                    raise NeedsConfirmation(campaign.loaded_count or 0, changes)
                return
        count = blast.load(campaign, None)
    except (BadDefinition, blast.NotEditable):
        return
    if not problems(campaign):
        raise NeedsConfirmation(count, changes, is_stale)


def _lock(campaign: Campaign) -> None:
    Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    campaign.refresh_from_db()


def _move(
    campaign: Campaign,
    froms: set[State],
    to: State,
    action: str,
    by: User | None,
    changes: dict[str, Any] | None = None,
    **detail: Any,
) -> None:
    for state in froms:
        assert to in Campaign.MOVES[state], (state, to)
    moved = Campaign.objects.filter(pk=campaign.pk, state__in=froms, archived_at=None).update(
        state=to, updated_at=Now(), **(changes or {})
    )
    if moved != 1:
        raise Blocked([_impossible(campaign, "changed")])
    campaign.refresh_from_db()
    audit.record(action, campaign, user_id=_id(by), **detail)


def _end_enrollments(campaign: Campaign) -> dict[str, int]:
    """Set-based. Messages that are claimed this moment are caught when arming looks at the campaign."""
    cancelled = Message.objects.filter(campaign_id=campaign.pk, state=Message.State.PENDING).update(
        state=Message.State.CANCELLED, reason=Message.Reason.STOPPED, done_at=Now()
    )
    ended = Enrollment.objects.filter(campaign=campaign, state=Enrollment.State.ACTIVE).update(
        state=Enrollment.State.STOPPED, reason=Message.Reason.STOPPED, finished_at=Now()
    )
    return {"cancelled": cancelled, "ended": ended}


def _give_time(campaign: Campaign, paused: dt.timedelta) -> None:
    Message.objects.filter(campaign_id=campaign.pk, state=Message.State.PENDING).update(
        not_after=F("not_after") + paused
    )
    Enrollment.objects.filter(campaign=campaign, state=Enrollment.State.ACTIVE).update(
        not_after=F("not_after") + paused
    )


def _impossible(campaign: Campaign, wish: str) -> Problem:
    if campaign.archived_at is not None:
        return Problem(f"This campaign was deleted and cannot be {wish}.", "review")
    return Problem(f"This campaign is {campaign.get_state_display().lower()} and cannot be {wish}.", "review")


def _id(by: User | None) -> int | None:
    return by.pk if by is not None else None
