"""What providers tell us after a hand-over. The only writer of what came back.

Forward only, and the same end whatever the order and however often: a message that arrived has arrived, an early
callback proves that a hand-over without an answer was accepted, and nothing takes a message back. What a report says
about the number or mailbox is drawn from it before the message itself is touched: rows are locked in the order of the
whole product (contact points, patients, attempts, messages), so reports about one address come one after the other.
"""

import datetime as dt
import logging

from django.db import transaction
from django.db.models import Case, Q, When
from django.db.models.functions import Coalesce

from audience import consent
from audience.models import Channel, ConsentEvent, ContactPoint
from messaging import deliveries, inbound
from messaging.errors import Effect, effect, explain
from messaging.heard import Heard, hear
from messaging.models import Attempt, Message, ProviderEvent
from messaging.outcomes import PROBE_SECONDS, pause_identity
from messaging.withdraw import withdraw
from trackstat.clock import Now, now
from trackstat.tenancy.scope import practice_scope

log = logging.getLogger(__name__)

State, Validity = Message.State, ContactPoint.Validity

# An event that could not be applied for so long never will be.
GIVE_UP_AFTER = dt.timedelta(days=3)
# One that failed waits as long again as it has waited already, so that many of them keep nothing else from its turn.
LONGEST_WAIT = dt.timedelta(hours=1)
AT_ONCE = 200


class NotOurs(Exception):
    """The event names a hand-over that is not this identity's, or not to this address."""


def settle(event: ProviderEvent, *, may_answer: bool = False) -> str:
    """Apply a stored event; one that fails keeps its problem and is tried again by the tick.

    The answer to a patient's text, '' when there is none to give. Raises only when the database is away.
    """
    answer = ""
    try:
        with transaction.atomic():
            if event.kind == ProviderEvent.Kind.INBOUND:
                answer = inbound.receive(event, may_answer=may_answer)
            elif deliveries.apply_together([_as_report(event)]):
                return ""
            else:
                apply(event)
    except Exception as error:
        # One event that cannot be understood must not stop the others, and its details stay out of the log.
        log.warning("Event %s could not be applied: %s", event.pk, type(error).__name__)
        moment = now()
        waited = moment - event.received_at
        _finish(
            event,
            problem=type(error).__name__,
            applied_at=moment if waited > GIVE_UP_AFTER else None,
            retry_at=moment + min(waited, LONGEST_WAIT),
        )
        return ""
    _finish(event, problem="", applied_at=now())
    return answer


def apply_open(practice_id: int) -> int:
    """Apply what waits, patients' words first; how many events were looked at."""
    with practice_scope(practice_id):
        together = deliveries.apply_waiting()
    with practice_scope(practice_id):
        one_by_one = Q(retry_at__lte=Now()) | Q(retry_at=None, kind=ProviderEvent.Kind.INBOUND)
        patients_first = Case(When(kind=ProviderEvent.Kind.INBOUND, then=0), default=1)
        waiting = ProviderEvent.objects.filter(one_by_one, applied_at=None).order_by(
            patients_first, "received_at", "pk"
        )
        events = list(waiting.select_for_update(skip_locked=True)[:AT_ONCE])
        for event in events:
            settle(event)
    return together + len(events)


def apply(event: ProviderEvent) -> None:
    """Let the message a status or tracking event is about catch up with it, in the practice in scope."""
    heard = hear(event.kind, event.payload)
    attempt = _attempt_of(event, heard)
    if attempt is None:
        # Mail that something else sends from the same domain; a text's callback names its attempt in the address.
        if event.attempt_key:
            raise NotOurs
        return
    message_id, point_id = attempt.message_id, attempt.message.contact_point_id
    point = ContactPoint.objects.select_for_update(no_key=True).get(pk=point_id)
    # As it is now: reports about this address wait for the lock just taken.
    message = Message.objects.get(pk=message_id)
    if heard.recipient and heard.recipient.lower() != message.to_address.lower():
        raise NotOurs
    _draw_consequences(heard, message, point)
    if heard.state:
        _accept(attempt.pk, heard, message)
        _advance(message_id, heard)


