"""Arming against whatever must keep a message back: both start at a barrier, PostgreSQL tells who committed first.

A message that is armed by a transaction which committed after the other one has left too late. Each race has rows of
its own; the group that is armed has bystanders, as in a real run. The waits before a race are moved towards the point
where both orders come equally often: there they meet.
"""

import datetime as dt
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from random import uniform
from threading import Barrier

import psycopg
from django.db import connection, connections

from audience import tags
from audience.models import ContactPoint, Patient, Tag
from campaigns import moves
from campaigns.models import Campaign, Enrollment, Step
from messaging import arm as arming
from messaging import checks, receipts
from messaging.checks import Candidate
from messaging.claim import claim
from messaging.models import Content, Message, ProviderEvent, SendingIdentity
from messaging.withdraw import withdraw
from tests import cast
from tests.chaos.score import Score
from tests.factories import TextIdentityFactory
from tests.messaging.conftest import NOON
from trackstat.clock import now
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

# Messages armed together; the first one's patient is raced for.
GROUP = 3
# Seconds. The wait before one side is drawn from this much around where the orders balance, which is looked for in
# steps that get smaller.
SPREAD, FIRST_STEP, LAST_STEP = 0.003, 0.004, 0.0003


@dataclass(frozen=True, slots=True)
class Race:
    """`group` is claimed by `token`; `move` is what shall keep the first of it, or all of it, back."""

    practice_id: int
    group: list[Candidate]
    token: uuid.UUID
    move: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Contest:
    """`move(race number, first candidate, its identity)` does the other thing and says whether it is done."""

    name: str
    move: Callable[[int, Candidate], bool]
    # What the group's campaign is.
    campaign: dict[str, str]
    # Whether it keeps the whole group back.
    all_of_it: bool


def run(contest: Contest, races: int) -> Score:
    """Raises what either side raises: a race that was not run proves nothing."""
    _as_owner("UPDATE trackstat.clock SET shift = %s", NOON - dt.datetime.now(dt.UTC))
    entries, score = _entries(contest, races), Score(first=0)
    pace, start, end = _Pace(), Barrier(2), Barrier(2)
    other: dict[int, tuple[bool, str]] = {}

    def arm_all() -> None:
        for number, race in enumerate(entries):
            start.wait(60)
            time.sleep(max(0.0, pace.wait))
            with practice_scope(race.practice_id):
                armed = arming.arm(race.group, race.token, SendingIdentity.Provider.TWILIO)
                mine = _transaction()
            end.wait(60)
            first = _judge(contest, number, race, {each.to for each in armed.outgoing}, mine, other[number], score)
            pace.learn(first)

    def move_all() -> None:
        for number, race in enumerate(entries):
            start.wait(60)
            time.sleep(max(0.0, -pace.wait))
            with practice_scope(race.practice_id):
                other[number] = race.move(), _transaction()
            end.wait(60)

    def side(deed: Callable[[], None]) -> None:
        try:
            connection.ensure_connection()
            deed()
        except BaseException:
            start.abort()
            end.abort()
            raise
        finally:
            connections.close_all()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    try:
        with ThreadPoolExecutor(2) as threads:
            sides = [threads.submit(side, deed) for deed in (move_all, arm_all)]
        errors = [error for each in sides if (error := each.exception()) is not None]
        for error in sorted(errors, key=lambda error: type(error).__name__ == "BrokenBarrierError"):
            raise error
    finally:
        sys.setswitchinterval(interval)
    return score


class _Pace:
    """Seconds that arming waits before the next race; negative: that the other side waits."""

    def __init__(self) -> None:
        self._balance, self._step = 0.0, FIRST_STEP
        self.wait = 0.0

    def learn(self, arming_was_first: bool) -> None:
        self._balance += self._step if arming_was_first else -self._step
        self._step = max(LAST_STEP, self._step * 0.9)
        self.wait = self._balance + uniform(-SPREAD, SPREAD)


def _judge(
    contest: Contest, number: int, race: Race, armed: set[str], mine: str, theirs: tuple[bool, str], score: Score
) -> bool:
    """Whether arming was first; counts what is wrong."""
    done, their_transaction = theirs
    armed_at, done_at = _committed(mine), _committed(their_transaction)
    score.races += 1
    score.first += armed_at < done_at
    kept_back = {each.to_address for each in (race.group if contest.all_of_it else race.group[:1])}
    others = {each.to_address for each in race.group} - kept_back
    if not done:
        score.mistake(f"race {number}: {contest.name} did not happen")
    elif armed & kept_back and armed_at >= done_at:
        score.mistake(f"race {number}: armed {(armed_at - done_at).total_seconds() * 1000:.2f} ms after the commit")
    elif armed & kept_back != kept_back and armed_at < done_at:
        score.mistake(f"race {number}: kept back by what was not committed yet")
    elif not others <= armed:
        score.mistake(f"race {number}: a bystander was kept back")
    return armed_at < done_at


def _transaction() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        return cursor.fetchone()[0]


def _committed(transaction: str) -> dt.datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_xact_commit_timestamp(%s::xid8::xid)", [transaction])
        return cursor.fetchone()[0]


# The four contests


