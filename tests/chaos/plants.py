"""Eight bugs, planted into a process of the product (or into the database) from outside, each to be caught by a case.

Most bugs leave a guard out of one statement. A statement that no longer has the words that are to be left out is an
error here: a bug that cannot be planted proves nothing.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Bug:
    what: str
    # The cases of `aimed` that fail with it.
    caught_by: tuple[str, ...]
    plant: Callable[[], None]


BUGS: dict[str, Bug] = {}

_OWN_LEASE = r"AND (\w+\.)?lease_token = %\(token\)s(::uuid)?"


def bug(what: str, *caught_by: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def register(function: Callable[[], None]) -> Callable[[], None]:
        BUGS[function.__name__] = Bug(what, caught_by, function)
        return function

    return register


def plant(name: str) -> None:
    """Into this process, before its points are installed. Needs django.setup()."""
    BUGS[name].plant()


@bug("the reaper puts `sending` back to waiting", "killed_after_the_carrier_accepted")
def reaper_requeues() -> None:
    from messaging import reap

    _change(reap, "_UNKNOWN", r"SET outcome = 'unknown'", "SET outcome = 'later'")
    _change(reap, "_UNKNOWN", r"SET state = 'unknown'", "SET state = 'pending'")


@bug("the database has no unique key for messages", "the_engine_is_set_back")
def no_unique_key() -> None:
    """In the database: see `planted_in_the_database`; the INSERT does not count on the key either."""
    from messaging import materialise

    _change(materialise, "_INSERT", r"ON CONFLICT .* DO NOTHING", "ON CONFLICT DO NOTHING")


@bug(
    "nobody looks whether the lease or the time to hand over has run out",
    *("frozen_before_the_first_byte", "frozen_with_a_claim_that_another_has_now"),
)
def no_lease_check() -> None:
    from messaging import arm, dispatch

    dispatch.HAND_OVER_SECONDS = 1_000_000
    _change(arm, "_ARM", _OWN_LEASE)


@bug("opt-outs are read without a lock on them", "opted_out_while_it_is_checked")
def consent_without_lock() -> None:
    from messaging import checks
    from tests.chaos.points import replace

    replace(checks.take_locks, lambda candidates: None)


@bug("an answer is recorded without looking at what was recorded before", "the_same_answer_recorded_twice")
def record_twice() -> None:
    from messaging import outcomes

    _change(outcomes, "_FINISH", r"AND (\w+\.)?outcome IN \('', 'unknown', 'absent'\)")
    _change(outcomes, "_FINISH", r"AND (\w+\.)?state IN \('sending', 'unknown'\)")
    _change(outcomes, "_FINISH", r"AND (\w+\.)?armed_at = told\.started_at")


@bug("a callback moves a message back", "callbacks_overtake_each_other")
def callback_regresses() -> None:
    from messaging.models import Message

    Message.MOVES = {state: set(Message.State.values) for state in Message.MOVES}


@bug("messages are armed without the guarded update", "frozen_with_a_claim_that_was_sent_meanwhile")
def arm_unguarded() -> None:
    from messaging import arm

    _change(arm, "_ARM", _OWN_LEASE)
    _change(arm, "_ARM", r"AND (\w+\.)?state = 'claimed'")
    # Without a lease of its own the row would be refused by `message_lease`.
    _change(arm, "_ARM", r"SET state = 'sending',", "SET state = 'sending', lease_token = %(token)s::uuid,")


@bug("the carrier's list is asked by the date of sending", "looked_up_while_it_is_queued")
def listed_by_date_sent() -> None:
    from messaging.providers import twilio

    def find(self, attempt):
        message, earliest = attempt.message, attempt.started_at - twilio.CLOCKS_DIFFER
        found = self._client.messages.list(to=message.to_address, date_sent_after=earliest, limit=1000)
        return [each.sid for each in found if each.body == message.body and self._sent_it(each)]

    twilio.Twilio.find = find


@contextmanager
def planted_in_the_database(name: str, owner) -> Iterator[None]:
    """`owner`: a connection of the owner of the tables. Afterwards the key is back, and what it would have forbidden is
    gone."""
    if name != "no_unique_key":
        yield
        return
    [[definition]] = owner.execute("SELECT pg_get_indexdef('message_once'::regclass)").fetchall()
    owner.execute("DROP INDEX message_once")
    try:
        yield
    finally:
        owner.execute(
            "DELETE FROM messaging_attempt WHERE message_id IN (SELECT id FROM messaging_message m WHERE EXISTS ("
            " SELECT FROM messaging_message o WHERE o.enrollment_id = m.enrollment_id AND o.step_id = m.step_id"
            " AND o.repeat = m.repeat AND o.id < m.id))"
        )
        owner.execute(
            "DELETE FROM messaging_message m USING messaging_message o WHERE o.enrollment_id = m.enrollment_id"
            " AND o.step_id = m.step_id AND o.repeat = m.repeat AND o.id < m.id"
        )
        owner.execute(definition)


def _change(module: ModuleType, name: str, words: str, others: str = "") -> None:
    """`words`: a regular expression."""
    statement, changed = re.subn(words, others, getattr(module, name))
    if not changed:
        raise LookupError(f"{module.__name__}.{name} does not say {words} any more: plant this bug anew")
    setattr(module, name, statement)
