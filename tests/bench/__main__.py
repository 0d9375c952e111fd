"""``bin/bench``: how fast it is, as a ratio to the limit measured in the same run. Exit status 1 when one misses it."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from tests.bench.measure import report

# Name → module; `import` is a word of the language.
BENCHES = {name: name for name in ("audience", "materialise", "dispatch", "receipts", "fairness")} | {
    "import": "imports"
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__.split("\n")[0].partition(": ")[2])
    parser.add_argument("bench", choices=BENCHES)
    parser.add_argument("--mb", type=int, metavar="N", help="import: size of the export, for a quick try")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in this file, too")
    given = parser.parse_args()
    if given.mb and given.bench != "import":
        parser.error("--mb is for import alone")
    module = import_module(f"tests.bench.{BENCHES[given.bench]}")
    return report(module.main(given.mb) if given.mb else module.main(), given.json)


if __name__ == "__main__":
    sys.exit(main())
