import os
import signal
import sys
import time

import psutil
import pytest

from tests.embedded.conftest import eventually, python
from trackstat.embedded.home import Home
from trackstat.embedded.supervise import Supervisor, end_left_over, supervised

IGNORES_SIGTERM = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
print("ready", flush=True)
time.sleep(600)
"""

SUPERVISES = """
import os, sys, pathlib
from trackstat.embedded import Services
from trackstat.embedded.home import Home
from trackstat.embedded.supervise import Supervisor
home = Home(pathlib.Path(os.environ["TRACKSTAT_HOME"]))
home.make()
os.environ["DATABASE_URL"] = os.environ["REDIS_URL"] = "elsewhere"
Services(home.path).hold()
with Supervisor(home.path, home.log, print) as supervisor:
    supervisor.start("child", [sys.executable, "-c", sys.argv[1] if len(sys.argv) > 1 else CODE], dict(os.environ))
    print("up", flush=True)
    supervisor.run()
"""


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "data with spaces")
    home.make()
    yield home
    end_left_over(home.path)


def said_ready(home: Home, name: str, times: int) -> bool:
    log = home.log / f"{name}.log"
    return log.exists() and log.read_text().count("ready") >= times


def test_a_crashed_child_is_started_again_later_each_time(home):
    said = []
    with Supervisor(home.path, home.log, said.append) as supervisor:
        supervisor.start("worker", [sys.executable, "-c", "print('ready'); raise SystemExit(3)"], os.environ)
        eventually(lambda: supervisor.look() or said_ready(home, "worker", 2))
        eventually(lambda: supervisor.look() or len(said) == 2)
    assert said[0] == f"worker ended with status 3; it starts again in 1 s. See {home.log / 'worker.log'}"
    assert "starts again in 2 s" in said[1]


def test_a_child_that_ignores_sigterm_is_ended_with_all_it_started(home):
    with Supervisor(home.path, home.log, print, grace=0.3) as supervisor:
        supervisor.start("stubborn", [sys.executable, "-c", IGNORES_SIGTERM], os.environ)
        eventually(lambda: said_ready(home, "stubborn", 2))
        assert len(supervised(home.path)) == 2
        began = time.monotonic()
    assert supervised(home.path) == []
    assert time.monotonic() - began < 5


def test_ctrl_c_ends_the_supervisor_and_its_children(home):
    supervisor = python(home.path, SUPERVISES.replace("CODE", repr("import time; time.sleep(600)")))
    assert supervisor.stdout.readline() == "up\n"
    assert len(supervised(home.path)) == 1
    supervisor.send_signal(signal.SIGINT)
    supervisor.communicate(timeout=20)
    assert supervised(home.path) == []


def test_children_of_a_killed_supervisor_do_not_live_on(home):
    supervisor = python(home.path, SUPERVISES.replace("CODE", repr(IGNORES_SIGTERM)))
    assert supervisor.stdout.readline() == "up\n"
    eventually(lambda: said_ready(home, "child", 2))
    supervisor.send_signal(signal.SIGKILL)
    supervisor.communicate()
    eventually(lambda: supervised(home.path) == [])


def test_the_next_start_ends_what_is_left_over(home):
    orphan = psutil.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env=os.environ | {"TRACKSTAT_SUPERVISED": str(home.path)},
        start_new_session=True,
    )
    try:
        eventually(lambda: supervised(home.path))
        with Supervisor(home.path, home.log, print):
            assert orphan.poll() is not None or orphan.wait(5) is not None
    finally:
        if orphan.poll() is None:
            orphan.kill()
