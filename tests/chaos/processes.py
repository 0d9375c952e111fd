"""The product's own processes, on the test's database, to be killed."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

CHECKOUT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    """Of a process that works on this test's database as the restricted role, with a broker nobody else listens to."""
    at = connection.settings_dict
    role = f"{quote(at['USER'])}:{quote(at['PASSWORD'])}@{at['HOST']}:{at['PORT']}"
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_OWNER_URL", "DEBUG"}}
    return kept | {
        "DATABASE_URL": f"postgresql://{role}/{quote(at['NAME'])}",
        "REDIS_URL": own_broker(),
        "SECRET_KEY": settings.SECRET_KEY,
        "PYTHONUNBUFFERED": "1",
        "LOG_LEVEL": "WARNING",
        **more,
    }


def own_broker() -> str:
    """The last databases of the tests' Valkey, one for each of pytest's workers."""
    number = int("".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", "0"))) or 0)
    parts = urlsplit(settings.REDIS_URL)
    return urlunsplit(parts._replace(path=f"/{15 - number % 8}"))


def die_with_the_test() -> None:
    """A test that is killed itself leaves nobody behind who goes on sending."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


class Process:
    """A process group of its own."""

    def __init__(self, arguments: list[str], env: Mapping[str, str], log: Path):
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=CHECKOUT,
            env=dict(env),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_the_test,
        )

    def kill(self) -> None:
        """The whole group at once, as when the machine loses power."""
        self._signal(signal.SIGKILL)

    def ask_to_end(self) -> None:
        """As a deployment does."""
        if self.is_alive:
            self._process.terminate()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        # The group can outlive its first process; only while that one is not waited for is the number surely ours.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
        if number == signal.SIGKILL:
            self._process.wait(10)
            self._log.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None


def worker(env: Mapping[str, str], log: Path, name: str, processes: int = 1) -> Process:
    options = ["--loglevel=WARNING", f"--concurrency={processes}", f"--hostname={name}@chaos", "--without-gossip"]
    return Process(["celery", "-A", "trackstat.celery", "worker", *options, "--without-mingle"], env, log)


def beat(env: Mapping[str, str], folder: Path) -> Process:
    options = ["--loglevel=WARNING", f"--schedule={folder / 'beat'}", f"--pidfile={folder / 'beat.pid'}"]
    return Process(["celery", "-A", "trackstat.celery", "beat", *options], env, folder / "beat.log")
