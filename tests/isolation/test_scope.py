"""Traps of row-level security, each as the restricted role (docs/architecture.md § Two walls)."""

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from audience.models import Appointment, Patient
from tests.factories import AppointmentFactory, PatientFactory
from trackstat.tenancy.models import AuditEvent, Membership
from trackstat.tenancy.scope import NoPractice, across_practices, current_scope, practice_scope


def _sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def test_the_tests_run_as_the_restricted_role(db):
    assert _sql("SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user") == [
        ("trackstat_app", False, False)
    ]


def test_a_manager_outside_a_scope_raises(db):
    with pytest.raises(NoPractice):
        Patient.objects.count()


def test_raw_sql_outside_a_scope_sees_nothing_and_may_write_nothing(northside):
    with practice_scope(northside):
        PatientFactory()
    assert _sql("SELECT count(*) FROM audience_patient") == [(0,)]
    assert _sql("UPDATE audience_patient SET first_name = 'x'") == 0
    with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        _sql(
            "INSERT INTO audience_tag (practice_id, name, always_excluded, reserved) VALUES (%s, 'x', false, false)",
            northside.pk,
        )


def test_one_practice_sees_nothing_of_the_other_even_by_raw_sql(northside, southside):
    with practice_scope(southside):
        theirs = PatientFactory()
    with practice_scope(northside):
        assert not Patient.objects.filter(pk=theirs.pk).exists()
        assert not Patient._base_manager.filter(pk=theirs.pk).exists()
        assert _sql("SELECT count(*) FROM audience_patient") == [(0,)]
        assert _sql("DELETE FROM audience_patient WHERE id = %s", theirs.pk) == 0


def test_a_row_cannot_be_written_into_another_practice(northside, southside):
    with (
        practice_scope(northside),
        pytest.raises(ProgrammingError, match="row-level security"),
        transaction.atomic(),
    ):
        PatientFactory(practice_id=southside.pk, contact_points=None)


def test_a_row_cannot_point_to_another_practices_patient(northside, southside):
    with practice_scope(southside):
        theirs = PatientFactory()
    with practice_scope(northside), pytest.raises(IntegrityError, match="practice_fk"), transaction.atomic():
        AppointmentFactory(patient=None, patient_id=theirs.pk)


def test_the_scope_ends_with_its_block_also_within_a_transaction(northside, southside):
    with practice_scope(northside):
        PatientFactory(first_name="North")
        with practice_scope(southside):
            assert Patient.objects.count() == 0
            assert _sql("SELECT count(*) FROM audience_patient") == [(0,)]
        assert _sql("SELECT first_name FROM audience_patient") == [("North",)]
    assert current_scope().practice_id is None
    assert _sql("SELECT current_setting('trackstat.practice', true)") == [("",)]


def test_an_exception_rolls_the_block_back_and_restores_the_scope(northside):
    with pytest.raises(RuntimeError), practice_scope(northside):
        PatientFactory()
        raise RuntimeError
    with practice_scope(northside):
        assert Patient.objects.count() == 0
    assert current_scope().practice_id is None


def test_the_look_across_practices_reads_only_what_it_must(northside, southside):
    with practice_scope(southside):
        PatientFactory()
    with practice_scope(northside):
        with across_practices("test"):
            assert _sql("SELECT count(*) FROM messaging_message") == [(0,)]
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                Patient.objects.count()
            with practice_scope(southside):
                assert Patient.objects.count() == 1
        assert _sql("SELECT current_user") == [("trackstat_app",)]
        assert Patient.objects.count() == 0


def test_a_person_sees_their_own_memberships_in_all_practices_and_nobody_elses(people, northside, southside):
    with practice_scope(southside):
        Membership.objects.create(user=people.olive, role=people.quinn.memberships.get().role)
    with practice_scope(None, people.olive):
        assert set(Membership.own.values_list("practice_id", flat=True)) == {northside.pk, southside.pk}
    with practice_scope(None, people.quinn):
        assert set(Membership.own.values_list("user_id", flat=True)) == {people.quinn.pk}


def test_audit_rows_can_be_neither_changed_nor_deleted(in_northside):
    event = AuditEvent.objects.create(action="test")
    for statement in ("UPDATE tenancy_auditevent SET action = 'x'", "DELETE FROM tenancy_auditevent"):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            _sql(statement)
    assert AuditEvent.objects.get() == event


def test_truncate_and_switching_the_wall_off_are_refused(in_northside):
    for statement in (
        "TRUNCATE audience_patient CASCADE",
        "ALTER TABLE audience_patient DISABLE ROW LEVEL SECURITY",
        "SET ROLE trackstat_owner",
    ):
        with pytest.raises(ProgrammingError), transaction.atomic():
            _sql(statement)
    assert Appointment.objects.count() == 0
