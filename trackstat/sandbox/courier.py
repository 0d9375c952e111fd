"""Posts callbacks and webhooks: in order per message, retried as the service promises, with faults on the way."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import aiohttp
from yarl import URL

from trackstat.sandbox.faults import Faults, Rule
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.pace import Pace
from trackstat.sandbox.timeline import Timeline

_CARRIERS = 32


@dataclass(frozen=True)
class Letter:
    """`kind` is also its ledger kind and the place of its faults; letters of one `key` go one after the other."""

    kind: str
    key: str
    url: str
    body: bytes
    headers: dict[str, str]
    facts: dict
    subject: dict[str, str]
    # Seconds to wait before each further attempt; which failures are worth one: an HTTP status, or 0 for no connection.
    retries: tuple[float, ...] = ()
    retry_on: Callable[[int], bool] = field(default=lambda status: status == 0)
    timeout: float = 15.0
    attempt: int = 1


class Courier:
    def __init__(self, faults: Faults, ledger: Ledger, timeline: Timeline, pace: Pace):
        self._faults, self._ledger, self._timeline, self._pace = faults, ledger, timeline, pace
        self._bags: dict[str, deque[Letter]] = {}
        self._ready: asyncio.Queue[str] = asyncio.Queue()

    @property
    def pending(self) -> int:
        return sum(map(len, self._bags.values()))

    def post(self, letter: Letter) -> None:
        fault = self._faults.pick(letter.kind, **letter.subject)
        if fault is None:
            self._bag(letter)
            return
        self._ledger.append("fault", where=letter.kind, action=fault.action, subject=letter.key)
        if fault.action == "drop":
            self._ledger.append(letter.kind, **letter.facts, url=letter.url, attempt=0, answer=None, error="dropped")
        elif fault.action == "double":
            self._bag(letter)
            self._bag(letter)
        else:
            self.post_later(letter, fault)

    def post_later(self, letter: Letter, fault: Rule) -> None:
        """After its seconds (delay), or after some part of them (shuffle)."""
        late = fault.seconds * (random.random() if fault.action == "shuffle" else 1)
        # A key of its own: it may overtake and be overtaken.
        self._timeline.after(late, self._bag, replace(letter, key=f"{letter.key} late {random.random()}"))

    def _bag(self, letter: Letter) -> None:
        bag = self._bags.get(letter.key)
        if bag is None:
            self._bags[letter.key] = deque([letter])
            self._ready.put_nowait(letter.key)
        else:
            bag.append(letter)

    async def run(self) -> None:
        connector = aiohttp.TCPConnector(limit=_CARRIERS, keepalive_timeout=5)
        async with (
            aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
            ) as session,
            asyncio.TaskGroup() as carriers,
        ):
            for _ in range(_CARRIERS):
                carriers.create_task(self._carry(session))

    async def _carry(self, session: aiohttp.ClientSession) -> None:
        while True:
            key = await self._ready.get()
            bag = self._bags[key]
            while bag:
                await self._deliver(session, bag[0])
                bag.popleft()
            del self._bags[key]

    async def _deliver(self, session: aiohttp.ClientSession, letter: Letter) -> None:
        status, error, _ = await send(session, letter.url, letter.body, letter.headers, letter.timeout)
        self._ledger.append(
            letter.kind, **letter.facts, url=letter.url, attempt=letter.attempt, answer=status or None, error=error
        )
        if letter.attempt <= len(letter.retries) and letter.retry_on(status):
            wait = letter.retries[letter.attempt - 1] * self._pace.retry
            self._timeline.after(wait, self._bag, replace(letter, attempt=letter.attempt + 1))


async def send(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str], timeout: float = 15.0
) -> tuple[int, str | None, tuple[str, bytes]]:
    """POST once. Returns (HTTP status or 0, what was wrong or None, (content type, first 64 KiB of the answer))."""
    try:
        async with session.post(
            # Already encoded: it must leave exactly as it was signed.
            URL(url, encoded=True),
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as answer:
            content = await answer.content.read(65536)
            return answer.status, None, (answer.content_type, content)
    except TimeoutError:
        return 0, "timeout", ("", b"")
    except (aiohttp.ClientError, OSError, ValueError) as wrong:
        return 0, type(wrong).__name__, ("", b"")
