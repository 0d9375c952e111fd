"""PostgreSQL and Valkey together, and who is using them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from . import postgres, valkey
from .home import CHECKOUT, Home, chosen_home
from .postgres import Postgres
from .supervise import end_left_over
from .valkey import Valkey


class Services:
    """The servers of one data folder. Those for tests are apart from the demo's, and forget everything in a crash.

    What the environment names already (DATABASE_URL, REDIS_URL) is left alone and not started.
    """

    def __init__(self, home: Path | None = None, *, tests: bool = False) -> None:
        base = home or chosen_home()
        self.home = Home(base / "tests" if tests else base)
        self.postgres = Postgres(self.home, tests=tests)
        self.valkey = Valkey(self.home, tests=tests)
        self._in_use: IO[str] | None = None

    def start(self) -> dict[str, str]:
        """Starts what is not running and answers with the variables to set. They run on until ``stop``."""
        with self.home.locked():
            found = self._start()
            self.home.remember(keep=True)
        return found

    def hold(self) -> dict[str, str]:
        """Like ``start``, but they end when the last process that holds them does, killed or not."""
        self._in_use = self.home.use()
        with self.home.locked():
            if not (self.postgres.running() or self.valkey.running()):
                self.home.remember(keep=False)
            self._watch()
            return self._start()

    def release(self) -> None:
        """Gives up what ``hold`` took, and comes back when the servers are down, unless others go on with them."""
        if not self._in_use:
            return
        self._in_use.close()
        self._in_use = None
        while not self.home.recall().get("keep") and (self.postgres.running() or self.valkey.running()):
            with self.home.only_user() as alone:
                if alone:
                    self.stop()
                elif self.home.is_shared():
                    return
            time.sleep(0.05)

    def stop(self) -> None:
        with self.home.locked():
            self.valkey.stop()
            self.postgres.stop()
            self.home.remember(keep=False)

    def reset(self) -> None:
        """Ends the servers and removes all of their data."""
        with self.home.locked():
            self.valkey.remove()
            self.postgres.remove()
            self.home.clear()

    def status(self) -> dict[str, str]:
        found = {"home": str(self.home.path)}
        for name, server in (("postgres", self.postgres), ("valkey", self.valkey)):
            running = server.running()
            port = self.home.recall().get(f"{name}_port")
            found[name] = f"running, port {port}, pid {running.pid}" if running else "stopped"
        return found

    @property
    def moved(self) -> list[str]:
        """What to say about servers that are not on their usual port."""
        state = self.home.recall()
        usual = {"postgres": postgres.USUAL_PORT, "valkey": valkey.USUAL_PORT}
        ports = {name: (state.get(f"{name}_port"), port) for name, port in usual.items()}
        return [
            f"{name} uses port {now}, since {port} was taken."
            for name, (now, port) in ports.items()
            if now not in {None, port}
        ]

    def _start(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self._ours("DATABASE_URL", self.postgres.urls):
            self.postgres.start()
            found |= self.postgres.urls()
        if self._ours("REDIS_URL", lambda: {"REDIS_URL": self.valkey.url()}):
            self.valkey.start()
            found |= {"REDIS_URL": self.valkey.url()}
        return found

    def _ours(self, name: str, urls: Callable[[], dict[str, str]]) -> bool:
        given = os.environ.get(name)
        if not given:
            return True
        try:
            return given == urls()[name]
        except KeyError:
            return False

    def _watch(self) -> None:
        """A process that outlives a kill of this one, and stops the servers then."""
        command = [sys.executable, "-m", "trackstat.embedded", "watch", str(self.home.path)]
        with (self.home.log / "watch.log").open("ab") as log:
            subprocess.Popen(
                command, cwd=CHECKOUT, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )


def watch(path: Path) -> None:
    """Waits until nobody uses the servers of this folder, then ends them and the processes that worked with them."""
    home = Home(path)
    with home.only_watcher() as alone:
        if not alone:
            return
        with home.only_user(wait=True):
            end_left_over(home.path)
            state = home.recall()
            if state and not state.get("keep"):
                services = Services(path)
                services.stop()
                if state.get("throwaway"):
                    services.reset()
