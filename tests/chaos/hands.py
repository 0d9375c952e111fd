"""A hand does one thing of the product's in a process of its own, forked from this one: ready at once, and it can be
killed or frozen at the points like any worker. Bugs are planted in hands, never here."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from tests.chaos import points
from tests.chaos.processes import die_with_the_test
from tests.chaos.rig import NotReached, Rig, until

_FORK = get_context("fork")


class Hand:
    """At work as soon as it is made. `struck_at`: a point and what happens to it there."""

    def __init__(
        self, rig: Rig, plant: str, act: Callable[..., Any], *args: Any, struck_at: tuple[str, str] | None = None
    ):
        self._rig = rig
        rig.hands += 1
        self.folder = rig.folder / f"hand{rig.hands}"
        self.folder.mkdir()
        self._strike = points.Strike(self.folder, *struck_at) if struck_at else None
        # Otherwise both would speak on one connection.
        rig.forget_connections()
        self._process = _FORK.Process(target=self._work, args=(plant, act, args), daemon=True)
        self._process.start()

    def _work(self, plant: str, act: Callable[..., Any], args: tuple) -> None:
        die_with_the_test()
        os.environ[points.FOLDER] = str(self.folder)
        log = os.open(self._rig.folder / "hands.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 2)
        try:
            from tests.chaos import plants

            if plant:
                plants.plant(plant)
            points.install()
            act(*args)
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            raise

    def wait_for_the_strike(self) -> None:
        until(lambda: self._strike.pid or not self._process.is_alive(), 20, f"a hand at {self._strike.point}")
        if not self._strike.pid:
            raise NotReached(f"a hand at {self._strike.point}: it ended before")

    def thaw(self) -> None:
        self._strike.thaw()

    def ends_within(self, seconds: float) -> bool:
        self._process.join(seconds)
        return not self._process.is_alive()

    def wait(self) -> None:
        if not self.ends_within(30):
            self.kill()
            raise NotReached("a hand does not come to its end")
        killed = self._strike is not None and self._strike.what == points.KILL
        if self._process.exitcode != (-signal.SIGKILL if killed else 0):
            raise NotReached(f"a hand ended with {self._process.exitcode}: see {self._rig.folder / 'hands.log'}")

    def kill(self) -> None:
        self._process.kill()
        self._process.join(5)


def serve(port: int) -> None:
    """The web server of a hand."""
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

    from trackstat.wsgi import application

    server = ThreadedWSGIServer(("127.0.0.1", port), WSGIRequestHandler)
    server.set_app(application)
    server.serve_forever()


def sleep_until(moment: float) -> None:
    """`moment` of time.monotonic()."""
    time.sleep(max(0.0, moment - time.monotonic()))
