"""Records that the EHR deleted, and patients that a snapshot does not have any more."""

import pytest

from audience.ehr.run import import_folder
from audience.models import Appointment, Case, Diagnosis, Patient, Service
from tests.audience.ehr.exports import (
    appointment,
    claim,
    condition,
    deleted,
    encounter,
    episode,
    patient,
    write,
)
from tests.audience.ehr.outcome import state, written
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def export(tmp_path):
    return tmp_path / "export"


def status_of(practice) -> dict[str, tuple[str, str]]:
    with practice_scope(practice):
        found = Patient.objects.values_list("external_id", "status", "inactive_reason")
        return {id: (status, reason) for id, status, reason in found}


def test_a_deleted_bundle_takes_back_what_it_names_and_nothing_else(northside, export):
    everything = [patient("p1"), patient("p2"), appointment("a1"), appointment("a2"), encounter("e1"), condition("c1"),
                  condition("c2"), claim("b1"), claim("b2"), episode("k1"), episode("k2")]  # fmt: skip
    import_folder(northside, write(export, *everything))
    gone = ["Patient/p2", "Appointment/a2", "Encounter/e1", "https://ehr.example/fhir/Condition/c2", "Claim/b2",
            "EpisodeOfCare/k2", "Claim/never-seen", "Practitioner/somebody", "Slot/s1"]  # fmt: skip
    run = import_folder(northside, write(export, deleted(*gone), deleted("nonsense")))
    assert run.counts["Patient"] == {"read": 1, "changed": 1}
    assert run.counts["Claim"] == {"read": 2, "changed": 1, "left_out": 1}
    assert run.counts["Unreadable"] == {"read": 1, "rejected": 1}
    assert run.not_read == {"Slot": 1}
    assert status_of(northside) == {"p1": ("active", ""), "p2": ("inactive", "archived")}
    with practice_scope(northside):
        assert dict(Appointment.objects.values_list("external_id", "status")) == {
            "Appointment/a1": "checked_in", "Appointment/a2": "cancelled", "Encounter/e1": "cancelled",
        }  # fmt: skip
        assert Patient.objects.get(external_id="p1").visit_count == 1
        assert Diagnosis.objects.get().external_id == "Condition/c1"
        assert Service.objects.get().external_id == "Claim/b1"
        assert set(Case.objects.filter(is_active=True).values_list("external_id", flat=True)) == {"EpisodeOfCare/k1"}
    before = state(northside)
    assert written(import_folder(northside, export)) == 0
    assert state(northside) == before


def test_what_the_same_export_has_was_made_again(northside, export):
    gone = deleted("Patient/p1", "Appointment/a1", "Claim/b1")
    import_folder(northside, write(export, gone, patient("p1"), appointment("a1"), claim("b1"), gone))
    assert status_of(northside) == {"p1": ("active", "")}
    with practice_scope(northside):
        assert Appointment.objects.get().status == "checked_in"
        assert Service.objects.exists()


def test_who_is_missing_in_a_snapshot_becomes_inactive_and_comes_back_with_the_next(northside, export):
    import_folder(northside, write(export, patient("p1"), patient("p2")))
    import_folder(northside, write(export, patient("p9")), "another source")
    run = import_folder(northside, write(export, patient("p1")), is_snapshot=True)
    assert run.counts["Patient"] == {"read": 1, "unchanged": 1, "missing": 1}
    assert status_of(northside) == {"p1": ("active", ""), "p2": ("inactive", "inactive"), "p9": ("active", "")}
    assert import_folder(northside, export, is_snapshot=True).counts["Patient"] == {"read": 1, "unchanged": 1}
    import_folder(northside, write(export, patient("p1"), patient("p2")), is_snapshot=True)
    assert status_of(northside)["p2"] == ("active", "")


def test_an_export_that_is_no_snapshot_says_nothing_about_others(northside, export):
    import_folder(northside, write(export, patient("p1"), patient("p2")))
    import_folder(northside, write(export, patient("p1")))
    assert status_of(northside) == {"p1": ("active", ""), "p2": ("active", "")}


@pytest.mark.parametrize("broken", ["{", '{"resourceType":"Patient"}'])
def test_a_snapshot_with_lines_that_may_be_anybody_marks_nobody_as_missing(northside, export, broken):
    import_folder(northside, write(export, patient("p1"), patient("p2")))
    run = import_folder(northside, write(export, patient("p1"), broken), is_snapshot=True)
    assert run.error == "Nobody was marked as missing: 1 lines could not be read"
    assert status_of(northside)["p2"] == ("active", "")


def test_a_record_that_was_rejected_is_not_missing_and_an_empty_export_is_no_snapshot(northside, export):
    import_folder(northside, write(export, patient("p1"), patient("p2")))
    import_folder(northside, write(export, patient("p1"), patient("p2", birthDate="never")), is_snapshot=True)
    assert status_of(northside)["p2"] == ("active", "")
    run = import_folder(northside, write(export, appointment()), is_snapshot=True)
    assert run.error == "Nobody was marked as missing: the export has no patients"
    assert status_of(northside) == {"p1": ("active", ""), "p2": ("active", "")}
