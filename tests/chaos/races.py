"""``bin/chaos races``: two things at the same moment, in both orders, and PostgreSQL's own commit times as the judge.

Opting out, pausing a campaign, putting `not qualified` on and switching a drip off, each against arming: whatever the
order, nothing may be armed by a transaction that committed after the other one. Then twenty presses on one campaign's
toggle at once: one launch. The servers are made for the run in a folder of their own and thrown away.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.chaos.score import Score
from trackstat.embedded import Services
from trackstat.embedded.demo import GIVEN
from trackstat.embedded.launch import assets
from trackstat.embedded.surroundings import choose_ports, surroundings

# Claims last for the whole run.
LEASE_SECONDS = 3600
# Of two orders that hardly ever came one is not tested.
RAREST = 0.1
# Races of each kind that have to find a planted bug.
PROOF = 30


def main(argv: list[str]) -> int:
    given = _arguments(argv)
    with _servers() as folder:
        _prepare()
        # These import the product, which needs its settings.
        from tests.chaos import contests, launches

        with contests.planted(given.plant):
            scores = [_run(contest.name, contests.run, contest, given.races) for contest in contests.CONTESTS]
            scores.append(_run(f"launched by {launches.PRESSES} POSTs", launches.run, given.launches, folder))
        missed = []
        for bug in contests.PLANTS if given.prove else ():
            with contests.planted(bug):
                found = [contests.run(contest, PROOF) for contest in contests.CONTESTS]
            wrong, races = sum(score.wrong for score in found), sum(score.races for score in found)
            print(f"planted {bug}: {wrong} of {races} races wrong", flush=True)
            if not all(score.wrong for score in found):
                missed.append(bug)
    one_sided = [score for score in scores if score.rarest < RAREST]
    if one_sided:
        print(f"One order came in less than {RAREST:.0%} of the races: that proves nothing.")
    if missed:
        print(f"Not found in each kind of race: {', '.join(missed)}")
    wrong = sum(score.wrong for score in scores)
    print(f"{sum(score.races for score in scores)} races {wrong} wrong", flush=True)
    return 1 if wrong or one_sided or missed else 0


def _run(name: str, race: Callable[..., Score], *arguments: Any) -> Score:
    began = time.monotonic()
    score = race(*arguments)
    print(f"{name}: {score} ({time.monotonic() - began:.0f} s)", flush=True)
    for line in score.details:
        print(f"  {line}", flush=True)
    return score


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/chaos races", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--races", type=int, default=1000, help="of each of the four kinds (default 1000)")
    parser.add_argument("--launches", type=int, default=200, help="campaigns switched on twenty times (default 200)")
    parser.add_argument("--plant", choices=["consent_without_lock"], help="a bug, to see it found")
    parser.add_argument("--prove", action="store_true", help="afterwards plant each bug and fail unless it is found")
    return parser.parse_args(argv)


@contextmanager
def _servers() -> Iterator[Path]:
    """PostgreSQL that remembers when each transaction was committed, and Valkey; their addresses in the environment."""
    for name in GIVEN:
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="trackstat-races-"))
    services = Services(folder, tests=True)
    services.home.make()
    services.home.remember(throwaway=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        # For the pages that the web server answers with.
        assets()
        services.hold()
        with services.postgres.connect() as superuser:
            superuser.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        services.postgres.stop()
        services.postgres.start()
        choose_ports(services.home)
        servers = services.postgres.urls() | {"REDIS_URL": services.valkey.url()}
        os.environ |= surroundings(services.home, servers, demo=True) | {
            "DISPATCH_LEASE_SECONDS": str(LEASE_SECONDS),
            "LOG_LEVEL": "WARNING",
        }
        yield folder
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        services.release()
        with services.home.only_watcher(wait=True):
            services.reset()
            shutil.rmtree(folder, ignore_errors=True)


def _prepare() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
