"""The demo as a newcomer starts it: real processes, a folder of its own, and nothing left of them."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from trackstat.embedded import Services
from trackstat.embedded.home import CHECKOUT
from trackstat.embedded.supervise import MARK, supervised

pytestmark = pytest.mark.xdist_group("demo")

COMMAND = [sys.executable, "-m", "trackstat.embedded.demo"]


def test_the_check_sends_a_blast_of_texts_and_one_of_emails_and_leaves_nothing(tmp_path):
    began = time.monotonic()
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([*COMMAND, "--check"], cwd=CHECKOUT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.strip().splitlines()[-1]
    counted = re.fullmatch(r"OK (\d+) texts (\d+) emails delivered in [\d.]+ s", last)
    assert counted, done.stdout
    assert int(counted[1]) > 0
    assert int(counted[2]) > 0
    assert time.monotonic() - began < 180
    assert list(tmp_path.iterdir()) == []
    assert working_in(tmp_path) == []


def test_the_demo_starts_shows_the_way_in_and_ends_all_of_it(home):
    environment = os.environ | {"TRACKSTAT_HOME": str(home)}
    demo = subprocess.Popen(
        COMMAND, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = []
    for line in demo.stdout:
        said.append(line)
        if "Ctrl-C ends everything" in line:
            break
    shown = "".join(said)
    address = re.search(r"TrackStat +(http://127\.0\.0\.1:\d+/)", shown)
    sandbox = re.search(r"Sandbox +(http://127\.0\.0\.1:\d+/)", shown)
    assert address, shown
    assert sandbox, shown
    for role in ("Administrator", "Manager", "User Plus", "User"):
        assert role in shown
    for page in (address[1], sandbox[1]):
        with urllib.request.urlopen(page, timeout=20) as answer:
            assert answer.status == 200
    assert {process.environ()["TRACKSTAT_PROCESS"] for process in supervised(home)} == {
        "web",
        "worker",
        "beat",
        "sandbox",
    }
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=40)
    assert demo.returncode == 0
    assert supervised(home) == []
    assert Services(home).status() == {"home": str(home), "postgres": "stopped", "valkey": "stopped"}


def working_in(folder: Path) -> list[psutil.Process]:
    """Processes that carry a data folder under this one in their environment, or work in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").startswith(str(folder)) or process.cwd().startswith(str(folder)):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
