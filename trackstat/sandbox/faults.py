"""What goes wrong on purpose: rules, and which of them a request or callback meets.

A rule is {"where", "action", "match", …}; the first matching rule of a place acts; `latency` comes on top.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

REQUEST_ACTIONS = {
    "429",
    "500_before",
    "500_after",
    "reset_before",
    "reset_after",
    "stall_before",
    "stall_after",
    "latency",
}
EHR_ACTIONS = {"429", "500_before", "reset_before", "stall_before", "latency"}
CALLBACK_ACTIONS = {"drop", "double", "delay", "shuffle"}
ACTIONS = {
    "sms": REQUEST_ACTIONS,
    "sms.callback": CALLBACK_ACTIONS,
    "sms.inbound": CALLBACK_ACTIONS,
    "sms.list": (REQUEST_ACTIONS - {"500_after", "reset_after"}) | {"list_lag"},
    "email": REQUEST_ACTIONS,
    "email.list": (REQUEST_ACTIONS - {"500_after", "reset_after"}) | {"list_lag"},
    "email.webhook": CALLBACK_ACTIONS,
    "smtp": {"smtp_drop_after_data", "smtp_drop_before_data", "smtp_4xx", "smtp_5xx", "stall_after", "latency"},
    "ehr.token": EHR_ACTIONS,
    "ehr.export": EHR_ACTIONS | {"expired_token"},
    "ehr.status": EHR_ACTIONS | {"expired_token", "gone", "error"},
    "ehr.file": EHR_ACTIONS | {"expired_token", "expired_link", "cut", "cut_silently"},
    "ehr.search": EHR_ACTIONS | {"expired_token"},
}
_MATCH = {"to", "from", "body", "status", "nth", "every", "after", "rate", "seed", "count"}
_TEXTS = {"to", "from", "body", "status"}
_KNOWN = {"where", "action", "match", "seconds", "ms", "retry_after", "status"}


@dataclass
class Rule:
    where: str
    action: str
    match: dict = field(default_factory=dict)
    seconds: float = 1.0
    ms: float = 0.0
    retry_after: int = 1
    status: int = 500
    seen: int = 0
    hits: int = 0

    def __post_init__(self):
        self._patterns = {key: re.compile(self.match[key]) for key in _TEXTS & set(self.match)}
        nth = self.match.get("nth")
        self._nth = None if nth is None else set(nth if isinstance(nth, list) else [nth])
        self._dice = random.Random(self.match.get("seed", 0))

    def meets(self, subject: dict[str, str]) -> bool:
        """Counts what it looked at, so that `nth`, `every`, `after` and `count` mean matching requests."""
        if any(not pattern.search(subject.get(key) or "") for key, pattern in self._patterns.items()):
            return False
        self.seen += 1
        rolled = self._dice.random()
        if self.hits >= self.match.get("count", float("inf")) or self.seen <= self.match.get("after", 0):
            return False
        if self._nth is not None and self.seen not in self._nth:
            return False
        if self.seen % self.match.get("every", 1) or rolled >= self.match.get("rate", 1):
            return False
        self.hits += 1
        return True

    def as_json(self) -> dict:
        kept = ("where", "action", "match", "seconds", "ms", "retry_after", "status", "seen", "hits")
        return {key: getattr(self, key) for key in kept}


class Faults:
    def __init__(self):
        self.rules: list[Rule] = []

    def plan(self, said: list) -> None:
        """Replace all rules. Raises ValueError with a sentence, and then nothing has changed."""
        self.rules = [_rule(each) for each in said]

    def pick(self, where: str, **subject: str) -> Rule | None:
        return next((r for r in self._of(where) if r.action not in ("latency", "list_lag") and r.meets(subject)), None)

    def latency(self, where: str, **subject: str) -> float:
        """Seconds."""
        return sum(r.ms / 1000 for r in self._of(where) if r.action == "latency" and r.meets(subject))

    def list_lag(self, where: str, **subject: str) -> float:
        """Seconds a message stays out of listings after it was accepted."""
        return max((r.seconds for r in self._of(where) if r.action == "list_lag" and r.meets(subject)), default=0.0)

    def _of(self, where: str) -> Iterator[Rule]:
        return (rule for rule in self.rules if rule.where == where)


def _rule(said: dict) -> Rule:
    if not isinstance(said, dict) or not {"where", "action"} <= set(said):
        raise ValueError("a rule is an object with where and action")
    if unknown := set(said) - _KNOWN:
        raise ValueError(f"a rule has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(_KNOWN))}")
    if said["where"] not in ACTIONS:
        raise ValueError(f"where is one of {', '.join(ACTIONS)}, not {said['where']!r}")
    if said["action"] not in ACTIONS[said["where"]]:
        raise ValueError(f"{said['where']} knows {', '.join(sorted(ACTIONS[said['where']]))}, not {said['action']!r}")
    match = said.get("match", {})
    if not isinstance(match, dict) or (unknown := set(match) - _MATCH):
        raise ValueError(f"match is an object with some of {', '.join(sorted(_MATCH))}")
    for key in ("seconds", "ms", "retry_after", "status"):
        if isinstance(said.get(key, 0), bool) or not isinstance(said.get(key, 0), int | float):
            raise ValueError(f"{key} is a number")
    for key in ("every", "after", "rate", "count"):
        if key in match and (isinstance(match[key], bool) or not isinstance(match[key], int | float) or match[key] < 0):
            raise ValueError(f"match.{key} is a number")
    if match.get("every", 1) < 1:
        raise ValueError("match.every is 1 or more")
    try:
        return Rule(**said)
    except (re.error, TypeError) as wrong:
        raise ValueError(f"match cannot be read: {wrong}") from wrong
