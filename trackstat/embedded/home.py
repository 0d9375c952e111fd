"""Where a checkout keeps its data, what it remembers between starts, and the locks around both."""

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

CHECKOUT = Path(__file__).resolve().parents[2]


def chosen_home() -> Path:
    """TRACKSTAT_HOME, else ``.local`` in the checkout."""
    given = os.environ.get("TRACKSTAT_HOME")
    return Path(given).expanduser().resolve() if given else CHECKOUT / ".local"


class Home:
    """The data folder, readable by its owner alone: it holds the passwords of the cluster."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def make(self) -> None:
        for folder in (self.path, self.log):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def log(self) -> Path:
        return self.path / "log"

    def clear(self) -> None:
        """Removes our data and nothing else: it may be a folder that a person chose. Others may wait for the locks."""
        for folder in ("log", "run", "sandbox", "drop"):
            shutil.rmtree(self.path / folder, ignore_errors=True)
        (self.path / "state.json").unlink(missing_ok=True)

    def recall(self) -> dict[str, Any]:
        try:
            return json.loads((self.path / "state.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def remember(self, **facts: Any) -> None:
        state = self.recall() | facts
        draft = self.path / "state.json.new"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(state, file, indent=1)
        draft.replace(self.path / "state.json")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time starts or stops things in this folder."""
        self.make()
        with (self.path / "start.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def use(self) -> IO[str]:
        """Says "in use" until the file is closed or the process dies, however it dies."""
        self.make()
        file = (self.path / "in-use.lock").open("a")
        fcntl.flock(file, fcntl.LOCK_SH)
        return file

    @contextmanager
    def only_user(self, *, wait: bool = False) -> Iterator[bool]:
        """Whether nobody else uses the folder; while that holds, whoever comes waits."""
        with (self.path / "in-use.lock").open("a") as file:
            yield taken(file, fcntl.LOCK_EX, wait=wait)

    def is_shared(self) -> bool:
        """Whether it is users that keep ``only_user`` from us, and not somebody who is alone there."""
        with (self.path / "in-use.lock").open("a") as file:
            return taken(file, fcntl.LOCK_SH)

    @contextmanager
    def only_watcher(self, *, wait: bool = False) -> Iterator[bool]:
        with (self.path / "watch.lock").open("a") as file:
            yield taken(file, fcntl.LOCK_EX, wait=wait)

    @contextmanager
    def only_demo(self) -> Iterator[bool]:
        self.make()
        with (self.path / "demo.lock").open("a") as file:
            yield taken(file, fcntl.LOCK_EX)


def taken(file: IO[str], kind: int, *, wait: bool = False) -> bool:
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(*wanted: int | None) -> int:
    """The first of the wanted ports of 127.0.0.1 that nobody listens on, else any free one."""
    for port in wanted:
        if port and is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
