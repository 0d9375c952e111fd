"""The run of one sender lane: claim a chunk, arm a group, hand it over in threads, record what came of it.

No transaction is open while a provider is spoken to. At most DISPATCH_THREADS messages are `sending` at any moment; a
crash leaves no more than these uncertain, and everything else is claimed again when its lease has ended.

A run lasts RUN_SECONDS at most, then the lane goes to the end of the queue so that other lanes get a worker. It waits
for the rate's next segment only while no other lane waits for a worker; otherwise the next tick wakes it.
"""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from time import monotonic

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from messaging import claim, rates
from messaging.arm import Armed, arm
from messaging.breaker import trip_if_unclear
from messaging.checks import Candidate
from messaging.errors import Effect, effect
from messaging.lanes import Lane, lane
from messaging.models import Message, SendingIdentity
from messaging.outcomes import pause_identity, record_all
from messaging.providers import Provider, ProviderUnusable, of
from messaging.providers.base import Accepted, Later, Outgoing, Refused, Result, Unclear
from messaging.restored import sending_allowed
from trackstat.clock import now
from trackstat.tenancy.scope import practice_scope

log = logging.getLogger(__name__)

RUN_SECONDS = 10
# Between arming and the first byte: longer, and what was checked may no longer be true.
HAND_OVER_SECONDS = 2
TOO_LATE = "too late"
# About one message or one mailbox, not about whether the provider answers.
_SAYS_NOTHING = {TOO_LATE, "mail_later"}
# A provider that answers nothing in a row is left alone for a while, then probed with one message.
SILENT_AFTER = 20
SILENT_SECONDS = 30
# Answers that come together are recorded together.
TOGETHER_SECONDS = 0.01
# PostgreSQL may be restarting while results wait to be recorded.
RECORD_TRIES_SECONDS = 15


class InTransaction(Exception):
    """A provider would have been called with a database transaction open."""


@dataclass
class Counts:
    """What one run did, in messages; `more` says that the lane should be woken again at once."""

    outcomes: Counter[str] = field(default_factory=Counter)
    aborted: int = 0
    waiting: int = 0
    busy: bool = False
    more: bool = False


def dispatch_lane(practice_id: int, identity_id: int) -> Counts:
    """Work on what is due from one identity. Call outside of any transaction and scope."""
    if not sending_allowed():
        return Counts()
    with lane(practice_id, identity_id) as held:
        if held is None:
            return Counts(busy=True)
        with practice_scope(practice_id):
            identity = _ready(identity_id)
        if identity is None:
            return Counts()
        try:
            provider = of(identity)
        except ProviderUnusable as problem:
            with practice_scope(practice_id):
                pause_identity(identity_id, SILENT_SECONDS * 10, str(problem))
            return Counts()
        with provider:
            return _Run(held, identity, provider).run()


def _ready(identity_id: int) -> SendingIdentity | None:
    """The identity when it may send now. What expires meanwhile is settled, so that nothing waits forever."""
    identity = SendingIdentity.objects.get(pk=identity_id)
    if not identity.may_send:
        claim.expire(identity_id, Message.Reason.SENDER)
        return None
    if identity.paused_until and identity.paused_until > now():
        claim.expire(identity_id, Message.Reason.SENDER)
        return None
    return identity


