"""PostgreSQL and Valkey together, and who is using them."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from .home import CHECKOUT, Home, chosen_home
from .postgres import Postgres
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
            was_running = self.postgres.running() or self.valkey.running()
            found = self._start()
            if not was_running:
                self.home.remember(keep=False)
            if not self.home.recall().get("keep"):
                self._watch()
        return found

    def release(self) -> None:
        """Gives up what ``hold`` took, and comes back when the servers are down, unless others go on with them."""
        if not self._in_use:
            return
        self._in_use.close()
        self._in_use = None
        give_up = time.monotonic() + 0.5
        while self.postgres.running() or self.valkey.running():
            if self.home.recall().get("keep"):
                return
            with self.home.path.joinpath("in-use.lock").open("a") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > give_up and self._others():
                        return
                else:
                    self.stop()
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

    def _start(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self._ours("DATABASE_URL", self.postgres.urls):
            self.postgres.start()
            found |= self.postgres.urls()
        if self._ours("REDIS_URL", lambda: {"REDIS_URL": self.valkey.url()}):
            self.valkey.start()
            found |= {"REDIS_URL": self.valkey.url()}
        return found

    def _others(self) -> bool:
        """Whether someone other than the watcher holds the lock: only they can share it."""
        with self.home.path.joinpath("in-use.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def _ours(self, name: str, urls) -> bool:
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


def watch(home: Path) -> None:
    """Waits until nobody uses the servers of this folder, then stops them."""
    services = Services(home)
    with services.home.path.joinpath("in-use.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not services.home.recall().get("keep"):
            services.stop()
