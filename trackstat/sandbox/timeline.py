"""What happens later: one heap for all messages, so that 100,000 pending statuses are not 100,000 tasks."""

import asyncio
import heapq
import logging
from collections.abc import Callable
from itertools import count

log = logging.getLogger(__name__)

# Acts run in one go before requests get their turn again.
_TURN = 100


class Timeline:
    def __init__(self):
        self._heap: list[tuple[float, int, Callable, tuple]] = []
        self._order = count()
        self._earlier = asyncio.Event()

    def after(self, seconds: float, act: Callable, *args) -> None:
        due = asyncio.get_running_loop().time() + max(0.0, seconds)
        heapq.heappush(self._heap, (due, next(self._order), act, args))
        if self._heap[0][0] == due:
            self._earlier.set()

    @property
    def pending(self) -> int:
        return len(self._heap)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._earlier.clear()
            for _ in range(_TURN):
                if not self._heap or self._heap[0][0] > loop.time():
                    break
                _, _, act, args = heapq.heappop(self._heap)
                try:
                    act(*args)
                except Exception:
                    log.exception("a planned step failed")
            wait = max(0.0, self._heap[0][0] - loop.time()) if self._heap else None
            if wait == 0.0:
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._earlier.wait()
            except TimeoutError:
                pass
