"""Campaigns that were sent weeks ago: the rows that sending leaves behind, with how each message ended.

Messages are written by the product's own `materialise`; only what a carrier would have answered is made up here, and
all of it in one transaction, so that no worker ever sees these messages waiting.
"""

import datetime as dt
import uuid
from random import Random

from django.db import connection

from audience.models import Channel
from campaigns.models import AudienceMember, Campaign, Enrollment, Step
from campaigns.recipients import audience_of
from campaigns.schedule import WORTH_SENDING, to_utc
from campaigns.sending import identity_for
from messaging.materialise import Due, materialise
from messaging.models import Attempt, Content, Message, SendingIdentity
from trackstat.seed.campaigns import PastCampaign
from trackstat.seed.endings import choose, leave_traces
from trackstat.tenancy.models import AuditEvent, Practice, User
from trackstat.tenancy.scope import current_practice_id

_BATCH = 1000
_WRITTEN = {
    "state": "text", "error_code": "text", "tries": "smallint", "created_at": "timestamptz", "armed_at": "timestamptz",
    "sent_at": "timestamptz", "done_at": "timestamptz", "bounced_at": "timestamptz", "unsubscribed_at": "timestamptz",
    "replied_at": "timestamptz",
}  # fmt: skip
_PER_SECOND = 5


def seed_past(practice: Practice, past: PastCampaign, now: dt.datetime, by: User, random: Random) -> None:
    """One campaign that was sent, in the practice in scope; later ones come after earlier ones."""
    day = now.astimezone(practice.tz).date() - dt.timedelta(days=past.days_ago)
    sent_at = to_utc(dt.datetime.combine(day, past.time), practice.tz)
    identity = identity_for(past.channel)
    assert identity is not None
    campaign, step = _campaign(past, sent_at, by)
    patients = list(
        audience_of(campaign).queryset().order_by("last_name", "first_name", "pk").values_list("pk", flat=True)
    )
    ended_at = sent_at + dt.timedelta(seconds=len(patients) / _PER_SECOND + 90)
    enrollments = _enrol(campaign, patients, sent_at)
    assert step.content is not None
    due = [Due(enrollment.pk, enrollment.patient_id, sent_at, sent_at + WORTH_SENDING) for enrollment in enrollments]
    materialise(step.content, identity, campaign.category, campaign.pk, step.pk, due)
    _end(campaign, identity, sent_at, now, random)
    Campaign.objects.filter(pk=campaign.pk).update(
        loaded_count=len(patients), loaded_definition=campaign.audience_as_saved(), finished_at=ended_at
    )
    _audit(campaign, by, sent_at, ended_at, len(patients))


def seed_draft(draft: PastCampaign, by: User) -> None:
    """A blast that nobody has switched on."""
    campaign = Campaign.objects.create(
        kind=Campaign.Kind.BLAST, name=draft.name, category=draft.category, definition=draft.definition, created_by=by
    )
    content = Content.objects.create(channel=draft.channel, subject=draft.subject, body=draft.body, created_by=by)
    Step.objects.create(campaign=campaign, channel=draft.channel, content=content)


def seed_birthday(body: str, by: User) -> None:
    """A birthday drip, switched off: who looks around decides when it starts."""
    campaign = Campaign.objects.create(
        kind=Campaign.Kind.DRIP, name="Birthday wishes", trigger="birthday", definition={}, created_by=by
    )
    content = Content.objects.create(channel=Channel.TEXT, body=body, created_by=by)
    Step.objects.create(campaign=campaign, channel=Channel.TEXT, content=content, time_of_day=dt.time(10))


def _campaign(past: PastCampaign, sent_at: dt.datetime, by: User) -> tuple[Campaign, Step]:
    written_at = sent_at - dt.timedelta(days=1, hours=3)
    campaign = Campaign.objects.create(
        kind=Campaign.Kind.BLAST,
        name=past.name,
        category=past.category,
        state=Campaign.State.SENT,
        definition=past.definition,
        created_by=by,
        created_at=written_at,
        updated_at=sent_at,
        loaded_at=sent_at - dt.timedelta(minutes=4),
        enabled_at=sent_at - dt.timedelta(minutes=1),
    )
    content = Content.objects.create(
        channel=past.channel, subject=past.subject, body=past.body, created_by=by, created_at=written_at
    )
    return campaign, Step.objects.create(campaign=campaign, channel=past.channel, content=content)