def _as_report(event: ProviderEvent) -> deliveries.Report:
    return deliveries.Report(event.pk, event.identity_id, event.kind, event.attempt_key, event.payload)


def _attempt_of(event: ProviderEvent, heard: Heard) -> Attempt | None:
    known = Attempt.objects.select_related("message").filter(message__identity_id=event.identity_id)
    if event.attempt_key:
        return known.filter(key=event.attempt_key).first()
    return known.filter(provider_id=heard.provider_id).first() if heard.provider_id else None


def _draw_consequences(heard: Heard, message: Message, point: ContactPoint) -> None:
    """What the report says about the address or the sender, whatever becomes of this message."""
    said = effect(heard.code) if heard.code else Effect.NONE
    if "complained_at" in heard.happened or "unsubscribed_at" in heard.happened or said == Effect.OPT_OUT:
        source = ConsentEvent.Source.CARRIER
        if heard.happened:
            complained = "complained_at" in heard.happened
            source = ConsentEvent.Source.COMPLAINT if complained else ConsentEvent.Source.UNSUBSCRIBE
        withdraw(point.channel, point.address, ConsentEvent.Purpose.EVERYTHING, source)
    if said == Effect.PAUSE_SENDER:
        pause_identity(message.identity_id, PROBE_SECONDS, f"{explain(heard.code)} ({heard.code})")
    # A bounce can follow a delivery; a text that arrived proves its number, whatever came before.
    proved = point.channel == Channel.TEXT and message.state == State.DELIVERED
    if said in _VALIDITY and not proved:
        consent.mark_unusable(point, _VALIDITY[said], f"{explain(heard.code).what} ({heard.code})")
    elif heard.state == State.DELIVERED and point.validity != Validity.OK:
        consent.mark_reached(point)


_VALIDITY = {
    Effect.INVALID: Validity.INVALID,
    Effect.LANDLINE: Validity.LANDLINE,
    Effect.SUPPRESS: Validity.SUPPRESSED,
}


def _accept(attempt_id: int, heard: Heard, message: Message) -> None:
    """Any report proves that the provider has it, also when its answer never reached us."""
    attempt = Attempt.objects.select_for_update(no_key=True).get(pk=attempt_id)
    if attempt.provider_id and heard.provider_id and attempt.provider_id != heard.provider_id:
        raise NotOurs
    if attempt.outcome == Attempt.Outcome.ACCEPTED and attempt.provider_id:
        return
    attempt.outcome, attempt.error_code = Attempt.Outcome.ACCEPTED, ""
    attempt.provider_id = attempt.provider_id or heard.provider_id or None
    attempt.finished_at = attempt.finished_at or now()
    attempt.save(update_fields=["outcome", "error_code", "provider_id", "finished_at"])
    if message.has_opt_out_line:
        ContactPoint.objects.filter(pk=message.contact_point_id, introduced_at=None).update(introduced_at=Now())


def _advance(message_id: int, heard: Heard) -> None:
    message = Message.objects.select_for_update(no_key=True).get(pk=message_id)
    changes: dict = {name: Now() for name in heard.happened if getattr(message, name) is None}
    if heard.state in Message.MOVES[message.state]:
        final = heard.state != State.SENT
        changes |= {
            "state": heard.state,
            "error_code": heard.code if heard.state in {State.UNDELIVERED, State.FAILED} else "",
            "sent_at": Coalesce("sent_at", Now()),
            "done_at": Now() if final else message.done_at,
            "lease_token": None,
            "lease_until": None,
        }
    if changes:
        Message.objects.filter(pk=message_id).update(**changes)


def _finish(event: ProviderEvent, **changes) -> None:
    ProviderEvent.objects.filter(pk=event.pk).update(**changes)
