"""The general run: campaigns of texts and emails go out through real processes while everything around them breaks.

What happens when is told by how many messages the providers have accepted so far, and drawn from the seed: the same
seed gives the same plan, though not the same interleaving of processes.
"""

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import psutil

from messaging.providers.smtp import COME_BACK_SECONDS
from tests.chaos import points
from tests.chaos.processes import Process
from tests.chaos.rig import FREEZE_SECONDS, NotReached, Rig, until


@dataclass(frozen=True)
class Size:
    """`kills` to `flushes` at any moment come on top of one strike at each point."""

    messages: int
    # Of these, by SMTP: they go first and undisturbed, since nobody can look up what is uncertain there.
    by_smtp: int
    kills: int = 0
    freezes: int = 0
    restarts: int = 1
    flushes: int = 1
    # Of every thousand requests, so many meet each fault of a provider, besides one early on.
    per_mille: float = 0
    workers: int = 2
    # Texts a second of each line, so that there is time for everything to happen in; emails a quarter of it.
    rate: float = 100_000
    # From this share of the messages on nothing happens any more. What is sent a second time comes last: in a short run
    # it is not struck twice, which would leave it uncertain.
    calm: float = 0.6
    # Seconds in which something has to move.
    patience: float = 45
    # For all of the faults.
    minutes: float = 10

    def scaled(self, messages: int) -> "Size":
        share = messages / self.messages
        counts = ("by_smtp", "kills", "freezes", "restarts", "flushes")
        return replace(self, messages=messages, **{name: round(getattr(self, name) * share) for name in counts})


SHORT = Size(messages=1500, by_smtp=30, rate=18)
LONG = Size(
    messages=50_000,
    by_smtp=500,
    kills=200,
    freezes=20,
    restarts=20,
    flushes=20,
    per_mille=1,
    workers=3,
    calm=0.9,
    patience=120,
    minutes=45,
)

_SENDING = ("429", "500_before", "500_after", "reset_before", "reset_after", "stall_before", "stall_after")
_TELLING = ("drop", "double", "delay", "shuffle")
# Seconds that a fault lasts: longer than the product waits for an answer, shorter than until it looks.
_SECONDS = {"stall_before": 3.0, "stall_after": 3.0, "delay": 2.0, "shuffle": 3.0}


def provider_faults(per_mille: float, seed: int) -> list[dict]:
    """Rules of the sandbox: each fault once early on, then at its rate. The lists lag behind always."""
    rules = []
    for where, actions, rate in (
        ("sms", _SENDING, per_mille / 1000),
        ("email", _SENDING, per_mille / 1000),
        ("sms.list", ("500_before", "reset_before"), per_mille / 100),
        ("email.list", ("500_before",), per_mille / 100),
        ("sms.callback", _TELLING, 0.05),
        ("email.webhook", _TELLING, 0.05),
    ):
        for number, action in enumerate(actions):
            rule = {"where": where, "action": action, "seconds": _SECONDS.get(action, 1.0)}
            rules.append(rule | {"match": {"nth": 1 + number if where.endswith("list") else 2 + 2 * number}})
            if rate:
                rules.append(rule | {"match": {"rate": rate, "seed": 100 * seed + number}})
    # Of most texts only the end is told.
    rules.append({"where": "sms.callback", "action": "drop", "match": {"status": "^sent$", "rate": 0.8, "seed": seed}})
    for number, action in enumerate(("smtp_4xx", "smtp_5xx", "smtp_drop_after_data")):
        rules.append({"where": "smtp", "action": action, "match": {"nth": 3 + 3 * number}})
    lag = [{"where": where, "action": "list_lag", "seconds": 2.0} for where in ("sms.list", "email.list")]
    return [*rules, *lag]


