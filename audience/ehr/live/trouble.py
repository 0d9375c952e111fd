"""What can come between us and an EHR, and how long to wait for it. Words are for the practice's staff."""

import time
from collections.abc import Callable


class Later(Exception):
    """Not now. `in_order`: the EHR said so; otherwise something does not work, and at some time it is given up."""

    def __init__(self, seconds: float, words: str, *, in_order: bool = False):
        self.seconds, self.words, self.in_order = seconds, words, in_order
        super().__init__(words)


class Refused(Exception):
    """It will not work until somebody changes something."""


class Gone(Refused):
    """The server does not know the export any more: it has to be asked for anew."""


class Expired(Refused):
    """A link of the export has expired: its status names new ones."""


class Patience:
    """How many seconds one call may spend waiting in all; what takes longer is for later."""

    def __init__(self, seconds: float, said: Callable[[str], None] = lambda words: None):
        self._left = seconds
        self._said = said

    def wait(self, seconds: float, words: str, *, in_order: bool = False) -> None:
        """Sleeps, or raises Later."""
        if seconds > self._left:
            raise Later(seconds, words, in_order=in_order)
        self._left -= seconds
        self._said(words)
        time.sleep(seconds)
