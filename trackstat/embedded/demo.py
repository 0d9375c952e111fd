"""``bin/demo``: the whole product on one machine. ``bin/demo --check``: the main job, in a folder thrown away after."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .home import CHECKOUT, Home, chosen_home
from .process import CannotStart
from .stack import Services
from .supervise import MARK, Stopped, Supervisor
from .surroundings import choose_ports, surroundings, without_keys

CHECK_SECONDS = 170
GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "SANDBOX_DATABASE_URL", "REDIS_URL")


class Failed(RuntimeError):
    """A step of the start did not work; the message says which and where to read more."""


def main() -> int:
    given = arguments()
    try:
        return check(given.ehr) if given.check else demo(reset=given.reset)
    except (CannotStart, Failed, TimeoutError) as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/demo", description="TrackStat on this machine, with two made-up practices."
    )
    parser.add_argument("--reset", action="store_true", help="remove the demo's data and start over")
    parser.add_argument(
        "--check", action="store_true", help="send a text and an email blast in a throw-away copy, and say OK"
    )
    parser.add_argument(
        "--ehr", type=Path, metavar="FOLDER", help="with --check: FHIR R4 NDJSON files to import instead"
    )
    given = parser.parse_args()
    if given.ehr and not given.check:
        parser.error("--ehr belongs to --check; bin/manage ehr_import brings a folder into the demo")
    if given.ehr and not given.ehr.is_dir():
        parser.error(f"{given.ehr} is not a folder")
    if given.reset and given.check:
        parser.error("--check starts over by itself")
    return given


def demo(*, reset: bool) -> int:
    home = Home(chosen_home())
    with home.only_demo() as alone:
        if not alone:
            port = home.recall().get("web_port")
            raise Failed(
                f"The demo of this folder is running already, at http://127.0.0.1:{port}/ (Ctrl-C there ends it)."
            )
        if reset:
            if os.environ.get("DATABASE_URL"):
                raise Failed(
                    "--reset removes the demo's own database; DATABASE_URL names yours. Empty that one yourself."
                )
            say("Removing the demo's data.")
            Services(home.path).reset()
            home.make()
        services = Services(home.path)
        try:
            with running(services) as (supervisor, environment):
                prepare(supervisor, environment, "Filling two practices", "seed_demo")
                prepare(supervisor, environment, "Introducing them to the sandbox", "sandbox_register")
                prepare(supervisor, environment, "Setting the sandbox's clock", "sandbox_clock", "--awake")
                serve(supervisor, environment)
                signs = output_of("demo_sign_ins", environment)
                say(
                    f"\nTrackStat      {environment['PUBLIC_URL']}/\n"
                    f"Sandbox        {environment['SANDBOX_URL']}/   (phones and mailboxes of the patients)\n\n"
                    f"{signs.strip()}\n\nLogs are in {home.log}. Ctrl-C ends everything.\n"
                )
                supervisor.run()
        except Stopped:
            say("Ended.")
        return 0


def check(ehr: Path | None) -> int:
    """The servers that the environment names are not used: this must not write into real data."""
    for name in GIVEN:
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="trackstat-check-"))
    services = Services(folder)
    services.home.make()
    services.home.remember(throwaway=True)
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(CHECK_SECONDS)
    try:
        with running(services, quiet=True) as (supervisor, environment):
            serve(supervisor, environment)
            more = ["--ehr", str(ehr.resolve())] if ehr else []
            return run_command(supervisor, ["demo_check", *more], environment, None)
    except Stopped:
        return 130
    except (Failed, TimeoutError):
        show_logs(services.home.log)
        raise
    finally:
        for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        services.reset()
        shutil.rmtree(folder, ignore_errors=True)


def too_long(*_: object) -> None:
    raise TimeoutError(f"The check did not finish within {CHECK_SECONDS} s.")


@contextmanager
def running(services: Services, *, quiet: bool = False) -> Iterator[tuple[Supervisor, dict[str, str]]]:
    """Database, broker and sandbox up, and the tables made; all of it down again at the end."""
    began = time.monotonic()
    with Supervisor(services.home.path, services.home.log, say) as supervisor:
        try:
            servers = services.hold()
            if not quiet:
                say(f"Database and broker are up ({time.monotonic() - began:.1f} s).")
            for moved in [*services.moved, *choose_ports(services.home)]:
                if not quiet:
                    say(moved)
            environment = surroundings(services.home, servers, demo=True)
            assets()
            prepare(supervisor, environment, None if quiet else "Making the tables", "migrate", "--verbosity=0")
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
    supervisor.wait_for("sandbox", lambda: answers(f"{environment['SANDBOX_URL']}/sandbox/health"), 30)


def serve(supervisor: Supervisor, environment: Mapping[str, str]) -> None:
    python, own = sys.executable, without_keys(environment)
    port = environment["PUBLIC_URL"].rpartition(":")[2]
    run = Path(environment["TRACKSTAT_HOME"]) / "run"
    run.mkdir(exist_ok=True)
    gunicorn = [
        python,
        "-m",
        "gunicorn",
        "trackstat.wsgi:application",
        "--no-control-socket",
        "--graceful-timeout",
        "5",
    ]
    threads = ["--worker-class", "gthread", "--workers", "2", "--threads", "8"]
    supervisor.start("web", [*gunicorn, *threads, "--bind", f"127.0.0.1:{port}"], own)
    celery = [python, "-m", "celery", "--app", "trackstat.celery:app"]
    supervisor.start(
        "worker",
        [*celery, "worker", "--concurrency", "3", "--without-gossip", "--without-mingle", "--loglevel", "INFO"],
        own,
    )
    supervisor.start("beat", [*celery, "beat", "--schedule", str(run / "beat-schedule"), "--pidfile="], own)
    supervisor.wait_for("web", lambda: answers(f"{environment['PUBLIC_URL']}/healthz"), 60)


def assets() -> None:
    done = subprocess.run([sys.executable, str(CHECKOUT / "bin" / "lib" / "assets")], cwd=CHECKOUT)
    if done.returncode:
        raise Failed("The browser assets could not be made (see above).")


def prepare(supervisor: Supervisor, environment: Mapping[str, str], words: str | None, *command: str) -> None:
    """Runs one manage.py command with its output in a log file."""
    began = time.monotonic()
    log = supervisor.log_of("prepare")
    with log.open("ab") as file:
        status = run_command(supervisor, list(command), environment, file)
    if status:
        raise Failed(f"manage.py {' '.join(command)} failed:\n{tail(log)}")
    if words:
        say(f"{words} ({time.monotonic() - began:.1f} s).")


def run_command(
    supervisor: Supervisor, command: list[str], environment: Mapping[str, str], out: IO[bytes] | None
) -> int:
    """In a process group of its own, so that a Ctrl-C reaches us first and it can be ended with all it started."""
    child = subprocess.Popen(
        [sys.executable, str(CHECKOUT / "manage.py"), *command], cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=out,
        stderr=out, env={**environment, MARK: str(supervisor.home)}, start_new_session=True,
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


def output_of(command: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "manage.py"), command],
        env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"manage.py {command} failed:\n{done.stderr}")
    return done.stdout


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def show_logs(folder: Path) -> None:
    """The throw-away folder takes its logs with it, so what they end on is shown."""
    for log in sorted(folder.glob("*.log")):
        if text := tail(log, 12):
            print(f"--- {log.name}\n{text}", file=sys.stderr)


def say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
