"""`python -m trackstat.sandbox --host 127.0.0.1 --port 8026 --smtp-port 2526 --data FOLDER [--speed N]`"""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from trackstat.sandbox.server import serve


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m trackstat.sandbox", description="A carrier and a mail service to try things on."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8026, help="0 takes a free one")
    parser.add_argument("--smtp-port", type=int, default=2526, help="0 takes a free one")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the ledger; the same folder goes on where it was"
    )
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster statuses follow each other")
    parser.add_argument("--trust-network", action="store_true", help="let other machines control it (containers)")
    said = parser.parse_args()
    if said.speed <= 0:
        parser.error("--speed is greater than 0")
    logging.basicConfig(level=logging.WARNING, format="sandbox: %(levelname)s %(message)s")
    try:
        asyncio.run(
            serve(said.data, said.host, said.port, said.smtp_port, said.speed, trust_network=said.trust_network)
        )
    except BlockingIOError:
        print(f"sandbox: another sandbox is using {said.data}", file=sys.stderr)
        return 1
    except OSError as wrong:
        print(f"sandbox: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
