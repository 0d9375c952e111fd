"""One patient's conversation: what went out, what came in, and every change of what may be sent, in order."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from audience.models import Channel, ConsentEvent, ContactPoint, Patient
from messaging import merge
from messaging.email_body import as_html, as_text
from messaging.explained import Explained, explained
from messaging.models import InboundMessage, Message

# Entries shown at once, of each kind.
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Entry:
    at: dt.datetime
    kind: str
    words: str
    ours: bool = False
    note: bool = False
    channel: str = ""
    subject: str = ""
    by: str = ""
    standing: Explained | None = None
    # Marked because it changed what may be sent: STOP, START.
    keyword: str = ""
    message_id: int | None = None


def entries(patient: Patient) -> list[Entry]:
    """The newest of each kind, oldest first, with a fixed number of queries.

    What was exchanged under records that the EHR has merged into this patient belongs to it.
    """
    found = [*_outgoing(patient), *_incoming(patient), *_consents(patient)]
    return sorted(found, key=lambda entry: entry.at)


def points(patient: Patient) -> dict[str, ContactPoint]:
    """The patient's contact points by channel, each with the newest opt-out of it as `last_event`."""
    here = Q(channel=Channel.TEXT, address=patient.cell) | Q(channel=Channel.EMAIL, address=patient.email)
    found = {point.channel: point for point in ContactPoint.objects.filter(here).exclude(address="")}
    events = ConsentEvent.objects.filter(contact_point__in=found.values(), given=False).select_related("by")
    last = {event.contact_point_id: event for event in events.order_by("at", "pk")}
    for point in found.values():
        point.last_event = last.get(point.pk)
    return found


def _records(patient: Patient) -> QuerySet[Patient]:
    return Patient.everyone.filter(Q(pk=patient.pk) | Q(merged_into=patient)).values("pk")


def _outgoing(patient: Patient) -> list[Entry]:
    messages = (
        Message.objects.filter(patient__in=_records(patient))
        .select_related("content")
        .annotate(at=Coalesce("armed_at", "done_at", "due_at"))
        .order_by("-at", "-pk")[:SHOWN]
    )
    return [_sent(message) for message in messages]


def _sent(message: Message) -> Entry:
    subject, words = "", message.body
    if message.channel == Channel.EMAIL:
        subject, words = _email_words(message)
    standing = explained(
        message.state,
        message.reason,
        message.error_code,
        bounced=message.bounced_at is not None,
        opened=message.opened_at is not None,
    )
    return Entry(
        message.armed_at or message.done_at or message.due_at,
        "message",
        words,
        ours=True,
        channel=message.channel,
        subject=subject,
        standing=standing,
        message_id=message.pk,
    )


def _email_words(message: Message) -> tuple[str, str]:
    """What was written to the patient, without the foot: its unsubscribe link is the patient's."""
    content = message.content
    plain = merge.parse(as_text(as_html(content.body))).render(message.merge_values)
    return merge.parse(content.subject).render(message.merge_values), plain


def _incoming(patient: Patient) -> list[Entry]:
    found = []
    theirs = InboundMessage.objects.filter(patient__in=_records(patient))
    for received in theirs.order_by("-received_at", "-pk")[:SHOWN]:
        words = received.body or "(A message without words, such as a picture.)"
        found.append(Entry(received.received_at, "received", words, channel=received.channel, keyword=received.keyword))
        if received.auto_reply:
            at = received.received_at + dt.timedelta(microseconds=2)
            found.append(
                Entry(at, "answer", received.auto_reply, ours=True, channel=received.channel, by="Automatic answer")
            )
    return found


def _consents(patient: Patient) -> list[Entry]:
    here = Q(contact_point__channel=Channel.TEXT, contact_point__address=patient.cell) | Q(
        contact_point__channel=Channel.EMAIL, contact_point__address=patient.email
    )
    events = (
        ConsentEvent.objects.filter(here)
        .exclude(source=ConsentEvent.Source.EHR, given=True)
        .exclude(contact_point__address="")
        .select_related("by", "contact_point")
        .order_by("-at", "-pk")[:SHOWN]
    )
    return [
        Entry(event.at + dt.timedelta(microseconds=1), "consent", consent_words(event), note=True) for event in events
    ]


def consent_words(event: ConsentEvent) -> str:
    """ "Opted out of everything by text: “STOP”"."""
    done = "Can be written to again" if event.given else "Opted out"
    of = "" if event.given or event.purpose == "all" else f" of {event.get_purpose_display().lower()}"
    where = "texts" if event.contact_point.channel == Channel.TEXT else "emails"
    by = f" by {event.by}" if event.by else f" ({event.get_source_display().lower()})"
    link = event.source == ConsentEvent.Source.UNSUBSCRIBE
    return f"{where.capitalize()}: {done.lower()}{of}{by}" + (
        f" – “{event.wording}”" if event.wording and not link else ""
    )
