"""Keeps a few processes running, and lets none of them outlive their supervisor.

Every child carries the data folder in a variable of its environment. By that mark the watcher (see ``stack``) ends the
children of a supervisor that was killed, and the next start ends whatever is left all the same.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from .home import CHECKOUT

MARK = "TRACKSTAT_SUPERVISED"
GRACE_SECONDS = 10.0
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
LOG_BYTES = 20_000_000


@dataclass
class Child:
    name: str
    command: list[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 1.0
    start_at: float = field(default=0.0)


class Stopped(Exception):
    """A signal asked the supervisor to end."""


class Supervisor:
    """Use as ``with Supervisor(...) as supervisor``: leaving the block ends all children."""

    def __init__(self, home: Path, log: Path, say: Callable[[str], None], *, grace: float = GRACE_SECONDS) -> None:
        self.home = home
        self.log = log
        self.say = say
        self.grace = grace
        self.children: dict[str, Child] = {}
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Supervisor":
        end_left_over(self.home)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._asked)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def close(self) -> None:
        """Ends all children. A second Ctrl-C must not leave anything behind, so until the block is left none counts."""
        for number in (*self._before, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        self.end_all()

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        child = Child(name, command, {**environment, MARK: str(self.home), "TRACKSTAT_PROCESS": name})
        self.children[name] = child
        self._spawn(child)

    def look(self) -> None:
        """Starts again what ended; each time later, up to half a minute, until it has run steadily."""
        for child in self.children.values():
            process = child.process
            if process is None:
                if time.monotonic() >= child.start_at:
                    self._spawn(child)
                continue
            status = process.poll()
            if status is None:
                continue
            self._end_group(child, signal.SIGKILL)
            lived = time.monotonic() - child.started
            child.pause = 1.0 if lived > STEADY_SECONDS else child.pause
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            self.say(f"{child.name} {how}; it starts again in {child.pause:.0f} s. See {self.log_of(child.name)}")
            child.process, child.start_at = None, time.monotonic() + child.pause
            child.pause = min(child.pause * 2, LONGEST_PAUSE)

    def run(self) -> None:
        """Until a signal comes, which raises ``Stopped``."""
        while True:
            self.look()
            time.sleep(0.2)

    def wait_for(self, what: str, ready: Callable[[], bool], seconds: float) -> None:
        """Raises TimeoutError with the name of what did not come up."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.look()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come up within {seconds:.0f} s. See {self.log_of(what)}")
            time.sleep(0.1)

    def end_all(self) -> None:
        """SIGTERM to each child, and SIGKILL to the whole group of whoever is still there after the grace."""
        running = [child for child in self.children.values() if child.process]
        for child in running:
            if child.process and child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + self.grace
        while time.monotonic() < deadline and any(child.process and child.process.poll() is None for child in running):
            time.sleep(0.05)
        for child in running:
            self._end_group(child, signal.SIGKILL)
            if child.process:
                child.process.wait()
            child.process = None
        end_left_over(self.home)

    def log_of(self, name: str) -> Path:
        return self.log / f"{name}.log"

    def _spawn(self, child: Child) -> None:
        path = self.log_of(child.name)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            child.process = subprocess.Popen(
                child.command, cwd=CHECKOUT, env=child.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        child.started = time.monotonic()

    def _end_group(self, child: Child, number: signal.Signals) -> None:
        if child.process:
            try:
                os.killpg(child.process.pid, number)
            except (ProcessLookupError, PermissionError):
                return

    def _asked(self, number: int, _: object) -> None:
        raise Stopped(signal.Signals(number).name)


def end_left_over(home: Path) -> int:
    """Ends what an earlier supervisor of this folder left behind, and answers how many processes that were."""
    left = list(supervised(home))
    for process in left:
        signal_quietly(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(left, timeout=3 if left else 0)
    for process in alive:
        signal_quietly(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=3)
    return len(left)


def supervised(home: Path) -> list[psutil.Process]:
    """Running processes with this folder's mark, other than ourselves."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def signal_quietly(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
