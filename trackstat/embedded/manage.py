"""``bin/manage …``: manage.py with the servers up for as long as it runs."""

import signal
import subprocess
import sys

from .home import CHECKOUT
from .process import CannotStart
from .stack import Services
from .surroundings import surroundings


def main() -> int:
    services = Services()
    try:
        environment = surroundings(services.home, services.hold())
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    # The terminal sends Ctrl-C to manage.py as well, which decides what it means; we only wait for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = [sys.executable, str(CHECKOUT / "manage.py"), *sys.argv[1:]]
        child = subprocess.Popen(
            command, env=environment, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        )
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        status = child.wait()
    finally:
        services.release()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