def _opt_out(number: int, target: Candidate) -> bool:
    """By a text or by the link in a message, in turn."""
    if number % 2:
        withdraw(target.channel, target.to_address, "all", "unsubscribe", "Link in a message")
    else:
        identity = SendingIdentity.objects.get(pk=target.identity_id)
        said = {"MessageSid": f"SM{number}", "From": target.to_address, "To": identity.address, "Body": "STOP"}
        event = ProviderEvent.objects.create(
            identity=identity, kind="inbound", event_key=f"STOP {number}", payload=said
        )
        receipts.settle(event, may_answer=True)
    return ContactPoint.objects.filter(pk=target.contact_point_id, all_opted_out_at__isnull=False).exists()


def _pause(number: int, target: Candidate) -> bool:
    return moves.pause(Campaign.objects.get(pk=target.campaign_id), None)


def _disable(number: int, target: Candidate) -> bool:
    return moves.disable(Campaign.objects.get(pk=target.campaign_id), None)


def _tag(number: int, target: Candidate) -> bool:
    return tags.put_on(Tag.objects.get(always_excluded=True), Patient.objects.get(pk=target.patient_id)) == 1


_BLAST = {"kind": "blast", "state": "sending"}
_DRIP = {"kind": "drip", "state": "enabled", "trigger": "birthday"}
CONTESTS = [
    Contest("opt-out", _opt_out, _BLAST, all_of_it=False),
    Contest("campaign paused", _pause, _BLAST, all_of_it=True),
    Contest("not qualified put on", _tag, _BLAST, all_of_it=False),
    Contest("drip switched off", _disable, _DRIP, all_of_it=True),
]


# Their rows


def _entries(contest: Contest, races: int) -> list[Race]:
    practice = Practice.objects.filter(slug="southside").first() or cast.southside()
    with practice_scope(practice):
        Tag.objects.get_or_create(name="not qualified", always_excluded=True)
        identity = TextIdentityFactory(address=f"+1208555{9000 + SendingIdentity.objects.count():04d}")
        _messages(contest, identity, races)
        token = uuid.uuid4()
        claimed = claim(identity.pk, races * GROUP, token)
    # So many new rows at once are planned for badly until then.
    _as_owner("ANALYZE")
    groups: dict[int, list[Candidate]] = {}
    for candidate in claimed:
        groups.setdefault(candidate.campaign_id, []).append(candidate)
    assert [len(group) for group in groups.values()] == [GROUP] * races

    def race(number: int, group: list[Candidate]) -> Race:
        return Race(practice.pk, group, token, lambda: contest.move(number, group[0]))

    return [race(number, group) for number, group in enumerate(groups.values())]


def _messages(contest: Contest, identity: SendingIdentity, races: int) -> None:
    """A campaign with a group of due messages for each race, in the practice in scope."""
    moment = now()
    campaigns = Campaign.objects.bulk_create(
        Campaign(name=f"Race {number}", enabled_at=moment, **contest.campaign) for number in range(races)
    )
    content = Content.objects.create(channel="text", body="We have new hours.")
    steps = Step.objects.bulk_create(Step(campaign=each, channel="text", content=content) for each in campaigns)
    patients = _patients(races * GROUP, moment)
    points = ContactPoint.objects.bulk_create(
        ContactPoint(channel="text", address=cell) for cell in dict.fromkeys(patient.cell for patient in patients)
    )
    point_of = {point.address: point for point in points}
    times = {"due_at": moment, "not_after": moment + dt.timedelta(days=2)}
    enrollments = Enrollment.objects.bulk_create(
        Enrollment(
            campaign=campaigns[place // GROUP],
            patient=patient,
            occurrence=f"birthday:{moment.year}" if contest.campaign["kind"] == "drip" else "launch",
            state="done",
            finished_at=moment,
            **times,
        )
        for place, patient in enumerate(patients)
    )
    Message.objects.bulk_create(
        Message(
            channel="text",
            category="announcement",
            patient=patient,
            contact_point=point_of[patient.cell],
            identity=identity,
            content=content,
            campaign_id=campaigns[place // GROUP].pk,
            step_id=steps[place // GROUP].pk,
            enrollment_id=enrollments[place].pk,
            to_address=patient.cell,
            body="We have new hours.",
            next_at=moment,
            **times,
        )
        for place, patient in enumerate(patients)
    )


def _patients(many: int, moment: dt.datetime) -> list[Patient]:
    """Whose birthday it is; every other one who is raced for shares the phone with somebody no message is for."""
    begin = Patient.objects.count()
    known = {
        "source": "races",
        "first_name": "Ana",
        "last_name": "Alvarez",
        "birth_date": moment.date().replace(year=1984),
        "time_zone": "America/Denver",
        "can_text": True,
    }
    made = Patient.objects.bulk_create(
        Patient(external_id=f"Patient/{number}", cell=f"+1303{2_000_000 + number}", **known)
        for number in range(begin, begin + many)
    )
    Patient.objects.bulk_create(
        Patient(external_id=f"{patient.external_id}/child", cell=patient.cell, **known)
        for patient in made[:: 2 * GROUP]
    )
    return made


def _as_owner(statement: str, *values: dt.timedelta) -> None:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        owner.execute(statement, values)


# Bugs to be found


@contextmanager
def _consent_without_lock() -> Iterator[None]:
    """Arming decides without the locks that opting out, pausing and tagging take."""
    kept = checks.take_locks
    try:
        checks.take_locks = arming.take_locks = lambda candidates: None
        yield
    finally:
        checks.take_locks = arming.take_locks = kept


PLANTS = {"consent_without_lock": _consent_without_lock}


def planted(bug: str | None) -> AbstractContextManager[None]:
    return PLANTS[bug]() if bug else nullcontext()
