import threading

import pytest
from django.db import ProgrammingError, connection, connections, transaction

from audience.consent import (
    OnlyThePatient,
    mark_reached,
    mark_unusable,
    opt_in,
    opt_out,
    refresh_contactability,
)
from audience.models import ConsentEvent, ContactPoint, Patient
from tests.factories import PatientFactory
from trackstat.tenancy.scope import practice_scope

CELL = "+16175550134"


def _events():
    return list(ConsentEvent.objects.order_by("pk").values_list("purpose", "given", "source"))


def _point(address=CELL):
    return ContactPoint.objects.get(address=address)


def test_an_opt_out_holds_for_everyone_who_shares_the_number(in_northside):
    mother, child = PatientFactory(cell=CELL), PatientFactory(cell=CELL, email="")
    other = PatientFactory()
    opt_out("text", CELL, "all", "reply", "STOP")
    assert not Patient.objects.filter(pk__in=[mother.pk, child.pk], can_text=True).exists()
    mother.refresh_from_db()
    other.refresh_from_db()
    assert mother.can_email
    assert other.can_text
    assert _point().opted_out_by_patient
    assert _events() == [("all", False, "reply")]


def test_another_practice_with_the_same_number_is_untouched(northside, southside):
    for practice in (northside, southside):
        with practice_scope(practice):
            PatientFactory(cell=CELL)
    with practice_scope(northside):
        opt_out("text", CELL, "all", "reply", "STOP")
    with practice_scope(southside):
        assert Patient.objects.get().can_text
        assert _point().all_opted_out_at is None
        assert _events() == []


def test_opting_out_again_keeps_the_first_date_and_adds_nothing_the_ledger_says_already(in_northside):
    PatientFactory(cell=CELL)
    first = opt_out("text", CELL, "all", "reply", "STOP").all_opted_out_at
    again = opt_out("text", CELL, "all", "reply", "STOP")
    assert again.all_opted_out_at == first
    assert len(_events()) == 1
    opt_out("text", CELL, "all", "staff", "said so at the desk")
    assert _events() == [("all", False, "reply"), ("all", False, "staff")]
    assert _point().all_opted_out_at == first


def test_a_number_nobody_has_can_opt_out_and_is_kept_for_whoever_gets_it(in_northside):
    opt_out("text", CELL, "all", "reply", "STOP")
    patient = PatientFactory(cell=CELL, can_text=True)
    refresh_contactability([_point().pk])
    patient.refresh_from_db()
    assert not patient.can_text


def test_staff_can_take_back_what_staff_noted_but_never_a_patients_stop(in_northside, people):
    patient = PatientFactory(cell=CELL)
    opt_out("text", CELL, "all", "staff", "asked by phone", by=people.fred)
    opt_in("text", CELL, "all", "staff", "mixed up", by=people.fred)
    patient.refresh_from_db()
    assert patient.can_text
    opt_out("text", CELL, "all", "reply", "STOP")
    with pytest.raises(OnlyThePatient):
        opt_in("text", CELL, "all", "staff", "wants texts", by=people.olive)
    patient.refresh_from_db()
    assert not patient.can_text


def test_a_stop_after_a_staff_opt_out_makes_it_the_patients_own(in_northside, people):
    PatientFactory(cell=CELL)
    opt_out("text", CELL, "all", "staff", "asked by phone", by=people.fred)
    opt_out("text", CELL, "all", "reply", "STOP")
    with pytest.raises(OnlyThePatient):
        opt_in("text", CELL, "all", "staff", by=people.fred)


def test_start_takes_back_every_opt_out_of_the_number(in_northside):
    patient = PatientFactory(cell=CELL)
    opt_out("text", CELL, "announcement", "reply", "no more offers")
    opt_out("text", CELL, "all", "reply", "STOP")
    point = opt_in("text", CELL, "all", "reply", "START")
    patient.refresh_from_db()
    assert patient.can_text
    assert not point.opted_out_of("announcement")
    assert not point.opted_out_by_patient
    assert _events()[-1] == ("all", True, "reply")


def test_start_of_someone_who_never_opted_out_changes_nothing(in_northside):
    PatientFactory(cell=CELL)
    opt_in("text", CELL, "all", "reply", "START")
    assert _events() == []


def test_an_opt_out_of_announcements_leaves_appointment_messages(in_northside):
    patient = PatientFactory(email="ana@mail.example")
    point = opt_out("email", "ana@mail.example", "announcement", "unsubscribe")
    patient.refresh_from_db()
    assert patient.can_email
    assert point.opted_out_of("announcement")
    assert not point.opted_out_of("appointment")


def test_an_unusable_address_is_out_until_something_arrives_there(in_northside):
    patient = PatientFactory(cell=CELL)
    mark_unusable(_point(), ContactPoint.Validity.INVALID, "Not in service (30005)")
    patient.refresh_from_db()
    assert not patient.can_text
    mark_reached(_point())
    patient.refresh_from_db()
    assert patient.can_text


def test_what_bounced_stays_suppressed_whatever_comes_later(in_northside):
    PatientFactory(email="ana@mail.example")
    mark_unusable(_point("ana@mail.example"), ContactPoint.Validity.SUPPRESSED, "Bounced")
    mark_unusable(_point("ana@mail.example"), ContactPoint.Validity.INVALID, "Mistyped")
    mark_reached(_point("ana@mail.example"))
    assert _point("ana@mail.example").validity == ContactPoint.Validity.SUPPRESSED


def test_start_does_not_revive_a_number_out_of_service(in_northside):
    patient = PatientFactory(cell=CELL)
    mark_unusable(_point(), ContactPoint.Validity.INVALID, "Not in service")
    opt_out("text", CELL, "all", "reply", "STOP")
    opt_in("text", CELL, "all", "reply", "START")
    patient.refresh_from_db()
    assert not patient.can_text


def test_email_addresses_are_found_in_any_case(in_northside):
    PatientFactory(email="ana@mail.example")
    opt_out("email", "Ana@Mail.Example", "all", "unsubscribe")
    assert _point("ana@mail.example").all_opted_out_at


@pytest.mark.django_db(transaction=True)
def test_opting_out_of_texts_and_email_at_the_same_moment_loses_neither(northside):
    with practice_scope(northside):
        patients = [PatientFactory(cell=CELL, email="ana@mail.example") for _ in range(20)]
    together = threading.Barrier(2)

    def leave(channel, address):
        try:
            with practice_scope(northside):
                # Each statement sees what was committed when it began, so both must have begun before either ends.
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                together.wait()
                opt_out(channel, address, "all", "reply")
        finally:
            connections.close_all()

    for _ in range(10):
        threads = [threading.Thread(target=leave, args=a) for a in (("text", CELL), ("email", "ana@mail.example"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with practice_scope(northside):
            kept = Patient.objects.filter(pk__in=[patient.pk for patient in patients])
            assert not kept.filter(can_text=True).exists()
            assert not kept.filter(can_email=True).exists()
            opt_in("text", CELL, "all", "reply")
            opt_in("email", "ana@mail.example", "all", "reply")


def test_the_ledger_can_be_neither_changed_nor_deleted(in_northside):
    PatientFactory(cell=CELL)
    opt_out("text", CELL, "all", "reply", "STOP")
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        ConsentEvent.objects.update(given=True)
