"""The sandbox's time: real time plus an offset, so that its dates agree with a product whose clock was moved."""

import time
from datetime import UTC, datetime


class Clock:
    def __init__(self, offset_seconds: float = 0):
        self.offset_seconds = offset_seconds

    def now(self) -> datetime:
        """Sandbox time as an aware UTC datetime."""
        return datetime.fromtimestamp(time.time() + self.offset_seconds, UTC)
