"""``bin/demo``: the whole product on one machine. ``bin/demo --check``: the main job, in a folder thrown away after."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from .home import Home, chosen_home
from .launch import Failed, prepare, run, running, say, tail, wait_for_sandbox, wait_for_web, web, work
from .process import CannotStart
from .stack import Services
from .supervise import Stopped

CHECK_SECONDS = 170
GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "SANDBOX_DATABASE_URL", "REDIS_URL")
MIGRATE = "migrate --verbosity=0"
PREPARE = (MIGRATE, "seed_demo", "sandbox_register", "sandbox_clock --awake", "demo_sign_ins")


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
                known = home.recall().get("prepared")
                if known:
                    # The tables are there already: web loads while the rest is looked after.
                    web(supervisor, environment)
                wait_for_sandbox(supervisor, environment)
                said = prepare(supervisor, environment, *PREPARE)
                if not known:
                    home.remember(prepared=True)
                    web(supervisor, environment)
                wait_for_web(supervisor, environment)
                work(supervisor, environment)
                say(
                    f"\nTrackStat      {environment['PUBLIC_URL']}/\n"
                    f"Sandbox        {environment['SANDBOX_URL']}/   (phones and mailboxes of the patients)\n\n"
                    f"{said['demo_sign_ins'].strip()}\n\nLogs are in {home.log}. Ctrl-C ends everything.\n"
                )
                supervisor.run()
        except Stopped as signal_name:
            say(f"Ended ({signal_name}).")
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
            wait_for_sandbox(supervisor, environment)
            prepare(supervisor, environment, MIGRATE, quiet=True)
            web(supervisor, environment)
            work(supervisor, environment)
            wait_for_web(supervisor, environment)
            more = ["--ehr", str(ehr.resolve())] if ehr else []
            return run(supervisor, [sys.executable, "manage.py", "demo_check", *more], environment)
    except Stopped:
        return 130
    except (Failed, TimeoutError):
        show_logs(services.home.log)
        raise
    finally:
        for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        # The watcher would make the folder again if it were still at work in it.
        with services.home.only_watcher(wait=True):
            services.reset()
            shutil.rmtree(folder, ignore_errors=True)


def too_long(*_: object) -> None:
    raise TimeoutError(f"The check did not finish within {CHECK_SECONDS} s.")


def show_logs(folder: Path) -> None:
    """The throw-away folder takes its logs with it, so what they end on is shown."""
    for log in sorted(folder.glob("*.log")):
        if text := tail(log, 12):
            print(f"--- {log.name}\n{text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
