"""A machine of its own: PostgreSQL, Valkey, sandbox, web, beat and workers in a throw-away folder.

Everything is durable as in production (fsync and synchronous commits are on): a restart must find what was committed.
Nothing outlives the process that made the rig, however it ends: its children die with it, and the watcher of
`trackstat.embedded` ends the servers and whatever else carries the folder's mark.
"""

import datetime as dt
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import psycopg
import redis

from tests.chaos import points
from tests.chaos.launch import THRICE
from tests.chaos.processes import CHECKOUT, Process
from trackstat.embedded import Services
from trackstat.embedded.demo import GIVEN
from trackstat.embedded.supervise import MARK, end_left_over
from trackstat.embedded.surroundings import without_keys
from trackstat.sandbox.client import SandboxClient

# A Tuesday: nobody has quiet hours for the next hours.
NOON = dt.datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("America/New_York"))

# Seconds, so that minutes of a real installation pass in moments. An answer still comes before a look, as in
# production, and two looks are further apart than a worker is ever frozen.
WAITS = {
    "TICK_SECONDS": 1,
    "DISPATCH_LEASE_SECONDS": 3,
    "PROVIDER_CONNECT_TIMEOUT": 1,
    "PROVIDER_READ_TIMEOUT": 2,
    "RECONCILE_SETTLE_SECONDS": 5,
    "RECONCILE_BETWEEN_SECONDS": 4,
    # A strike leaves no more than so many uncertain.
    "DISPATCH_THREADS": 8,
    # It would hold what is broken on purpose.
    "BREAKER_AT_LEAST": 1_000_000,
    "BREAKER_MOST": 1_000_000,
}
FREEZE_SECONDS = WAITS["DISPATCH_LEASE_SECONDS"] + 2


class NotReached(Exception):
    """Something that was waited for did not come; then nothing is proved."""


