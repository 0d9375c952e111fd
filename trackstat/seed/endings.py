"""How a made-up message ends, and what that leaves behind: validity of addresses, replies, opt-outs, the ledger."""

import datetime as dt
from dataclasses import dataclass
from random import Random

from django.db import connection

from audience import consent
from audience.models import Channel, ConsentEvent, ContactPoint
from messaging.errors import explain
from messaging.models import InboundMessage, Message, SendingIdentity
from trackstat.seed.campaigns import REPLIES, STOPS
from trackstat.tenancy.scope import current_practice_id

_DELIVERED = Message.State.DELIVERED
_STATES = {"undelivered": Message.State.UNDELIVERED, "failed": Message.State.FAILED}


@dataclass(frozen=True)
class Ending:
    """`seconds` from hand-over to the last word. `back`: what the patient does then, `back_after` that time."""

    state: str
    error_code: str = ""
    seconds: float = 4
    back: str = ""
    back_after: dt.timedelta | None = None

    def apply_to(self, message: Message) -> None:
        assert message.sent_at and self.back_after
        at = message.sent_at + self.back_after
        if self.back == "reply":
            message.replied_at = at
        if self.back in ("stop", "unsubscribe"):
            message.unsubscribed_at = at
        if self.back == "bounce":
            message.bounced_at = at


# Per thousand texts and emails; the rest is delivered and nothing comes back.
_TEXTS = (
    (12, Ending("undelivered", "30006", 6)),
    (8, Ending("undelivered", "30003", 40)),
    (5, Ending("undelivered", "30005", 5)),
    (2, Ending("undelivered", "30007", 5)),
    (9, Ending("delivered", back="stop")),
    (55, Ending("delivered", back="reply")),
)
_EMAILS = (
    (11, Ending("undelivered", "hard_bounce", 3, "bounce", dt.timedelta(seconds=3))),
    (6, Ending("undelivered", "soft_bounce", 60, "bounce", dt.timedelta(seconds=60))),
    (20, Ending("delivered", back="unsubscribe")),
)
_VALIDITY = {
    "30006": ContactPoint.Validity.LANDLINE,
    "30005": ContactPoint.Validity.INVALID,
    "hard_bounce": ContactPoint.Validity.SUPPRESSED,
}
_UNANSWERED = 3


def choose(message: Message, random: Random) -> Ending:
    drawn, passed = random.randrange(1000), 0
    for share, ending in _TEXTS if message.channel == Channel.TEXT else _EMAILS:
        passed += share
        if drawn < passed:
            if ending.back and not ending.back_after:
                after = dt.timedelta(seconds=random.expovariate(1 / 2400) + 25)
                return Ending(ending.state, ending.error_code, random.uniform(2, 9), ending.back, after)
            return ending
    return Ending("delivered", seconds=random.uniform(2, 9))


def leave_traces(
    messages: list[Message], endings: list[tuple[Message, Ending]], identity: SendingIdentity, random: Random
) -> None:
    """What the patients behind a campaign's messages did and what became of their addresses."""
    handed_over = [message for message in messages if message.sent_at]
    _tell_contact_points(handed_over)
    inbound = []
    for message, ending in sorted(endings, key=lambda one: one[0].pk):
        at = message.replied_at or message.unsubscribed_at
        if ending.back in ("reply", "stop") and at:
            words = random.choice(STOPS if ending.back == "stop" else REPLIES)
            inbound.append(_inbound(message, identity, ending.back == "stop", words, at, random))
            if ending.back == "stop":
                _opt_out(message, ConsentEvent.Source.REPLY, words, at)
        elif ending.back == "unsubscribe" and at:
            _opt_out(message, ConsentEvent.Source.UNSUBSCRIBE, f"Link in message {message.pk}", at)
    for recent in sorted(inbound, key=lambda one: one.received_at)[-_UNANSWERED:]:
        recent.read_at = None
    InboundMessage.objects.bulk_create(inbound)
    consent.refresh_contactability(sorted({m.contact_point_id for m in handed_over if m.contact_point_id}))


def _inbound(
    message: Message, identity: SendingIdentity, stops: bool, words: str, at: dt.datetime, random: Random
) -> InboundMessage:
    return InboundMessage(
        channel=message.channel,
        identity=identity,
        contact_point_id=message.contact_point_id,
        patient_id=message.patient_id,
        provider_id=f"SM{random.getrandbits(128):032x}",
        body=words,
        keyword=InboundMessage.Keyword.STOP if stops else InboundMessage.Keyword.NONE,
        received_at=at,
        read_at=at + dt.timedelta(minutes=random.randint(3, 90)),
    )


def _opt_out(message: Message, source: str, wording: str, at: dt.datetime) -> None:
    """Of everything, as `consent.opt_out` would have done at the time."""
    points = ContactPoint.objects.filter(pk=message.contact_point_id, all_opted_out_at=None)
    if points.update(all_opted_out_at=at, opted_out_by_patient=True):
        ConsentEvent.objects.create(
            contact_point_id=message.contact_point_id,
            purpose=ConsentEvent.Purpose.EVERYTHING,
            given=False,
            source=source,
            wording=wording,
            at=at,
        )


def _tell_contact_points(messages: list[Message]) -> None:
    """Introduced by the first text with the opt-out line; reached, or found out to be no use."""
    told: dict[int, tuple[dt.datetime | None, str, str]] = {}
    for message in messages:
        validity = _VALIDITY.get(message.error_code, "")
        if message.state == _DELIVERED:
            validity = ContactPoint.Validity.OK
        reason = f"{explain(message.error_code).what} ({message.error_code})" if message.error_code else ""
        introduced = message.sent_at if message.has_opt_out_line else None
        known = told.get(message.contact_point_id)
        if known is None or (validity and validity != ContactPoint.Validity.OK):
            told[message.contact_point_id] = (introduced, validity, reason)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE audience_contactpoint c
               SET introduced_at = coalesce(c.introduced_at, t.introduced),
                   validity = CASE WHEN t.validity = '' THEN c.validity ELSE t.validity END,
                   validity_reason = CASE WHEN t.validity IN ('', 'ok') THEN c.validity_reason ELSE t.reason END
               FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::text[]) t (id, introduced, validity, reason)
               WHERE c.practice_id = %s AND c.id = t.id""",
            [list(told), *map(list, zip(*told.values(), strict=True)), current_practice_id()],
        )
