"""``bin/bench``: how fast it is, as a ratio to the limit measured in the same run. Exit status 1 when one misses it."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from tests.bench.measure import report

BENCHES = ("audience", "materialise", "dispatch", "receipts", "fairness")


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__.split("\n")[0].partition(": ")[2])
    parser.add_argument("bench", choices=BENCHES)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in this file, too")
    given = parser.parse_args()
    return report(import_module(f"tests.bench.{given.bench}").main(), given.json)


if __name__ == "__main__":
    sys.exit(main())
