"""``bin/test``: a browser, the browser assets, database and broker, and then pytest on all cores."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from trackstat.embedded import Services
from trackstat.embedded.process import CannotStart
from trackstat.embedded.surroundings import surroundings

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-liberation")


def main() -> int:
    browser = find_browser() or install_browser()
    if subprocess.run([sys.executable, ROOT / "bin" / "lib" / "assets"], cwd=ROOT).returncode:
        return 1
    services = Services(tests=True)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        environment = surroundings(services.home, services.hold(), demo=True)
        # The browser's driver keeps an event loop running in the thread whose tests also use the database.
        environment |= {"BROWSER_PATH": browser, "DJANGO_ALLOW_ASYNC_UNSAFE": "1"}
        return subprocess.run([sys.executable, "-m", "pytest", *arguments()], cwd=ROOT, env=environment).returncode
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        services.release()


def arguments() -> list[str]:
    given = sys.argv[1:]
    if any(word == "--pdb" or word.startswith(("-n", "--numprocesses")) for word in given):
        return given
    return [f"--numprocesses={max(2, os.process_cpu_count() or 2)}", "--dist=loadgroup", *given]


def find_browser() -> str | None:
    given = os.environ.get("BROWSER_PATH")
    return given or next((found for name in BROWSERS if (found := shutil.which(name))), None)


def install_browser() -> str:
    """Raises SystemExit with the one command to type when it cannot be done here."""
    command = f"apt-get install -y --no-install-recommends {' '.join(PACKAGES)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(
            f"The tests drive a browser, and there is none here. Install it once with\n\n  sudo {command}\n\n"
            "or set BROWSER_PATH to a Chromium of your own."
        )
    print("Installing a browser for the tests …", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in ("apt-get update", command):
        done = subprocess.run(words.split(), env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = find_browser()
    if not found:
        sys.exit(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return found


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
