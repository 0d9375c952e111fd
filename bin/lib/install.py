"""Makes .venv and installs one requirements file into it, with nothing but the standard library.

uv does the work when there is one, else pip; both refuse a package whose hash is not the one written down. A copy of
the file stays in .venv as the mark of what is installed.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# The larger file holds everything of the smaller one, in the same versions.
HOLDS = {
    "requirements.txt": ["requirements.txt"],
    "requirements-dev.txt": ["requirements-dev.txt", "requirements.txt"],
}


def main(name: str) -> int:
    with (ROOT / name).open() as wanted:
        fcntl.flock(wanted, fcntl.LOCK_EX)
        if works() and mark(name).exists() and mark(name).read_bytes() == (ROOT / name).read_bytes():
            return 0
        began = time.monotonic()
        print(f"Installing {name} into .venv …", flush=True)
        uv = shutil.which("uv")
        if not works():
            make(uv)
        install(uv, name)
        for held in HOLDS[name]:
            shutil.copy(ROOT / held, mark(held))
        print(f"Installed in {time.monotonic() - began:.0f} s.", flush=True)
    return 0


def mark(name: str) -> Path:
    return VENV / f"installed-{name}"


def works() -> bool:
    asked = [PYTHON, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 13))"]
    return PYTHON.exists() and subprocess.run(asked, stdin=subprocess.DEVNULL).returncode == 0


def make(uv: str | None) -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    command = [uv, "venv", "--quiet", "--python", sys.executable, VENV] if uv else [sys.executable, "-m", "venv", VENV]
    if subprocess.run(command, cwd=ROOT).returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit("Python could not make an environment; on Debian and Ubuntu its package is python3.13-venv.")


def install(uv: str | None, name: str) -> None:
    if uv:
        command = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", PYTHON, "--requirements", name]
    else:
        if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode:
            subprocess.run([PYTHON, "-m", "ensurepip"], cwd=ROOT, check=True, capture_output=True)
        command = [PYTHON, "-m", "pip", "install", "-qq", "--require-hashes", "--no-deps", "--requirement", name]
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if subprocess.run([str(part) for part in command], cwd=ROOT, env=clean).returncode:
        sys.exit(f"The packages of {name} could not be installed (see above).")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
