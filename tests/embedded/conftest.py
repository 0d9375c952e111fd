import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trackstat.embedded import Services
from trackstat.embedded.home import CHECKOUT

GIVEN = (
    *("DATABASE_URL", "DATABASE_OWNER_URL", "SANDBOX_DATABASE_URL", "REDIS_URL", "TRACKSTAT_SUPERVISED"),
    *("SECRET_KEY", "PUBLIC_URL", "SANDBOX_URL", "TWILIO_API_URL", "MAILGUN_API_URL", "EMAIL_HOST", "EMAIL_PORT"),
)


@pytest.fixture(autouse=True)
def nothing_is_given(monkeypatch):
    """As on a machine where nobody set anything; the other tests' servers are named in the environment."""
    for name in GIVEN:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path):
    """A data folder whose path has spaces and is longer than a Unix socket's may be."""
    folder = tmp_path / "a practice's data" / ("long " * 20).strip()
    yield folder
    services = Services(folder)
    services.reset()


@pytest.fixture
def services(home):
    return Services(home, tests=False)


def command(home: Path, *words: str) -> subprocess.Popen[str]:
    """``python -m trackstat.embedded …`` for this data folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "trackstat.embedded", *words],
        cwd=CHECKOUT,
        env=os.environ | {"TRACKSTAT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def python(home: Path, code: str) -> subprocess.Popen[str]:
    """A Python process of its own, with TRACKSTAT_HOME set."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=os.environ | {"TRACKSTAT_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
