"""A patient's text: kept, understood, heeded, and answered once where the carrier has not.

Texts can be taken in late (`receipts.apply_open`), so what counts is when they came: an older START never undoes a
newer opt-out, and waits for an older STOP that is still open.
"""

import datetime as dt

from django.db.models import F

from audience import consent
from audience.models import Channel, ConsentEvent, ContactPoint, Patient
from messaging.keywords import Meaning, meaning
from messaging.models import InboundMessage, Message, ProviderEvent
from messaging.withdraw import withdraw
from trackstat.clock import Now
from trackstat.formats import phone
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import current_practice_id

Keyword = InboundMessage.Keyword


class OutOfTurn(Exception):
    """An older STOP of the same number could not be applied yet: START has to come after it."""


def receive(event: ProviderEvent, *, may_answer: bool) -> str:
    """Take in a stored text, in the practice in scope; the words to answer with, '' for none.

    `may_answer` is False when nobody waits for the answer any more. The same text twice is taken once. Raises
    OutOfTurn for a START whose turn has not come.
    """
    said = event.payload
    sid = said.get("MessageSid") or said["SmsSid"]
    known = InboundMessage.objects.filter(identity_id=event.identity_id, provider_id=sid)
    if known.exists():
        return ""
    body, carrier = said.get("Body", ""), said.get("OptOutType", "")
    word = meaning(body, carrier)
    point, keyword, answer = _heed(word, said["From"], body, event)
    if carrier or not may_answer:
        answer = ""
    InboundMessage.objects.create(
        channel=Channel.TEXT,
        identity_id=event.identity_id,
        contact_point=point,
        patient_id=_whose(point),
        provider_id=sid,
        body=body,
        keyword=keyword,
        auto_reply=answer,
        received_at=event.received_at,
    )
    _mark_what_it_answers(point, keyword)
    return answer


def _heed(word: Meaning, number: str, body: str, event: ProviderEvent) -> tuple[ContactPoint, Keyword, str]:
    """Act on the word; the number's contact point, the keyword it counts as, and our answer."""
    everything, reply = ConsentEvent.Purpose.EVERYTHING, ConsentEvent.Source.REPLY
    # Locked first: of two STOPs at the same moment one is confirmed, and START sees the STOP that was faster.
    point = _locked(number)
    was_out = point.all_opted_out_at is not None
    if word in {Meaning.STOP, Meaning.WISH}:
        # One confirmation is allowed: someone who is out already gets none.
        answered = was_out and point.opted_out_by_patient
        point = withdraw(Channel.TEXT, number, everything, reply, body).contact_point
        return point, Keyword.STOP, "" if answered else STOPPED.format(**_practice())
    if word == Meaning.START or (word == Meaning.YES and was_out):
        if _older_stop_waits(event, number):
            raise OutOfTurn
        if _opted_out_since(point, event.received_at):
            return point, Keyword.START, ""
        point = consent.opt_in(Channel.TEXT, number, everything, reply, body)
        return point, Keyword.START, STARTED.format(**_practice())
    if word == Meaning.HELP:
        return point, Keyword.HELP, (HELP if _practice()["phone"] else HELP_WITHOUT_PHONE).format(**_practice())
    return point, Keyword.NONE, ""


def _locked(number: str) -> ContactPoint:
    points = ContactPoint.objects.select_for_update(no_key=True)
    if point := points.filter(channel=Channel.TEXT, address=number).first():
        return point
    ContactPoint.objects.bulk_create([ContactPoint(channel=Channel.TEXT, address=number)], ignore_conflicts=True)
    return points.get(channel=Channel.TEXT, address=number)


def _opted_out_since(point: ContactPoint, received_at: dt.datetime) -> bool:
    """Whether a STOP was received, or the opt-out came another way, after that. Call with the point locked.

    The contact point keeps its first date and the ledger no repeats, so a second STOP is only among the texts.
    """
    stops = InboundMessage.objects.filter(contact_point=point, keyword=Keyword.STOP, received_at__gt=received_at)
    other_ways = point.consent_events.filter(purpose=ConsentEvent.Purpose.EVERYTHING, given=False, at__gt=received_at)
    return stops.exists() or other_ways.exclude(source=ConsentEvent.Source.REPLY).exists()


def _older_stop_waits(event: ProviderEvent, number: str) -> bool:
    older = ProviderEvent.objects.filter(
        kind=ProviderEvent.Kind.INBOUND, applied_at=None, payload__From=number, pk__lt=event.pk
    )
    words = (meaning(each.payload.get("Body", ""), each.payload.get("OptOutType", "")) for each in older)
    return any(word in {Meaning.STOP, Meaning.WISH} for word in words)


# Who writes, what it means, how to get back or help: no marketing (47 CFR 64.1200(a)(12), CTIA).
STOPPED = "{name}: You are unsubscribed and will get no more texts from us. Reply START to get them again."
STARTED = "{name}: You will get texts from us again. Msg & data rates may apply. Reply HELP for help, STOP to stop."
HELP = "{name}: For help call us at {phone}. Msg & data rates may apply. Reply STOP to get no more texts."
HELP_WITHOUT_PHONE = "{name}: Please call our office for help. Reply STOP to get no more texts."


def _practice() -> dict[str, str]:
    practice = Practice.objects.select_related("settings").get(pk=current_practice_id())
    number = practice.settings.phone
    return {"name": practice.name, "phone": phone(number) if number else ""}


def _whose(point: ContactPoint) -> int | None:
    """The patient last written to at that number who still has it, else the eldest who has it; None is a stranger."""
    having = Patient.objects.filter(cell=point.address)
    written_to = Message.objects.filter(contact_point=point, armed_at__isnull=False, patient__in=having)
    last = written_to.order_by("-armed_at").values_list("patient_id", flat=True).first()
    return last or having.order_by(F("birth_date").asc(nulls_last=True), "pk").values_list("pk", flat=True).first()


def _mark_what_it_answers(point: ContactPoint, keyword: Keyword) -> None:
    """The newest campaign message to the number counts the reply or the opt-out; START and HELP are neither."""
    column = {Keyword.STOP: "unsubscribed_at", Keyword.NONE: "replied_at"}.get(keyword)
    if column is None:
        return
    newest = (
        Message.objects.filter(contact_point=point, campaign_id__isnull=False, armed_at__isnull=False)
        .order_by("-armed_at", "-pk")
        .values_list("pk", flat=True)
        .first()
    )
    Message.objects.filter(pk=newest, **{column: None}).update(**{column: Now()})
