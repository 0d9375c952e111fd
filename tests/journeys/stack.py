"""The whole product for a browser: gunicorn, a Celery worker, beat and the sandbox, on the tests' own database."""

import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError

import redis

from tests.chaos.processes import Process, beat, environment, own_broker, worker
from tests.sandbox.running import RunningSandbox, start_sandbox

# Texts follow each other slowly enough for somebody to press Pause, see `Stack.slowly`.
PACE = {"TICK_SECONDS": "1", "DISPATCH_LEASE_SECONDS": "30", "DISPATCH_CHUNK": "4", "DISPATCH_THREADS": "2"}


class Stack:
    """Ready when made; `close` ends every process and waits for it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.sandbox_server: RunningSandbox = start_sandbox(folder / "sandbox", speed=20)
        self.running: list[Process] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    @property
    def sandbox(self):
        return self.sandbox_server.client

    @property
    def addresses(self) -> dict[str, str]:
        """Settings by which the product's processes and this one find each other."""
        there = self.sandbox_server.url
        return {
            "PUBLIC_URL": self.url,
            "SANDBOX_URL": there,
            "TWILIO_API_URL": there,
            "MAILGUN_API_URL": f"{there}/v3",
        }

    def slowly(self, milliseconds: int) -> None:
        """Each text takes the carrier so long to accept."""
        rules = [{"where": "sms", "action": "latency", "ms": milliseconds}] if milliseconds else []
        self.sandbox.set_faults(rules)

    def close(self) -> None:
        for process in self.running:
            process.kill()
        self.sandbox_server.stop()
        redis.Redis.from_url(own_broker()).flushdb()

    def _start(self) -> None:
        redis.Redis.from_url(own_broker()).flushdb()
        env = environment(**self.addresses, **PACE)
        port = self.url.rpartition(":")[2]
        gunicorn = ["gunicorn", "trackstat.wsgi:application", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
        self.running += [
            Process([*gunicorn, "--worker-class", "gthread", "--threads", "8"], env, self.folder / "web.log"),
            worker(env, self.folder / "worker.log", "journey"),
            beat(env, self.folder),
        ]
        until(self._answers, 120, "the web server to answer")

    def _answers(self) -> bool:
        assert all(process.is_alive for process in self.running), f"a process ended: see {self.folder}"
        try:
            with urllib.request.urlopen(f"{self.url}/accounts/login/", timeout=5) as answer:
                return answer.status == 200
        except HTTPError:
            raise
        except (URLError, OSError):
            return False


def until(reached: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
