"""Starting, recognising and ending the server processes."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

ACCOUNT = "trackstat"


class CannotStart(RuntimeError):
    """A server did not come up; the message says where its log is."""


def account() -> pwd.struct_passwd:
    """The account PostgreSQL runs under when we are root, which it refuses to run as; made when it is missing."""
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if useradd:
        command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/var/lib/trackstat"]
        subprocess.run([*command, "--shell", "/usr/sbin/nologin", ACCOUNT], check=False, capture_output=True)
    for name in (ACCOUNT, "postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotStart("PostgreSQL does not run as root, and there is no other account to run it under.")


def spawn(
    command: Sequence[str | Path], log: Path, env: Mapping[str, str], owner: pwd.struct_passwd | None
) -> subprocess.Popen[bytes]:
    """Starts a server in a session of its own, so that a Ctrl-C in the terminal does not reach it."""
    identity: dict[str, object] = {}
    if owner:
        identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    with log.open("ab") as out:
        return subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            cwd="/", env=dict(env), start_new_session=True, **identity,  # type: ignore[call-overload]
        )  # fmt: skip


def find(pid: int | None, name: str, folder: Path) -> psutil.Process | None:
    """The running process of this number, if it is the server that works in this folder and not a later namesake."""
    if not pid:
        return None
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or process.name() != name:
            return None
        return process if Path(process.cwd()) == folder else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def end(process: psutil.Process, *signals: tuple[signal.Signals, float]) -> None:
    """Sends each signal in turn and waits its seconds; at last SIGKILL."""
    for number, seconds in (*signals, (signal.SIGKILL, 5.0)):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if gone(process):
                return
            time.sleep(0.02)


def gone(process: psutil.Process) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
