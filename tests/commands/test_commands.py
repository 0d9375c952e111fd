import os
import signal
import subprocess
import sys

from tests.embedded.conftest import eventually
from trackstat.embedded.home import CHECKOUT, Home

SLEEPS = "import time; print('ready', flush=True); time.sleep(60)"


def start(module: str, home, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"trackstat.embedded.{module}", *words],
        cwd=CHECKOUT,
        env=os.environ | {"TRACKSTAT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def test_manage_hands_on_arguments_and_the_exit_status(home, services):
    said = start("manage", home, "shell", "--no-imports", "-c", "import sys; print('two  words'); sys.exit(7)")
    assert "two  words\n" in said.communicate()[0]
    assert said.returncode == 7
    assert services.status() == {"home": str(home), "postgres": "stopped", "valkey": "stopped"}


def test_manage_ends_its_servers_when_it_is_told_to_end(home, services):
    process = start("manage", home, "shell", "--no-imports", "-c", SLEEPS)
    assert process.stdout.readline() == "ready\n"
    assert services.postgres.running()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    eventually(lambda: not services.postgres.running() and not services.valkey.running())


def test_manage_adds_no_sandbox_to_a_database_that_was_given(home, monkeypatch):
    """That may be a real installation: it must not become one that trusts a sandbox."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/trackstat")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    monkeypatch.setenv("SECRET_KEY", "mine")
    code = "from django.conf import settings as s; print([s.SANDBOX_URL, s.TWILIO_API_URL, s.SECRET_KEY])"
    said = start("manage", home, "shell", "--no-imports", "-c", code)
    assert said.communicate()[0].endswith("['', '', 'mine']\n")


def test_a_second_demo_in_the_same_folder_says_where_the_first_one_is(home):
    mine = Home(home)
    with mine.only_demo() as alone:
        assert alone
        mine.remember(web_port=8123)
        said = start("demo", home)
        assert "is running already, at http://127.0.0.1:8123/" in said.communicate()[0]
        assert said.returncode == 1


def test_the_demo_does_not_reset_a_database_that_was_given(home, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/trackstat")
    said = start("demo", home, "--reset")
    assert "DATABASE_URL names yours" in said.communicate()[0]
    assert said.returncode == 1


def test_wrong_arguments_are_said_before_anything_starts(home, tmp_path):
    assert "--ehr belongs to --check" in start("demo", home, "--ehr", str(tmp_path)).communicate()[0]
    assert "is not a folder" in start("demo", home, "--check", "--ehr", str(tmp_path / "none")).communicate()[0]
    assert not home.exists()
