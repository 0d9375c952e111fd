"""The audience of a blast: loaded for review, corrected by hand, enrolled once at launch."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from audience.filters.households import COLUMNS
from audience.models import Channel, Patient
from campaigns.drafts import NotEditable, why_not_editable
from campaigns.models import AudienceMember, AudienceRemoval, Campaign, Enrollment, Step
from campaigns.problems import Problem, problems
from campaigns.recipients import audience_of, practice_in_scope
from campaigns.schedule import WORTH_SENDING, to_utc
from trackstat.clock import now
from trackstat.tenancy import audit
from trackstat.tenancy.models import User

__all__ = [
    "Changes",
    "Problem",
    "changes",
    "enrol_members",
    "insert_members",
    "launch",
    "load",
    "problems",
    "remove",
    "undo_removal",
    "undo_removals",
    "withdraw",
]

LAUNCH = "launch"
# Of those who came and went, so many are named.
NAMED = 8


@transaction.atomic
def load(campaign: Campaign, by: User | None) -> int:
    """Freeze who the filters describe now, without those removed by hand, for review and sending; how many."""
    _lock_draft(campaign)
    AudienceMember.objects.filter(campaign=campaign).delete()
    count = insert_members(campaign, audience_of(campaign).queryset())
    _mark_loaded(campaign, loaded_at=now(), loaded_count=count, loaded_definition=campaign.audience_as_saved())
    audit.record("campaign.loaded", campaign, user_id=_id(by), patients=count)
    return count


@transaction.atomic
def remove(campaign: Campaign, patient: Patient, by: User | None) -> int:
    """Take a patient out by hand, for good until undone; how many are in the loaded audience then.

    Where the patient stood for a household, the next of it does.
    """
    _lock_draft(campaign)
    AudienceRemoval.objects.get_or_create(campaign=campaign, patient=patient, defaults={"removed_by": by})
    campaign.members.filter(patient=patient).delete()
    _settle_households(campaign, Patient.objects.filter(pk=patient.pk))
    audit.record("campaign.removed_patient", campaign, user_id=_id(by), patient=patient.pk)
    return _recount(campaign)


@transaction.atomic
def undo_removal(campaign: Campaign, patient: Patient, by: User | None) -> int:
    """Let a removed patient back in, if the loaded filters describe them; how many are in the audience now."""
    _lock_draft(campaign)
    campaign.removals.filter(patient=patient).delete()
    audit.record("campaign.undid_removal", campaign, user_id=_id(by), patient=patient.pk)
    if campaign.loaded_at is not None and not campaign.is_stale:
        insert_members(campaign, audience_of(campaign).queryset().filter(pk=patient.pk))
    _settle_households(campaign, Patient.objects.filter(pk=patient.pk))
    return _recount(campaign)


@transaction.atomic
def undo_removals(campaign: Campaign, by: User | None) -> int:
    """Let everybody removed by hand back in whom the loaded filters describe; how many are in the audience now."""
    _lock_draft(campaign)
    removed = list(campaign.removals.values_list("patient_id", flat=True))
    campaign.removals.all().delete()
    audit.record("campaign.undid_removals", campaign, user_id=_id(by), patients=len(removed))
    if campaign.loaded_at is not None and not campaign.is_stale:
        insert_members(campaign, audience_of(campaign).queryset().filter(pk__in=removed))
    _settle_households(campaign, Patient.objects.filter(pk__in=removed))
    return _recount(campaign)


@dataclass(frozen=True)
class Changes:
    """What loading again would change: how many would come and go, and the first few of them by name."""

    added: int = 0
    left: int = 0
    coming: Sequence[Patient] = ()
    going: Sequence[Patient] = ()


def changes(campaign: Campaign) -> Changes:
    """Of a loaded audience. Raises BadDefinition."""
    matching = audience_of(campaign).queryset().order_by().values_list("pk", flat=True)
    loaded = campaign.members.order_by().values_list("patient_id", flat=True)
    coming, going = matching.difference(loaded), loaded.difference(matching)
    added, left = coming.count(), going.count()
    return Changes(added, left, _named(coming) if added else (), _named(going) if left else ())


def _named(ids: QuerySet) -> list[Patient]:
    return list(Patient.everyone.filter(pk__in=list(ids[:NAMED])).order_by("last_name", "first_name", "pk"))


def launch(campaign: Campaign) -> int:
    """Enrol the loaded audience, in the transaction that switches the campaign on; how many were enrolled now.

    Launching twice enrols nobody twice: the unique key of Enrollment stands behind it.
    """
    first = campaign.steps.filter(position=1).first()
    due_at = first_due(first) if first else now()
    return enrol_members(campaign, due_at, due_at + WORTH_SENDING)


def enrol_members(campaign: Campaign, due_at: dt.datetime, not_after: dt.datetime) -> int:
    """Everyone of the loaded audience who is not enrolled yet; how many they are. Times are UTC."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO campaigns_enrollment (practice_id, campaign_id, patient_id, occurrence, state, reason,
                   next_position, due_at, not_after, enrolled_at)
               SELECT practice_id, campaign_id, patient_id, %s, 'active', '', 1, %s, %s, trackstat.now()
               FROM campaigns_audiencemember WHERE practice_id = %s AND campaign_id = %s
               ON CONFLICT DO NOTHING""",
            [LAUNCH, due_at, not_after, campaign.practice_id, campaign.pk],
        )
        return cursor.rowcount


def first_due(step: Step) -> dt.datetime:
    """When (UTC) the first message goes out if the campaign is switched on now."""
    if step.when == Step.When.AT and step.wall_time is not None:
        return to_utc(step.wall_time, practice_in_scope().tz)
    return now()


def withdraw(campaign: Campaign) -> int:
    """Forget a launch that has sent nothing yet, so that the next one starts afresh."""
    return Enrollment.objects.filter(campaign=campaign, occurrence=LAUNCH).delete()[0]


def insert_members(campaign: Campaign, patients: QuerySet) -> int:
    """Into the loaded list, each once; how many were not in it."""
    sql, values = patients.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO campaigns_audiencemember (practice_id, campaign_id, patient_id)
                SELECT %s, %s, matching.id FROM ({sql}) AS matching (id) ORDER BY matching.id
                ON CONFLICT DO NOTHING""",
            [campaign.practice_id, campaign.pk, *values],
        )
        return cursor.rowcount


def _settle_households(campaign: Campaign, of: QuerySet[Patient]) -> None:
    """At the addresses of these patients, who stands for the household now is in the loaded audience, nobody else."""
    channel = campaign.household_channel()
    if channel is None or campaign.loaded_at is None or campaign.is_stale:
        return
    column = COLUMNS[Channel(channel)]
    there = Patient.objects.filter(~Q(**{column: ""}), **{f"{column}__in": of.order_by().values(column)})
    standing = audience_of(campaign).queryset().filter(pk__in=there.values("pk"))
    campaign.members.filter(patient__in=there.values("pk")).delete()
    insert_members(campaign, standing)


def _lock_draft(campaign: Campaign) -> None:
    Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    campaign.refresh_from_db()
    if not campaign.may_be_edited:
        raise NotEditable(why_not_editable(campaign))


def _recount(campaign: Campaign) -> int:
    count = campaign.members.count()
    if campaign.loaded_at is not None:
        _mark_loaded(campaign, loaded_count=count)
    return count


def _mark_loaded(campaign: Campaign, **changes) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(**changes)
    for field, value in changes.items():
        setattr(campaign, field, value)


def _id(by: User | None) -> int | None:
    return by.pk if by is not None else None
