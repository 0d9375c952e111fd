"""What was lost, what was doubled, what nobody knows: the ledger of carrier and mail service against our tables."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from audience.models import Channel
from messaging.models import Attempt, Message
from tests.chaos.people import Key, Office, key_of
from trackstat.tenancy.scope import practice_scope

# So many of all may stay uncertain after everything was looked up.
UNKNOWN_SHARE = 0.001

State = Message.State
_FINAL = {
    "delivered": State.DELIVERED,
    "undelivered": State.UNDELIVERED,
    "failed": State.FAILED,
    "failed.permanent": State.UNDELIVERED,
    "rejected": State.FAILED,
}


@dataclass
class Findings:
    messages: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    # What our tables say and the providers' history does not, in sentences.
    differences: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)

    @property
    def fine(self) -> bool:
        few = len(self.unknown) <= UNKNOWN_SHARE * self.messages
        return not (self.lost or self.doubled or self.differences) and few

    def add(self, other: "Findings") -> None:
        self.messages += other.messages
        self.lost += other.lost
        self.doubled += other.doubled
        self.unknown += other.unknown
        self.differences += other.differences
        self.states += other.states

    def show(self) -> None:
        """Nothing, or at most twenty of each kind."""
        for name in ("lost", "doubled", "unknown", "differences"):
            found = getattr(self, name)
            for each in found[:20]:
                print(f"  {name}: {each}")
            if len(found) > 20:
                print(f"  {name}: … and {len(found) - 20} more")


class Ledger:
    """What the providers accepted, refused, and told us, by the words of the message."""

    def __init__(self, path: Path):
        self.accepted: dict[Key, list[str]] = defaultdict(list)
        self.refused: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        # By SID or Message-ID: how it ended, and the ends that we were told and said yes to.
        self.end: dict[str, str] = {}
        self._told: dict[str, set[str]] = defaultdict(set)
        self._mail: dict[str, str] = {}
        with path.open("rb") as lines:
            for line in lines:
                self._read(json.loads(line))

    def _read(self, fact: dict) -> None:
        kind, sid = fact["kind"], fact.get("sid") or fact.get("message_id", "")
        match kind:
            case "sms.accepted":
                self._accept(key_of(Channel.TEXT, fact["body"]), sid)
            case "email.accepted" | "smtp.accepted":
                self._accept(key_of(Channel.EMAIL, fact["subject"]), sid)
                self._mail[fact["id"]] = sid
            case "sms.rejected" | "email.rejected" | "smtp.rejected":
                for to in [fact["to"]] if isinstance(fact["to"], str) else fact["to"] or []:
                    self.refused[to] += 1
            case "sms.status" if fact["status"] in _FINAL:
                self.end[sid] = _FINAL[fact["status"]]
            case "email.event" if fact["event"] in _FINAL:
                self.end[sid] = _FINAL[fact["event"]]
            case "sms.callback" if fact["status"] in _FINAL and _yes(fact):
                self._told[sid].add(_FINAL[fact["status"]])
            case "email.webhook" if fact["event"] in _FINAL and _yes(fact):
                self._told[self._mail[fact["id"]]].add(_FINAL[fact["event"]])
            case "fault":
                self.faults[f"{fact['where']} {fact['action']}"] += 1

    def _accept(self, key: Key | None, sid: str) -> None:
        if key is not None:
            self.accepted[key].append(sid)

    def allowed(self, sid: str) -> set[str]:
        """States that our row may be in: the end, or `sent` where nobody could tell us of it."""
        end = self.end.get(sid)
        if end is None:
            return {State.SENT}
        return {end} if end in self._told[sid] else {end, State.SENT}


def judge(path: Path, offices: Iterable[Office], may_abort: Collection[Key] = ()) -> Findings:
    """`may_abort`: keys for which there was a reason not to send. Everything else has to be at its provider."""
    ledger, found = Ledger(path), Findings()
    for office in offices:
        found.messages += len(office.keys)
        rows = _rows(office)
        for key in sorted(office.keys):
            _judge_one(key, rows.get(key, []), ledger, key in may_abort, found)
    return found


def _judge_one(key: Key, rows: list["_Row"], ledger: Ledger, may_abort: bool, found: Findings) -> None:
    name, sids = f"{key[0]} {key[1]}", ledger.accepted.get(key, [])
    found.states.update(row.state for row in rows)
    if len(sids) > 1:
        found.doubled.append(f"{name}: accepted {len(sids)} times")
    if len(rows) != 1:
        if not sids:
            found.lost.append(f"{name}: {len(rows)} rows")
        elif len(rows) > 1:
            found.differences.append(f"{name}: {len(rows)} rows for one message")
        else:
            found.differences.append(f"{name}: accepted, and no row")
        return
    row = rows[0]
    if row.state == State.UNKNOWN:
        found.unknown.append(f"{name} ({'accepted' if sids else 'never accepted'})")
    elif not sids:
        explained = (row.state == State.ABORTED and row.reason and may_abort) or (
            row.state == State.FAILED and ledger.refused[row.to_address]
        )
        if not explained:
            found.lost.append(f"{name}: {row.state} {row.reason}".rstrip())
    elif len(sids) == 1:
        if row.state not in ledger.allowed(sids[0]):
            found.differences.append(f"{name}: {row.state}, at the provider {ledger.end.get(sids[0], 'accepted')}")
        if row.provider_ids != sids:
            found.differences.append(f"{name}: {row.provider_ids} here, {sids} at the provider")


@dataclass
class _Row:
    state: str
    reason: str
    to_address: str
    provider_ids: list[str]


def _rows(office: Office) -> dict[Key, list[_Row]]:
    accepted: dict[int, list[str]] = defaultdict(list)
    rows: dict[Key, list[_Row]] = defaultdict(list)
    with practice_scope(office.practice):
        for message_id, sid in (
            Attempt.objects.exclude(provider_id=None).order_by("pk").values_list("message_id", "provider_id")
        ):
            accepted[message_id].append(sid)
        columns = ("pk", "channel", "state", "reason", "to_address", "patient__first_name")
        for pk, channel, state, reason, address, name in Message.objects.values_list(*columns):
            rows[channel, name].append(_Row(state, reason, address, accepted[pk]))
    return rows


def _yes(fact: dict) -> bool:
    return fact["answer"] is not None and 200 <= fact["answer"] < 300