def _enrol(campaign: Campaign, patients: list[int], sent_at: dt.datetime) -> list[Enrollment]:
    AudienceMember.objects.bulk_create(
        (AudienceMember(campaign=campaign, patient_id=patient) for patient in patients), batch_size=_BATCH
    )
    return Enrollment.objects.bulk_create(
        (
            Enrollment(
                campaign=campaign,
                patient_id=patient,
                occurrence="launch",
                state=Enrollment.State.DONE,
                due_at=sent_at,
                not_after=sent_at + WORTH_SENDING,
                enrolled_at=sent_at,
                finished_at=sent_at,
            )
            for patient in patients
        ),
        batch_size=_BATCH,
    )


def _end(campaign: Campaign, identity: SendingIdentity, sent_at: dt.datetime, now: dt.datetime, random: Random) -> None:
    """Every message of the campaign gets its end, and leaves the traces that such an end leaves."""
    messages = list(Message.objects.filter(campaign_id=campaign.pk).order_by("pk"))
    endings, attempts = [], []
    for place, message in enumerate(messages):
        message.created_at = sent_at
        if message.state == Message.State.ABORTED:
            message.done_at = sent_at
            continue
        ending = choose(message, random)
        message.armed_at = sent_at + dt.timedelta(seconds=place / _PER_SECOND)
        message.sent_at = message.armed_at + dt.timedelta(milliseconds=random.randint(90, 600))
        message.done_at = message.sent_at + dt.timedelta(seconds=ending.seconds)
        message.state, message.error_code, message.tries = ending.state, ending.error_code, 1
        if ending.back_after and message.sent_at + ending.back_after < now:
            ending.apply_to(message)
            endings.append((message, ending))
        attempts.append(_attempt(message, identity, random))
    _write(messages)
    Attempt.objects.bulk_create(attempts, batch_size=_BATCH)
    leave_traces(messages, endings, identity, random)


def _write(messages: list[Message]) -> None:
    """One statement for all: `bulk_update` would take half a minute for what is written here."""
    columns = ", ".join(f"{name} = t.{name}" for name in _WRITTEN)
    arrays = ", ".join(f"%s::{of}[]" for of in ("bigint", *_WRITTEN.values()))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE messaging_message m SET {columns}
                FROM unnest({arrays}) AS t (id, {", ".join(_WRITTEN)})
                WHERE m.practice_id = %s AND m.id = t.id""",
            [
                [message.pk for message in messages],
                *([getattr(message, name) for message in messages] for name in _WRITTEN),
                current_practice_id(),
            ],
        )


def _attempt(message: Message, identity: SendingIdentity, random: Random) -> Attempt:
    key = uuid.UUID(int=random.getrandbits(128), version=4)
    texted = message.channel == Channel.TEXT
    return Attempt(
        key=key,
        message=message,
        provider=identity.provider,
        provider_id=f"SM{random.getrandbits(128):032x}" if texted else f"<{key}@{identity.account}>",
        started_at=message.armed_at,
        finished_at=message.sent_at,
        outcome=Attempt.Outcome.ACCEPTED,
        http_status=201 if texted else 200,
        worker="demo",
    )


def _audit(campaign: Campaign, by: User, sent_at: dt.datetime, ended_at: dt.datetime, patients: int) -> None:
    def event(action: str, at: dt.datetime, user: User | None, **detail: int) -> AuditEvent:
        return AuditEvent(
            action=f"campaign.{action}",
            at=at,
            user=user,
            object_type=campaign._meta.label_lower,
            object_id=campaign.pk,
            detail=detail,
        )

    AuditEvent.objects.bulk_create(
        [
            event("created", campaign.created_at, by),
            event("loaded", sent_at - dt.timedelta(minutes=4), by, patients=patients),
            event("enabled", sent_at - dt.timedelta(minutes=1), by, recipients=patients),
            event("sending", sent_at, None),
            event("sent", ended_at, None),
        ]
    )