class Storm:
    def __init__(self, rig: Rig, size: Size, seed: int):
        self.rig, self.size, self.dice = rig, size, random.Random(seed)
        self.seed = seed
        self.done: Counter[str] = Counter()
        self.began = time.monotonic()
        # Of the messages that the sandbox has, those of earlier cases.
        self._earlier = 0
        self._shown = 0.0
        # When (monotonic), and what is to happen then.
        self._later: list[tuple[float, Callable[[], object]]] = []

    def set_up(self) -> None:
        """Call before the first message is handed over."""
        told = ["sent", "delivered", "undelivered", "failed"]
        pace = {"speed": 1, "queued": 0.3, "sending": 0.3, "sent": 0.4, "delivered": 1.0, "email": 0.8, "retry": 0.5}
        self.rig.sandbox.set_pace(**pace, callbacks=told)
        self.rig.sandbox.set_faults(provider_faults(self.size.per_mille, self.seed))
        self._earlier = self.accepted()

    def blow(self) -> None:
        """Returns when everything is settled. Raises NotReached."""
        self.wait_for(self._handed_over_by_smtp, "the emails by SMTP to be handed over")
        for threshold, happens in self.plan():
            self.wait_for(lambda least=threshold: self.accepted() >= least, f"{threshold} messages to be accepted")
            happens()
        self.wait_for(lambda: not self._later, "what was frozen or stopped to come back")
        self._settle(within=60)
        # Whoever was asked to come back later does so now.
        self.rig.ahead(COME_BACK_SECONDS + 60)
        self._settle()
        if unmet := self.unmet():
            raise NotReached(f"no request has met {', '.join(unmet)}")

    def _handed_over_by_smtp(self) -> bool:
        """Where their batch was struck, none of them is there yet, so none being left would say nothing."""
        there, left = self.rig.rows(_BY_SMTP)[0]
        return there >= self.size.by_smtp and not left

    def plan(self) -> list[tuple[int, Callable[[], None]]]:
        """(after how many accepted messages, what), in order."""
        strikes = [lambda p=point, w=what: self.strike(p, w) for point, what in self._strikes()]
        blows = [
            *([self.restart_database] * self.size.restarts),
            *([self.flush] * self.size.flushes),
            *([self.kill] * self.size.kills),
            *([self.freeze] * self.size.freezes),
            self.stop_broker,
            self.double_beat,
            self.stop_beat,
            self.roll,
        ]
        thrice = [(0.1, lambda: self.thrice(True)), (0.3, lambda: self.thrice(False))]
        # For a strike there must be enough left that comes past its point.
        planned = [*thrice, *self._somewhen(strikes, 0.6), *self._somewhen(blows, self.size.calm)]
        return [(int(share * self.size.messages), what) for share, what in sorted(planned, key=lambda each: each[0])]

    def _somewhen(self, what: list[Callable[[], None]], last: float) -> Iterator[tuple[float, Callable[[], None]]]:
        self.dice.shuffle(what)
        for each in what:
            yield self.dice.uniform(0.04, last), each

    def _strikes(self) -> Iterator[tuple[str, str]]:
        for point in points.POINTS:
            # The first batch of messages is what it strikes, before anything is accepted; see faults.
            if point != "in_materialise":
                yield point, points.KILL
        yield "after_send", points.KILL_GROUP
        yield "after_record", points.CUT
        for point in ("after_claim", "after_arm", "after_send"):
            yield point, points.FREEZE

    # What happens

    def strike(self, point: str, what: str) -> None:
        helped = time.monotonic()

        def meanwhile() -> None:
            nonlocal helped
            self._meanwhile()
            # Nothing is reaped and nothing looked up where nobody has died in the middle.
            if point in {"in_reap", "in_reconcile"} and time.monotonic() - helped > 8:
                helped = time.monotonic()
                self.kill()

        strike = self.rig.strike(point, what, meanwhile=meanwhile)
        self.say(f"{what} at {point}")
        if what in {points.FREEZE, points.CUT}:
            self._after(FREEZE_SECONDS, strike.thaw)

    def kill(self) -> None:
        """The process that runs tasks, the one above it, or both at once."""
        worker = self._any_worker()
        what = self.dice.choices(("child", "parent", "group"), (6, 1, 3))[0]
        if what == "group":
            worker.kill()
        else:
            with suppress(ProcessLookupError):
                pool = self.rig.pool_of(worker)
                psutil.Process(pool[0] if what == "child" and pool else worker.pid).kill()
        self.say(f"kill of a {what}", quiet=True)

    def freeze(self) -> None:
        worker = self._any_worker()
        worker.freeze()
        self.say("freeze", quiet=True)
        self._after(FREEZE_SECONDS, worker.thaw)

    def restart_database(self) -> None:
        self.say("PostgreSQL restarted at once")
        self.rig.restart_database()

    def flush(self) -> None:
        self.wait_for(lambda: self.rig.services.valkey.running() is not None, "the broker to be back")
        self.say("broker flushed")
        self.rig.flush_broker()

    def stop_broker(self) -> None:
        self.say("broker stopped")
        self.rig.services.valkey.stop()
        self._after(4, self.rig.services.valkey.start)

    def double_beat(self) -> None:
        self.say("second beat")
        self.rig.start_beat()

    def stop_beat(self) -> None:
        """All of them, for a while."""
        self.say("beat stopped")
        while self.rig.beats:
            self.rig.beats.pop().kill()
        self._after(4, self.rig.start_beat)

    def thrice(self, wanted: bool) -> None:
        self.say(f"every task delivered {'three times' if wanted else 'once'} from now on")
        self.rig.thrice(wanted)

    def roll(self) -> None:
        """Old and new side by side, as in a deployment; who has not ended in ten seconds is killed."""
        self.say("rolling restart")
        for worker in self.rig.workers:
            worker.ask_to_end()
            self._after(10, worker.kill)
        many = len(self.rig.workers)
        self.rig.workers.clear()
        for _ in range(many):
            self.rig.start_worker()

    # Waiting

    def wait_for(self, reached: Callable[[], bool], what: str) -> None:
        left = self.size.minutes * 60 - (time.monotonic() - self.began)
        until(reached, max(left, 1), what, self._meanwhile)

    def open(self, within: float = math.inf) -> dict[str, int]:
        """What is still to come, by name; of what waits, only what may go on within so many seconds."""
        found = dict(self.rig.rows(_OPEN, {"within": min(within, 1e6)}))
        found["at the sandbox"] = self.rig.sandbox.health()["pending"]
        if within < math.inf:
            found.pop("campaigns", None)
        return {name: many for name, many in found.items() if many}

    def _settle(self, within: float = math.inf) -> None:
        """Until every message has come to its end and every uncertain one was looked up as often as it will be.

        Raises NotReached when nothing has moved for a while."""
        left, since = self.open(within), time.monotonic()
        while left:
            if time.monotonic() - since > self.size.patience:
                raise NotReached(f"nothing has moved for {self.size.patience:.0f} s; still to come: {left}")
            self._meanwhile()
            time.sleep(0.2)
            before, left = left, self.open(within)
            if left != before:
                since = time.monotonic()

    def unmet(self) -> list[str]:
        """Faults of providers that no request has met."""
        hits: Counter[str] = Counter()
        for rule in self.rig.sandbox.faults():
            if rule["action"] != "list_lag":
                hits[f"{rule['where']} {rule['action']}"] += rule["hits"]
        return [name for name, many in hits.items() if not many]

    def accepted(self) -> int:
        health = self.rig.sandbox.health()
        return health["messages"] + health["mail"] - self._earlier

    def _any_worker(self) -> Process:
        self.rig.look_after_workers()
        return self.dice.choice(self.rig.workers)

    def _after(self, seconds: float, act: Callable[[], object]) -> None:
        self._later.append((time.monotonic() + seconds, act))

    def _meanwhile(self) -> None:
        now = time.monotonic()
        for each in [each for each in self._later if each[0] <= now]:
            self._later.remove(each)
            each[1]()
        self.rig.look_after_workers()
        if now - self._shown > 30:
            self._shown = now
            self.show()

    def show(self) -> None:
        seconds, accepted = time.monotonic() - self.began, self.accepted()
        kinds = {"kills": "kill", "freezes": "freeze", "restarts": "PostgreSQL", "flushes": "broker flushed"}
        blows = ", ".join(
            f"{sum(many for name, many in self.done.items() if name.startswith(begin))} {kind}"
            for kind, begin in kinds.items()
        )
        print(
            f"{seconds:5.0f} s  {accepted} of {self.size.messages} accepted, {accepted / max(seconds, 1):.0f}/s;"
            f" {blows}; {self.rig.resident() / 2**20:.0f} MB",
            flush=True,
        )

    def say(self, what: str, *, quiet: bool = False) -> None:
        self.done[what] += 1
        if not quiet:
            print(f"{time.monotonic() - self.began:5.0f} s  {what}", flush=True)


_OPEN = """
SELECT 'enrollments', count(*) FROM campaigns_enrollment WHERE state = 'active'
UNION ALL SELECT state, count(*) FROM messaging_message
 WHERE state IN ('claimed', 'sending')
    OR state = 'pending' AND next_at < trackstat.now() + make_interval(secs => %(within)s) GROUP BY state
UNION ALL SELECT 'uncertain ones to look up', count(*)
  FROM messaging_attempt a JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
 WHERE m.state = 'unknown' AND a.outcome = 'unknown' AND a.looked_up < 2
UNION ALL SELECT 'events to apply', count(*) FROM messaging_providerevent WHERE applied_at IS NULL
UNION ALL SELECT 'campaigns', count(*) FROM campaigns_campaign WHERE state IN ('enabled', 'sending')
"""
_BY_SMTP = """
SELECT count(*),
       count(*) FILTER (WHERE m.state IN ('pending', 'claimed', 'sending')
                          AND m.next_at < trackstat.now() + interval '60 s')
  FROM messaging_message m JOIN messaging_sendingidentity i ON i.id = m.identity_id
 WHERE i.provider = 'smtp'
"""
