"""``python -m trackstat.embedded env [--tests]``: start what is missing and print the variables for a shell."""

import argparse
import shlex
import sys
from pathlib import Path

from .process import CannotStart
from .stack import Services, watch


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m trackstat.embedded", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in {
        "env": "start what is not running and print export lines",
        "stop": "end the servers",
        "status": "say what runs where",
        "reset": "end the servers and remove their data",
    }.items():
        command = commands.add_parser(name, help=what)
        command.add_argument("--tests", action="store_true", help="the servers for tests: apart, and without fsync")
    commands.add_parser("watch").add_argument("home", type=Path)
    given = parser.parse_args()
    if given.command == "watch":
        watch(given.home)
        return 0
    services = Services(tests=given.tests)
    try:
        if given.command == "env":
            for name, value in services.start().items():
                print(f"export {name}={shlex.quote(value)}")
        elif given.command == "status":
            for name, value in services.status().items():
                print(f"{name}: {value}")
        elif given.command == "stop":
            services.stop()
        else:
            services.reset()
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
