"""Small cases, each aimed at one thing that may never happen, with everything in its way arranged.

Hours pass by moving the clock of product and sandbox together, so a case takes moments. At its end the ledger judges,
and final states are compared with the sandbox's history.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from audience.models import Channel, ConsentEvent
from campaigns import engine
from messaging import dispatch, reap, reconcile, withdraw
from messaging.models import Message
from tests.chaos import judge, people, points
from tests.chaos.hands import Hand, serve, sleep_until
from tests.chaos.judge import Findings
from tests.chaos.plants import planted_in_the_database
from tests.chaos.rig import WAITS, Rig, until
from trackstat.sandbox.statuses import signed_headers
from trackstat.tenancy.scope import practice_scope

LEASE = WAITS["DISPATCH_LEASE_SECONDS"] + 1
SETTLE = WAITS["RECONCILE_SETTLE_SECONDS"] + 1
BETWEEN = WAITS["RECONCILE_BETWEEN_SECONDS"] + 1

Case = Callable[["Stage"], None]
CASES: dict[str, Case] = {}


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


class Stage:
    """A practice with a few texts that are due, and hands to move them. `plant`: a bug in every hand."""

    def __init__(self, rig: Rig, plant: str = ""):
        self.rig, self.plant = rig, plant
        rig.offices += 1
        self.office = people.open_office(rig.sandbox, f"Aim{chr(96 + rig.offices)}")
        self.may_abort: set[people.Key] = set()
        self.differences: list[str] = []
        self._hands: list[Hand] = []
        self.with_faults()
        rig.sandbox.set_pace(speed=20, queued=0.2, sending=0.2, sent=0.2, delivered=0.5, retry=0.05)

    def texts(self, many: int) -> None:
        """Written, due, and waiting to be claimed."""
        people.fill(self.office, many, odd=False)
        people.switch_on(self.office, people.draft_campaign(self.office, Channel.TEXT))
        self.hand(engine.materialise_due, self._id).wait()

    def with_faults(self, *rules: dict) -> None:
        self.rig.sandbox.set_faults(list(rules))

    def hand(self, act: Callable, *args, struck_at: tuple[str, str] | None = None) -> Hand:
        hand = Hand(self.rig, self.plant, act, *args, struck_at=struck_at)
        self._hands.append(hand)
        return hand

    def dispatch(self, point: str = "", what: str = points.FREEZE) -> Hand:
        """A run of the lane; struck at `point`, or at its end when there is none."""
        struck_at = (point, what) if point else None
        hand = self.hand(dispatch.dispatch_lane, self._id, self.office.texts.pk, struck_at=struck_at)
        if point:
            hand.wait_for_the_strike()
        else:
            hand.wait()
        return hand

    def reap(self) -> None:
        self.rig.ahead(LEASE)
        self.hand(_reap, self._id).wait()

    def look_up(self) -> None:
        """Both looks at what is uncertain, after the times they have to keep."""
        for seconds in (SETTLE, BETWEEN):
            self.rig.ahead(seconds)
            self.hand(reconcile.reconcile, self._id).wait()

    def serve(self) -> Hand:
        """A web server for the callbacks."""
        hand = self.hand(serve, self.rig.web_port)
        until(self.rig.web_answers, 20, "the web server of a hand")
        return hand

    def states(self) -> list[str]:
        with practice_scope(self.office.practice):
            return list(Message.objects.order_by("pk").values_list("state", flat=True))

    def finish(self) -> None:
        """What is left is reaped, looked up and sent, as often as that can change anything."""
        for _ in range(3):
            if not {"pending", "claimed", "sending", "unknown"} & set(self.states()):
                break
            self.reap()
            self.look_up()
            self.dispatch()

    def findings(self) -> Findings:
        found = judge.judge(self.rig.ledger, [self.office], self.may_abort)
        found.differences += self.differences
        return found

    def close(self) -> None:
        for hand in self._hands:
            hand.kill()

    @property
    def _id(self) -> int:
        return self.office.practice.pk


def _reap(practice_id: int) -> None:
    with practice_scope(practice_id):
        reap.reap()


@case
def killed_after_the_carrier_accepted(stage: Stage) -> None:
    """Nobody wrote down that the texts were accepted; the lease ends, and no callback ever comes."""
    stage.with_faults({"where": "sms.callback", "action": "drop"})
    stage.texts(2)
    stage.dispatch("after_send", points.KILL).wait()
    stage.reap()
    stage.dispatch()
    stage.finish()


@case
def the_engine_is_set_back(stage: Stage) -> None:
    """The same enrollments fall due once more, as if the engine's progress had been lost."""
    stage.texts(2)
    stage.dispatch()
    with stage.rig.owner() as owner:
        owner.execute(
            "UPDATE campaigns_enrollment SET state = 'active', next_position = 1, finished_at = NULL"
            " WHERE practice_id = %s",
            [stage.office.practice.pk],
        )
    stage.hand(engine.materialise_due, stage.office.practice.pk).wait()
    stage.dispatch()
    stage.finish()