class Rig:
    """Use as a context manager. `plant`: a bug in every process. `kept`: whether logs and ledger stay at the end."""

    def __init__(self, plant: str = ""):
        self.folder = Path(tempfile.mkdtemp(prefix="trackstat-chaos-"))
        self.plant = plant
        self.points = self.folder / "points"
        self.points.mkdir()
        self.workers: list[Process] = []
        self.beats: list[Process] = []
        self.web: Process | None = None
        self.env: dict[str, str] = {}
        self.kept = False
        self._names = 0
        self._asking: psycopg.Connection | None = None
        # How many there were in this run: their names count up.
        self.hands = self.offices = 0

    def __enter__(self) -> "Rig":
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            self._start()
        except BaseException:
            self.kept = True
            self._end()
            raise
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self.kept = self.kept or kind is not None
        self._end()

    # Processes

    def start_web(self) -> None:
        """Two processes: one of them can be lost. Connections that stay would all be with the one that did not die."""
        many = ["--workers", "2", "--threads", "4", "--worker-class", "gthread", "--keep-alive", "0"]
        options = ["--bind", f"127.0.0.1:{self.web_port}", *many, "--no-control-socket", "--timeout", "60"]
        self.web = self._process(["gunicorn", "trackstat.wsgi:application", *options], "web")
        until(self.web_answers, 60, "the web server")

    def web_answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.web_port), 1).close()
        except OSError:
            return False
        return True

    @property
    def web_port(self) -> int:
        return int(self.env["PUBLIC_URL"].rpartition(":")[2])

    def start_worker(self, processes: int = 2) -> Process:
        self._names += 1
        options = ["--loglevel=WARNING", f"--concurrency={processes}", f"--hostname=w{self._names}@chaos"]
        alone = ["--without-gossip", "--without-mingle"]
        worker = self._process(["celery", "-A", "trackstat.celery", "worker", *options, *alone], "worker")
        self.workers.append(worker)
        return worker

    def start_beat(self) -> Process:
        self._names += 1
        schedule = self.folder / f"beat{self._names}"
        options = ["--loglevel=WARNING", f"--schedule={schedule}", "--pidfile="]
        beat = self._process(["celery", "-A", "trackstat.celery", "beat", *options], "beat")
        self.beats.append(beat)
        return beat

    def look_after_workers(self) -> None:
        """Start anew what was killed, as a supervisor does."""
        for worker in [worker for worker in self.workers if not worker.is_alive]:
            self.workers.remove(worker)
            worker.kill()
            self.start_worker()

    def pool_of(self, worker: Process) -> list[int]:
        """Ids of the processes that run a worker's tasks."""
        with suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(worker.pid).children()]
        return []

    def resident(self) -> int:
        """Bytes that the product's processes hold in memory."""
        total = 0
        for process in [*self.workers, *self.beats, *([self.web] if self.web else [])]:
            with suppress(psutil.NoSuchProcess):
                main = psutil.Process(process.pid)
                for each in (main, *main.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        total += each.memory_info().rss
        return total

    # Strikes

    def strike(
        self, point: str, what: str, seconds: float = 30, meanwhile: Callable[[], Any] | None = None
    ) -> points.Strike:
        """Wait until somebody came past the point and was struck."""
        strike = points.Strike(self.points, point, what)
        try:
            until(lambda: strike.pid, seconds, f"somebody at {point}", meanwhile or self.look_after_workers)
        except NotReached:
            strike.withdraw()
            raise
        return strike

    def thrice(self, wanted: bool) -> None:
        """Whether every task is delivered three times from now on."""
        path = self.points / THRICE
        if wanted:
            path.touch()
        else:
            path.unlink(missing_ok=True)

    def restart_database(self) -> None:
        self.services.postgres.restart_at_once()
        self.forget_connections()

    def flush_broker(self) -> None:
        with redis.Redis.from_url(self.env["REDIS_URL"]) as broker:
            broker.flushall()

    # The database and the clock

    def forget_connections(self) -> None:
        from django.db import connections

        connections.close_all()
        if self._asking is not None:
            self._asking.close()

    def owner(self) -> psycopg.Connection:
        """As the owner of the tables, past row-level security; commits each statement."""
        return psycopg.connect(self.services.postgres.urls()["DATABASE_OWNER_URL"], autocommit=True)

    def rows(self, statement: str, values: Any = None) -> list[tuple]:
        """As the owner, on one connection: signing in costs more than most questions."""
        if self._asking is None or self._asking.closed:
            self._asking = self.owner()
        return self._asking.execute(statement, values).fetchall()

    def set_clock(self, moment: dt.datetime) -> None:
        """Of product and sandbox, going on from there."""
        self._shift = moment - dt.datetime.now(dt.UTC)
        with self.owner() as owner:
            owner.execute("UPDATE trackstat.clock SET shift = %s", [self._shift])
        self.sandbox.set_clock(self._shift.total_seconds())

    def ahead(self, seconds: float) -> None:
        """Let product and sandbox believe that so much time has passed."""
        self.set_clock(dt.datetime.now(dt.UTC) + self._shift + dt.timedelta(seconds=seconds))

    def manage(self, *arguments: str) -> int:
        """Run a command of manage.py; what it says is shown. Its exit code."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=CHECKOUT, env=self.env).returncode

    # Start and end

    def _start(self) -> None:
        for name in GIVEN:
            os.environ.pop(name, None)
        os.environ.pop("DEBUG", None)
        self.services = Services(self.folder / "home")
        self.services.home.make()
        self.services.home.remember(throwaway=True)
        servers = self.services.hold()
        self.sandbox_process = self._sandbox()
        numbers = {name: str(value) for name, value in WAITS.items()}
        os.environ |= {
            **servers,
            **numbers,
            "SECRET_KEY": "chaos-chaos-chaos-chaos-chaos-chaos-chaos-chaos-chaos",
            "PUBLIC_URL": f"http://127.0.0.1:{_free_port()}",
            "SANDBOX_URL": self.sandbox.url,
            "TWILIO_API_URL": self.sandbox.url,
            "MAILGUN_API_URL": f"{self.sandbox.url}/v3",
            "EMAIL_HOST": self.smtp[0],
            "EMAIL_PORT": self.smtp[1],
            "DJANGO_SETTINGS_MODULE": "trackstat.settings",
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
            points.FOLDER: str(self.points),
        }
        self.env = without_keys(os.environ) | {MARK: str(self.services.home.path), "CHAOS_PLANT": self.plant}
        import django
        from django.core.management import call_command

        django.setup()
        # Once here rather than in every hand.
        points.load()
        call_command("migrate", verbosity=0)
        self.set_clock(NOON)

    @property
    def ledger(self) -> Path:
        return self.folder / "sandbox" / "ledger.jsonl"

    def _sandbox(self) -> Process:
        arguments = ["--data", str(self.folder / "sandbox"), "--port", "0", "--smtp-port", "0"]
        mark = {MARK: str(self.services.home.path)}
        log = self.folder / "sandbox.log"
        process = Process(["trackstat.sandbox", *arguments], os.environ | mark, log)
        ready = re.compile(r"sandbox ready http=(\S+) smtp=(\S+):(\d+)\n")
        until(lambda: ready.search(log.read_text()), 30, "the sandbox")
        http, *self.smtp = ready.search(log.read_text()).groups()
        self.sandbox = SandboxClient(f"http://{http}")
        return process

    def _process(self, arguments: list[str], name: str) -> Process:
        return Process(["tests.chaos.launch", *arguments], self.env, self.folder / f"{name}.log")

    def _end(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        started = [*self.workers, *self.beats, self.web, getattr(self, "sandbox_process", None)]
        for process in filter(None, started):
            process.thaw()
            process.kill()
        services = getattr(self, "services", None)
        if services is not None:
            end_left_over(services.home.path)
            with suppress(Exception):
                self.forget_connections()
            if self.kept:
                shutil.copytree(services.home.log, self.folder / "servers", dirs_exist_ok=True)
            services.release()
            # The watcher would make the folder again if it were still at work in it.
            with services.home.only_watcher(wait=True):
                services.reset()
        if self.kept:
            print(f"Logs and ledger are kept in {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)


def until(reached: Callable[[], Any], seconds: float, what: str, meanwhile: Callable[[], Any] | None = None) -> None:
    """Raises NotReached."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise NotReached(f"waited {seconds:.0f} s for {what}")
        if meanwhile:
            meanwhile()
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
