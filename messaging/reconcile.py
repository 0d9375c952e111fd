"""Asks the provider about hand-overs without a clear answer, once a callback can hardly come any more.

Found: it was accepted. Not found twice, with time between: it never arrived; the message goes back to waiting, once,
if it is still worth sending. Whatever stays unclear stays Unknown for staff to decide. No transaction is open while a
provider is asked; a provider that cannot be asked counts as no answer at all. Where there is no list to read, and where
another provider than the present one was spoken to, absence can never be shown: that is left to staff at once.
"""

import logging
from collections import Counter, defaultdict
from contextlib import suppress

import requests
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from twilio.base.exceptions import TwilioException

from messaging import providers
from messaging.models import Attempt, Message, SendingIdentity
from messaging.outcomes import record
from messaging.providers import ProviderUnusable
from messaging.providers.base import Accepted
from trackstat.clock import now
from trackstat.tenancy.scope import current_practice_id, practice_scope

log = logging.getLogger(__name__)

AT_ONCE = 50
# So often the provider's list must not show it.
LOOKS = 2

# Due for a look, stamped so that no other run counts the same look.
_TAKE = """
WITH due AS MATERIALIZED (
    SELECT a.id FROM messaging_attempt a
      JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
     WHERE a.practice_id = %(practice)s AND a.outcome = 'unknown' AND m.state = 'unknown' AND a.looked_up < %(looks)s
       AND a.started_at < trackstat.now() - make_interval(secs => %(settle)s)
       AND (a.looked_up_at IS NULL OR a.looked_up_at < trackstat.now() - make_interval(secs => %(between)s))
     ORDER BY a.id LIMIT %(most)s FOR UPDATE OF a SKIP LOCKED
)
UPDATE messaging_attempt a SET looked_up_at = trackstat.now()
  FROM due WHERE a.practice_id = %(practice)s AND a.id = due.id
RETURNING a.id"""


def reconcile(practice_id: int) -> Counter[str]:
    """Look up what is uncertain in one practice; how many were found, missed, put back and left to staff."""
    counts: Counter[str] = Counter()
    with practice_scope(practice_id):
        taken = _take()
        attempts = list(Attempt.objects.filter(pk__in=taken).select_related("message__identity").order_by("pk"))
    by_identity: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_identity[attempt.message.identity_id].append(attempt)
    for theirs in by_identity.values():
        counts += _of_identity(practice_id, theirs[0].message.identity, theirs)
    return counts


def _take() -> list[int]:
    values = {
        "practice": current_practice_id(),
        "looks": LOOKS,
        "settle": settings.RECONCILE_SETTLE_SECONDS,
        "between": settings.RECONCILE_BETWEEN_SECONDS,
        "most": AT_ONCE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        return [pk for (pk,) in cursor.fetchall()]


def _of_identity(practice_id: int, identity: SendingIdentity, attempts: list[Attempt]) -> Counter[str]:
    counts: Counter[str] = Counter()
    try:
        provider = providers.of(identity)
    except ProviderUnusable:
        return counts
    with provider:
        for attempt in attempts:
            if not provider.lists or attempt.provider != provider.name:
                with practice_scope(practice_id):
                    counts[_leave(attempt)] += 1
                continue
            try:
                listed = provider.find(attempt)
            except (TwilioException, requests.RequestException, ValueError, KeyError) as error:
                log.warning("look-up of attempt %s: %s", attempt.key, type(error).__name__)
                continue
            with practice_scope(practice_id):
                counts[_settle(attempt, listed)] += 1
    return counts


def _leave(attempt: Attempt) -> str:
    """To staff: looked up to the end, so that nobody looks again."""
    Attempt.objects.filter(pk=attempt.pk, outcome=Attempt.Outcome.UNKNOWN).update(looked_up=LOOKS)
    return "left"


def _settle(attempt: Attempt, listed: list[str]) -> str:
    owned = set(Attempt.objects.filter(provider_id__in=listed).values_list("provider_id", flat=True))
    for provider_id in listed:
        # The unique key decides between two hand-overs of the same words to a shared phone.
        if provider_id not in owned:
            with suppress(IntegrityError), transaction.atomic():
                record(attempt, Accepted(provider_id))
                return "found"
    return _missed(attempt)


def _missed(attempt: Attempt) -> str:
    """Count the look; after the last one put the message back, if it was never put back before and is worth it."""
    attempt = Attempt.objects.select_for_update(no_key=True).get(pk=attempt.pk)
    if attempt.outcome != Attempt.Outcome.UNKNOWN:
        return "settled"
    attempt.looked_up += 1
    if attempt.looked_up < LOOKS:
        attempt.save(update_fields=["looked_up"])
        return "missed"
    message = Message.objects.select_for_update(no_key=True).get(pk=attempt.message_id)
    before = message.attempts.filter(outcome=Attempt.Outcome.ABSENT).exists()
    newest = not message.attempts.filter(pk__gt=attempt.pk).exists()
    if message.state != Message.State.UNKNOWN or before or not newest or message.not_after <= now():
        attempt.save(update_fields=["looked_up"])
        return "left"
    attempt.outcome = Attempt.Outcome.ABSENT
    attempt.save(update_fields=["looked_up", "outcome"])
    Message.objects.filter(pk=message.pk, state=Message.State.UNKNOWN).update(
        state=Message.State.PENDING, next_at=now()
    )
    return "put back"
