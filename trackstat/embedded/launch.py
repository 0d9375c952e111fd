"""Brings up what the demo consists of: servers, tables, sandbox, web, worker and beat."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .home import CHECKOUT
from .stack import Services
from .supervise import MARK, Supervisor
from .surroundings import choose_ports, surroundings, without_keys


class Failed(RuntimeError):
    """A step of the start did not work; the message says which and where to read more."""


@contextmanager
def running(services: Services, *, quiet: bool = False) -> Iterator[tuple[Supervisor, dict[str, str]]]:
    """Database, broker and sandbox up; all of it down again at the end."""
    began = time.monotonic()
    with Supervisor(services.home.path, services.home.log, warn if quiet else say) as supervisor:
        try:
            servers = services.hold()
            if not quiet:
                say(f"Database and broker are up ({time.monotonic() - began:.1f} s).")
            for moved in [*services.moved, *choose_ports(services.home)]:
                if not quiet:
                    say(moved)
            environment = surroundings(services.home, servers, demo=True)
            assets()
            sandbox(supervisor, environment)
            yield supervisor, environment
        finally:
            # The children first: they would only complain about a database that goes away under them.
            supervisor.close()
            services.release()


def sandbox(supervisor: Supervisor, environment: Mapping[str, str]) -> None:
    port, smtp = environment["SANDBOX_URL"].rpartition(":")[2], environment["EMAIL_PORT"]
    folder = Path(environment["TRACKSTAT_HOME"]) / "sandbox"
    command = [sys.executable, "-m", "trackstat.sandbox", "--host", "127.0.0.1", "--port", port, "--smtp-port", smtp]
    own = {name: value for name, value in environment.items() if name not in {"DATABASE_URL", "DATABASE_OWNER_URL"}}
    supervisor.start("sandbox", [*command, "--data", str(folder)], own)


def wait_for_sandbox(supervisor: Supervisor, environment: Mapping[str, str]) -> None:
    supervisor.wait_for("sandbox", lambda: answers(f"{environment['SANDBOX_URL']}/sandbox/health"), 30)


def web(supervisor: Supervisor, environment: Mapping[str, str]) -> None:
    port = environment["PUBLIC_URL"].rpartition(":")[2]
    gunicorn = [sys.executable, "-m", "gunicorn", "trackstat.wsgi:application", "--bind", f"127.0.0.1:{port}"]
    threads = ["--worker-class", "gthread", "--threads", "16", "--graceful-timeout", "5", "--no-control-socket"]
    supervisor.start("web", [*gunicorn, *threads], without_keys(environment))


def wait_for_web(supervisor: Supervisor, environment: Mapping[str, str]) -> None:
    supervisor.wait_for("web", lambda: answers(f"{environment['PUBLIC_URL']}/"), 60)


def work(supervisor: Supervisor, environment: Mapping[str, str]) -> None:
    celery = [sys.executable, "-m", "celery", "--app", "trackstat.celery:app"]
    lone = ["--concurrency", "3", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    supervisor.start("worker", [*celery, "worker", *lone], without_keys(environment))
    run = Path(environment["TRACKSTAT_HOME"]) / "run"
    run.mkdir(exist_ok=True)
    schedule = ["--schedule", str(run / "beat-schedule"), "--pidfile="]
    supervisor.start("beat", [*celery, "beat", *schedule], without_keys(environment))


def assets() -> None:
    done = subprocess.run([sys.executable, str(CHECKOUT / "bin" / "lib" / "assets")], cwd=CHECKOUT)
    if done.returncode:
        raise Failed("The browser assets could not be made (see above).")


def prepare(
    supervisor: Supervisor, environment: Mapping[str, str], *commands: str, quiet: bool = False
) -> dict[str, str]:
    """Runs manage.py commands, shows what each says last, and answers with all that they said."""
    log = supervisor.log_of("prepare")
    result = Path(environment["TRACKSTAT_HOME"]) / "prepared.json"
    arguments = [sys.executable, "-m", "trackstat.embedded.prepare", str(result), *commands]
    with log.open("ab") as errors:
        status = run(supervisor, arguments, environment, errors if quiet else None, errors)
    if status:
        raise Failed(f"Preparing the data failed:\n{tail(log)}\n\nAll of it is in {log}")
    said = json.loads(result.read_text())
    result.unlink()
    return said


def run(
    supervisor: Supervisor,
    command: list[str],
    environment: Mapping[str, str],
    out: IO[bytes] | None = None,
    errors: IO[bytes] | None = None,
) -> int:
    """In a process group of its own, so that a Ctrl-C reaches us first and it can be ended with all it started."""
    child = subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
        env={**environment, MARK: str(supervisor.home)}, start_new_session=True,
    )  # fmt: skip
    try:
        while child.poll() is None:
            supervisor.look()
            time.sleep(0.05)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return child.returncode


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def say(words: str) -> None:
    print(words, flush=True)


def warn(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