class _Run:
    """One run: its claimed messages, those on their way, and why it ends."""

    def __init__(self, held: Lane, identity: SendingIdentity, provider: Provider):
        self.lane, self.identity, self.provider = held, identity, provider
        self.token = uuid.uuid4()
        self.counts = Counts()
        self.claimed: list[Candidate] = []
        self.on_the_way: dict[Future[Result], Outgoing] = {}
        self.silent = 0
        # A sender that was paused is tried with one message first.
        self.probing = bool(identity.paused_reason)
        self.stopping = False
        self.until = monotonic() + RUN_SECONDS

    def run(self) -> Counts:
        with ThreadPoolExecutor(settings.DISPATCH_THREADS, thread_name_prefix="hand-over") as threads:
            try:
                while True:
                    went_on = self._may_arm() and self._fill() and self._hand_over(threads)
                    if self.on_the_way:
                        self._record_some()
                    elif not went_on:
                        break
            finally:
                self._finish()
        return self.counts

    def _may_arm(self) -> bool:
        if self.stopping:
            return False
        if monotonic() > self.until or not self.lane.renew():
            self.counts.more = True
            self.stopping = True
            return False
        limit = 1 if self.probing else settings.DISPATCH_THREADS
        return len(self.on_the_way) <= limit // 2

    def _fill(self) -> bool:
        """Whether something is claimed; claims the next chunk when nothing is."""
        if not self.claimed:
            with practice_scope(self.lane.practice_id):
                self.claimed = claim.claim(self.identity.pk, settings.DISPATCH_CHUNK, self.token)
        if not self.claimed:
            self.stopping = True
        return bool(self.claimed)

    def _hand_over(self, threads: ThreadPoolExecutor) -> bool:
        """Whether a group was taken, be it that all of it was stopped or has to wait."""
        room = (1 if self.probing else settings.DISPATCH_THREADS) - len(self.on_the_way)
        group = self._within_rate(self.claimed[:room])
        if not group:
            return False
        deadline = monotonic() + HAND_OVER_SECONDS
        armed = _patiently(lambda: self._arm(group))
        if armed.closed:
            self.stopping = True
            return False
        self.claimed = self.claimed[len(group) :]
        self.counts.aborted += armed.aborted
        self.counts.waiting += armed.waiting
        if connection.in_atomic_block:
            raise InTransaction(f"identity {self.identity.pk}")
        for outgoing in armed.outgoing:
            self.on_the_way[threads.submit(_send, self.provider, outgoing, deadline)] = outgoing
        return True

    def _arm(self, group: list[Candidate]) -> Armed:
        with practice_scope(self.lane.practice_id):
            return arm(group, self.token, self.provider.name)

    def _within_rate(self, group: list[Candidate]) -> list[Candidate]:
        """As many of the group as the cap and the rate let go now; sleeps or stops where that is none."""
        if self.identity.daily_cap is not None:
            group = self._within_cap(group)
        if not group:
            return []
        granted, pause = rates.take(self.identity, [candidate.segments for candidate in group])
        if not granted and not self.on_the_way:
            if monotonic() + pause > self.until or rates.others_wait():
                self.stopping = True
            else:
                time.sleep(min(pause, 1.0))
                return self._within_rate(group) if self.lane.renew() else []
        return group[:granted]

    def _within_cap(self, group: list[Candidate]) -> list[Candidate]:
        with practice_scope(self.lane.practice_id):
            left = rates.left_today(self.identity)
            if left is not None and group[0].segments > left:
                claim.give_back(self.claimed, self.token)
                claim.wait_all(self.identity.pk, rates.tomorrow())
                self.claimed, self.stopping = [], True
                return []
        return group if left is None else _up_to(group, left)

    def _record_some(self) -> None:
        wait(self.on_the_way, timeout=1, return_when=FIRST_COMPLETED)
        done, _ = wait(self.on_the_way, timeout=TOGETHER_SECONDS)
        answers = [(self.on_the_way.pop(future), future.result()) for future in done]
        results = {outgoing.attempt_key: result for outgoing, result in answers}
        introducing = [outgoing.attempt_key for outgoing, _ in answers if outgoing.introduces]
        self.lane.renew()
        if not results:
            return
        _patiently(lambda: self._record(results, introducing))
        for result in results.values():
            self.counts.outcomes[type(result).__name__.lower()] += 1
            self._take_note(result)
        if any(isinstance(result, Unclear) for result in results.values()) and self._too_unclear():
            self.stopping = True

    def _record(self, results: dict[uuid.UUID, Result], introducing: list[uuid.UUID]) -> None:
        with practice_scope(self.lane.practice_id):
            record_all(results, introducing)

    def _take_note(self, result: Result) -> None:
        """Slow down, give up, or go on: what this answer says about the next ones."""
        match result:
            case Accepted():
                self.silent = 0
                if self.probing:
                    self.probing = False
                    self._resume()
            case Later(http_status=429):
                rates.halve(self.identity)
            case Later(code=code) if code in _SAYS_NOTHING:
                pass
            case Later() | Unclear():
                self.silent += 1
                if self.probing or self.silent >= SILENT_AFTER:
                    self._pause("The provider does not answer.")
            case Refused(code):
                self.silent = 0
                # record() has already let the sender rest.
                self.stopping = self.stopping or effect(code) == Effect.PAUSE_SENDER

    def _too_unclear(self) -> bool:
        with practice_scope(self.lane.practice_id):
            return trip_if_unclear(self.identity.pk)

    def _pause(self, reason: str) -> None:
        self.stopping = True
        with practice_scope(self.lane.practice_id):
            pause_identity(self.identity.pk, SILENT_SECONDS, reason)

    def _resume(self) -> None:
        """Ends the pause this run has probed, and no newer one."""
        probed = {"paused_until": self.identity.paused_until, "paused_reason": self.identity.paused_reason}
        with practice_scope(self.lane.practice_id):
            SendingIdentity.objects.filter(pk=self.identity.pk, **probed).update(paused_until=None, paused_reason="")

    def _finish(self) -> None:
        """Also after an error: nothing that left stays unrecorded, nothing that did not stays claimed."""
        while self.on_the_way:
            self._record_some()
        if self.claimed:
            with practice_scope(self.lane.practice_id):
                claim.give_back(self.claimed, self.token)


def _send(provider: Provider, outgoing: Outgoing, deadline: float) -> Result:
    """In a thread: no database here. Whatever goes wrong is a value."""
    if monotonic() > deadline:
        return Later(0, TOO_LATE)
    try:
        return provider.send(outgoing)
    except Exception as error:  # anything unforeseen may have happened after bytes left
        log.error("hand-over of attempt %s: %s", outgoing.attempt_key, type(error).__name__)
        return Unclear(type(error).__name__)


def _up_to(group: list[Candidate], segments: int) -> list[Candidate]:
    kept = []
    for candidate in group:
        segments -= candidate.segments
        if segments < 0:
            break
        kept.append(candidate)
    return kept


def _patiently[T](act: Callable[[], T]) -> T:
    """Again while PostgreSQL is away or has chosen this transaction to end a deadlock: nothing of it was done then."""
    until = monotonic() + RECORD_TRIES_SECONDS
    while True:
        try:
            return act()
        except (OperationalError, InterfaceError):
            if monotonic() > until:
                raise
            connection.close()
            time.sleep(0.2)
