"""Appointments, encounters and who they refer to."""

import datetime as dt

import pytest

from audience.ehr.run import import_folder
from audience.models import Appointment, Patient
from tests.audience.ehr.exports import appointment, encounter, patient, write
from tests.audience.ehr.outcome import state, written
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def export(tmp_path):
    return tmp_path / "export"


def test_an_appointment_that_moves_to_another_patient_moves_both_rollups(northside, export):
    import_folder(northside, write(export, patient("p1"), patient("p2"), appointment("a1", "Patient/p1")))
    import_folder(northside, write(export, appointment("a1", "Patient/p2")))
    with practice_scope(northside):
        counts = dict(Patient.objects.values_list("external_id", "visit_count"))
    assert counts == {"p1": 0, "p2": 1}


def test_a_booking_taken_back_is_cancelled_and_one_never_made_is_not_there(northside, export):
    import_folder(northside, write(export, patient(), appointment("a1", status="booked", start="2030-01-07T15:00:00Z")))
    run = import_folder(
        northside, write(export, appointment("a1", status="entered-in-error"), appointment("a2", status="waitlist"))
    )
    assert run.counts["Appointment"] == {"read": 2, "changed": 1, "left_out": 1}
    with practice_scope(northside):
        assert list(Appointment.objects.values_list("external_id", "status")) == [("Appointment/a1", "cancelled")]
        assert Patient.objects.get().next_visit_at is None


def test_an_encounter_checks_its_appointment_in_and_is_no_second_visit(northside, export):
    seen = encounter(appointment=[{"reference": "Appointment/a1"}])
    import_folder(northside, write(export, seen, patient(), appointment("a1", status="booked")))
    with practice_scope(northside):
        only = Appointment.objects.get()
        assert (only.status, only.checked_in_at) == ("checked_in", dt.datetime(2026, 10, 5, 13, 55, tzinfo=dt.UTC))
    again = import_folder(northside, write(export, appointment("a1", status="booked")))
    assert written(again) == 0, "an export without the encounter does not take the check-in back"


def test_an_encounter_whose_appointment_came_before_checks_that_one_in(northside, export):
    import_folder(northside, write(export, patient(), appointment("a1", status="booked")))
    seen = write(export, encounter(appointment=[{"reference": "Appointment/a1"}]))
    import_folder(northside, seen)
    with practice_scope(northside):
        assert Appointment.objects.get().status == "checked_in"
        assert Patient.objects.get().visit_count == 1
    before = state(northside)
    import_folder(northside, seen)
    assert state(northside) == before


def test_an_encounter_alone_is_a_visit_until_its_appointment_comes(northside, export):
    seen = encounter(appointment=[{"reference": "Appointment/a1"}])
    import_folder(northside, write(export, patient(), seen))
    with practice_scope(northside):
        assert Appointment.objects.get().external_id == "Encounter/e1"
    import_folder(northside, write(export, seen, appointment("a1")))
    with practice_scope(northside):
        statuses = dict(Appointment.objects.values_list("external_id", "status"))
        assert statuses == {"Encounter/e1": "cancelled", "Appointment/a1": "checked_in"}
        assert Patient.objects.get().visit_count == 1


@pytest.mark.parametrize(
    "reference",
    ["Patient/p1", "https://ehr.example/fhir/Patient/p1", "urn:uuid:p1", "Patient?identifier=http://mrn.example|M1"],
)
def test_each_shape_of_reference_reaches_the_patient(northside, export, reference):
    known = patient(identifier=[{"system": "http://mrn.example", "value": "M1"}])
    actor = {"reference": reference, "type": "Patient"}
    write(export, appointment(participant=[{"actor": actor}]), known)
    run = import_folder(northside, export)
    assert run.counts["Appointment"] == {"read": 1, "new": 1}


def test_a_provider_is_found_by_identifier_by_role_and_by_name_alone(northside, export):
    def seen_by(id, **actor):
        return appointment(id, participant=[{"actor": {"reference": "Patient/p1"}}, {"actor": actor}])

    npi = "http://hl7.org/fhir/sid/us-npi"
    write(
        export,
        patient(),
        seen_by("a1", reference=f"Practitioner?identifier={npi}|123"),
        seen_by("a2", reference="PractitionerRole/role1"),
        seen_by("a3", type="Practitioner", display="Dr. Lee"),
        seen_by("a4", reference="Practitioner/gone"),
        {"resourceType": "Practitioner", "id": "dr", "identifier": [{"system": npi, "value": "123"}],
         "name": [{"text": "Dr. Rosa Delgado"}]},
        {"resourceType": "PractitionerRole", "id": "role1", "practitioner": {"reference": "Practitioner/dr"}},
    )  # fmt: skip
    import_folder(northside, export)
    with practice_scope(northside):
        names = list(Appointment.objects.order_by("external_id").values_list("provider__name", flat=True))
    assert names == ["Dr. Rosa Delgado", "Dr. Rosa Delgado", "Dr. Lee", "Unnamed gone"]