@case
def frozen_before_the_first_byte(stage: Stage) -> None:
    """It wakes up after its messages were proved absent and sent by somebody else."""
    stage.texts(2)
    frozen = stage.dispatch("after_arm")
    since = time.monotonic()
    stage.reap()
    stage.look_up()
    stage.dispatch()
    sleep_until(since + dispatch.HAND_OVER_SECONDS + 0.2)
    frozen.thaw()
    frozen.wait()
    stage.finish()


@case
def frozen_with_a_claim_that_another_has_now(stage: Stage) -> None:
    """It wakes up while the messages are claimed by somebody else: they are not its own any more."""
    stage.texts(2)
    first = stage.dispatch("after_claim")
    stage.reap()
    second = stage.dispatch("after_claim")
    first.thaw()
    first.wait()
    if set(stage.states()) != {"claimed"}:
        stage.differences.append(f"whoever had lost the lease moved messages on: {stage.states()}")
    second.thaw()
    second.wait()
    stage.finish()


@case
def frozen_with_a_claim_that_was_sent_meanwhile(stage: Stage) -> None:
    """It wakes up after somebody else has claimed and sent the same messages."""
    stage.texts(2)
    frozen = stage.dispatch("after_claim")
    stage.reap()
    stage.dispatch()
    frozen.thaw()
    frozen.wait()
    stage.finish()


@case
def opted_out_while_it_is_checked(stage: Stage) -> None:
    """The patient opts out between the last look at the opt-outs and the move to `sending`."""
    stage.texts(1)
    [key] = stage.office.keys
    with practice_scope(stage.office.practice):
        address = Message.objects.get().to_address
    checking = stage.dispatch("in_check")
    opting_out = stage.hand(_opt_out, stage.office.practice.pk, address)
    out_first = opting_out.ends_within(1.0)
    checking.thaw()
    opting_out.wait()
    checking.wait()
    stage.finish()
    if out_first:
        stage.may_abort.add(key)
        if judge.Ledger(stage.rig.ledger).accepted[key]:
            stage.differences.append("a text was sent whose patient had opted out, and that was committed before")


def _opt_out(practice_id: int, address: str) -> None:
    with practice_scope(practice_id):
        everything, staff = ConsentEvent.Purpose.EVERYTHING, ConsentEvent.Source.STAFF
        withdraw.withdraw(Channel.TEXT, address, everything, staff)


@case
def the_same_answer_recorded_twice(stage: Stage) -> None:
    """The connection is lost after the commit, so "try later" is recorded again, after the text has gone out."""
    stage.with_faults({"where": "sms", "action": "429", "match": {"nth": 1}})
    stage.texts(1)
    recording = stage.dispatch("after_record", points.CUT)
    stage.rig.ahead(LEASE)
    stage.dispatch()
    recording.thaw()
    recording.wait()
    stage.finish()


@case
def callbacks_overtake_each_other(stage: Stage) -> None:
    """`delivered` was told of when `sent` comes."""
    stage.with_faults({"where": "sms.callback", "action": "drop", "match": {"status": "sent"}})
    server = stage.serve()
    stage.texts(2)
    sandbox = stage.rig.sandbox
    since = sandbox.health()["ledger"]
    stage.dispatch()
    sandbox.settle()
    for accepted in sandbox.ledger("sms.accepted", since):
        _tell(stage, accepted, "sent")
    server.kill()


def _tell(stage: Stage, accepted: dict, status: str) -> None:
    """A callback of the carrier's, posted by hand. Raises urllib.error.HTTPError."""
    url = accepted["status_callback"].partition("#")[0]
    fields = {
        "AccountSid": accepted["account"],
        "From": accepted["sender"],
        "To": accepted["to"],
        "MessageSid": accepted["sid"],
        "MessageStatus": status,
    }
    headers = signed_headers(stage.office.texts.secret, url, fields)
    urlopen(Request(url, urlencode(fields).encode(), headers), timeout=30).close()


@case
def looked_up_while_it_is_queued(stage: Stage) -> None:
    """The carrier took the text, said 500, and has not sent it on yet: its list shows no date of sending."""
    stage.with_faults(
        {"where": "sms", "action": "500_after", "match": {"nth": 1}}, {"where": "sms.callback", "action": "drop"}
    )
    stage.rig.sandbox.set_pace(speed=1, queued=20, sending=20)
    stage.texts(1)
    stage.dispatch()
    stage.finish()


@dataclass
class Played:
    name: str
    found: Findings
    seconds: float


def play(rig: Rig, name: str, plant: str = "") -> Played:
    """`plant`: a bug in everything that acts."""
    began = time.monotonic()
    stage = Stage(rig, plant)
    with rig.owner() as owner, planted_in_the_database(plant, owner):
        try:
            CASES[name](stage)
            found = stage.findings()
        finally:
            stage.close()
            rig.forget_connections()
    return Played(name, found, time.monotonic() - began)
