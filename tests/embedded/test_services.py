import os
import signal
import socket
import subprocess
import sys

import psycopg
import pytest
import redis

from tests.embedded.conftest import command, eventually, python
from trackstat.embedded import Services
from trackstat.embedded.home import CHECKOUT, Home

HOLD = """
from trackstat.embedded import Services
services = Services()
services.hold()
print("up", flush=True)
input()
services.release()
"""


def is_running(services: Services) -> list[bool]:
    return [services.postgres.running() is not None, services.valkey.running() is not None]


def test_a_second_start_finds_the_servers_of_the_first(services):
    first = services.start()
    processes = services.status()
    assert services.start() == first
    assert services.status() == processes
    assert set(first) == {"DATABASE_URL", "DATABASE_OWNER_URL", "SANDBOX_DATABASE_URL", "REDIS_URL"}


def test_starts_at_the_same_time_make_one_cluster(home):
    starts = [command(home, "env") for _ in range(3)]
    printed = [start.communicate()[0] for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], printed
    assert printed[0].startswith("export DATABASE_URL=postgresql://trackstat_app:")
    assert len(set(printed)) == 1


def test_a_data_folder_that_was_removed_and_made_again_gets_a_new_cluster(services):
    """As root the cluster lies elsewhere and outlives the folder: a second clone in the same place must not trip."""
    before = services.start()
    services.stop()
    state = services.home.path / "state.json"
    state.unlink()
    after = services.start()
    assert after["DATABASE_URL"] != before["DATABASE_URL"]
    with psycopg.connect(after["DATABASE_OWNER_URL"]) as owner:
        assert owner.execute("SELECT 1").fetchone() == (1,)


def test_the_roles_are_as_strong_as_they_have_to_be(services):
    urls = services.start()
    with psycopg.connect(urls["DATABASE_URL"]) as app:
        row = app.execute("SELECT rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = current_user")
        assert row.fetchone() == (False, False, False)
        app.execute("SET ROLE trackstat_across")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SET ROLE trackstat_owner")
    with psycopg.connect(urls["DATABASE_OWNER_URL"], autocommit=True) as owner:
        row = owner.execute("SELECT rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = current_user")
        assert row.fetchone() == (False, True, True)
        owner.execute("CREATE DATABASE another")
    with psycopg.connect(urls["SANDBOX_DATABASE_URL"]) as sandbox, pytest.raises(psycopg.errors.InsufficientPrivilege):
        sandbox.execute("SET ROLE trackstat_across")


def test_nobody_signs_in_without_the_password(services):
    url = services.start()["DATABASE_URL"]
    password = Home(services.home.path).recall()["passwords"]["app"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "guessed"))
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=services.home.recall()["valkey_port"]).ping()


def test_only_the_owner_can_read_the_passwords(services):
    services.start()
    assert (services.home.path / "state.json").stat().st_mode & 0o077 == 0
    assert services.home.path.stat().st_mode & 0o077 == 0


def test_taken_ports_are_left_alone_and_the_new_ones_are_kept(services):
    with socket.socket() as mine, socket.socket() as also_mine:
        for listener in (mine, also_mine):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        services.home.make()
        services.home.remember(postgres_port=mine.getsockname()[1], valkey_port=also_mine.getsockname()[1])
        urls = services.start()
        assert f":{mine.getsockname()[1]}/" not in urls["DATABASE_URL"]
        assert f":{also_mine.getsockname()[1]}/" not in urls["REDIS_URL"]
    services.stop()
    assert services.start() == urls


def test_servers_that_the_environment_names_are_not_started(home):
    given = {"DATABASE_URL": "postgresql://elsewhere/trackstat", "REDIS_URL": "redis://elsewhere"}
    environment = os.environ | given | {"TRACKSTAT_HOME": str(home)}
    printed = subprocess.run(
        [sys.executable, "-m", "trackstat.embedded", "env"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (printed.returncode, printed.stdout) == (0, "")
    assert is_running(Services(home)) == [False, False]


def test_our_own_addresses_in_the_environment_are_started_again(services, monkeypatch):
    urls = services.start()
    services.stop()
    for name, value in urls.items():
        monkeypatch.setenv(name, value)
    assert services.start() == urls
    assert is_running(services) == [True, True]


def test_stop_ends_both_and_reset_takes_only_what_is_ours(services):
    services.start()
    mine = services.home.path / "letter.txt"
    mine.write_text("not yours")
    cluster = services.postgres.cluster
    services.stop()
    assert is_running(services) == [False, False]
    assert cluster.exists()
    services.reset()
    assert not cluster.exists()
    assert not (services.home.path / "state.json").exists()
    assert mine.read_text() == "not yours"


def test_what_was_committed_survives_a_restart_at_once(services):
    url = services.start()["DATABASE_OWNER_URL"]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE TABLE kept AS SELECT 1 AS one")
        services.postgres.restart_at_once()
        with pytest.raises(psycopg.OperationalError):
            owner.execute("SELECT 1")
    with psycopg.connect(url) as owner:
        assert owner.execute("SELECT one FROM kept").fetchone() == (1,)


def test_the_broker_forgets_nothing(services):
    client = redis.Redis.from_url(services.start()["REDIS_URL"])
    assert client.config_get("maxmemory-policy") == {b"maxmemory-policy": b"noeviction"} or client.config_get(
        "maxmemory-policy"
    ) == {"maxmemory-policy": "noeviction"}
    client.set("doorbell", "1")
    client.close()
    services.valkey.stop()
    client = redis.Redis.from_url(services.start()["REDIS_URL"])
    assert client.get("doorbell") == b"1"
    client.close()


def test_servers_for_tests_are_apart_from_the_demo(services, home):
    ordinary, for_tests = services.start(), Services(home, tests=True)
    try:
        assert for_tests.start()["DATABASE_URL"] != ordinary["DATABASE_URL"]
        with for_tests.postgres.connect() as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
        with services.postgres.connect() as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
    finally:
        for_tests.reset()


def test_servers_end_with_the_last_process_that_holds_them(home, services):
    first, second = python(home, HOLD), python(home, HOLD)
    assert first.stdout.readline() == second.stdout.readline() == "up\n"
    first.communicate("\n")
    assert is_running(services) == [True, True]
    second.communicate("\n")
    assert is_running(services) == [False, False]


def test_servers_end_when_the_process_that_holds_them_is_killed(home, services):
    holder = python(home, HOLD)
    assert holder.stdout.readline() == "up\n"
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    eventually(lambda: is_running(services) == [False, False])


def test_servers_started_for_good_stay_when_a_holder_ends(home, services):
    services.start()
    holder = python(home, HOLD)
    assert holder.stdout.readline() == "up\n"
    holder.communicate("\n")
    assert is_running(services) == [True, True]


def test_the_launcher_needs_no_settings():
    code = "import sys, trackstat.embedded.demo; print([name for name in sys.modules if name.startswith('django')])"
    found = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
