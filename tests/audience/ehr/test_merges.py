"""Records that the EHR replaced by others: nobody is doubled, no history is lost."""

import pytest

from audience.ehr.run import import_folder
from audience.models import Appointment, Case, Diagnosis, Patient, PatientTag, Payment, Service, Tag
from tests.audience.ehr.exports import (
    appointment,
    benefit,
    claim,
    condition,
    coverage,
    episode,
    patient,
    write,
)
from tests.audience.ehr.outcome import state, written
from tests.factories import MessageFactory
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def export(tmp_path):
    return tmp_path / "export"


def link(type: str, id: str) -> list[dict]:
    return [{"type": type, "other": {"reference": f"Patient/{id}"}}]


def two_patients(export):
    return write(
        export,
        patient("old"),
        patient("new", telecom=[{"system": "phone", "use": "mobile", "value": "617-555-0199"}]),
        *(appointment(f"a-{id}", f"Patient/{id}", start=f"2026-0{month}-05T14:00:00Z")
          for month, id in ((3, "old"), (5, "new"))),
        condition("c", "Patient/old"), claim("b", "Patient/old"), benefit("x", "Patient/old"),
        coverage("v", "Patient/old"), episode("k", "Patient/old"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "told_by",
    [
        [patient("old", active=False, link=link("replaced-by", "new"))],
        [patient("new", link=link("replaces", "old"))],
        [patient("old", link=link("replaced-by", "new")), patient("new", link=link("replaces", "old"))],
    ],
)
def test_the_survivor_has_the_whole_history_and_the_other_is_nowhere(northside, export, told_by):
    import_folder(northside, two_patients(export))
    with practice_scope(northside):
        old, new = Patient.objects.get(external_id="old"), Patient.objects.get(external_id="new")
        vip, both = Tag.objects.create(name="VIP"), Tag.objects.create(name="Both")
        PatientTag.objects.bulk_create(
            PatientTag(patient=whose, tag=tag) for whose, tag in ((old, vip), (old, both), (new, both))
        )
        message = MessageFactory(patient=old)
    import_folder(northside, write(export, *told_by))
    with practice_scope(northside):
        only = Patient.objects.get()
        assert (only.pk, only.visit_count, only.total_paid_cents, only.first_visit_on.month) == (new.pk, 2, 4050, 3)
        for model in (Appointment, Case, Diagnosis, Service, Payment):
            assert set(model.objects.values_list("patient", flat=True)) == {new.pk}, model
        assert set(only.patient_tags.values_list("tag__name", flat=True)) == {"VIP", "Both"}
        assert PatientTag.objects.count() == 2
        message.refresh_from_db()
        assert message.patient == old, "what was sent stays with the record it was sent for"
        merged = Patient.everyone.get(pk=old.pk)
        assert (merged.merged_into, merged.status, merged.inactive_reason) == (only, "inactive", "archived")
        assert (merged.cell, merged.email, merged.can_text, merged.can_email, merged.visit_count) == (
            "", "", False, False, 0,
        )  # fmt: skip
    before = state(northside)
    assert written(import_folder(northside, export)) == 0
    assert state(northside) == before


def test_in_one_export_it_comes_out_the_same_and_twice_changes_nothing(northside, export):
    two_patients(export)
    write(export, patient("old", link=link("replaced-by", "new"), meta={"lastUpdated": "2026-11-01T00:00:00Z"}),
          name="later.ndjson")  # fmt: skip
    import_folder(northside, export)
    with practice_scope(northside):
        assert Patient.objects.get().visit_count == 2
    before = state(northside)
    assert written(import_folder(northside, export)) == 0
    assert state(northside) == before


def test_what_still_names_the_replaced_record_is_the_survivors(northside, export):
    import_folder(northside, write(export, patient("old", link=link("replaced-by", "new")), patient("new")))
    import_folder(northside, write(export, appointment("later", "Patient/old"), claim("later", "Patient/old")))
    with practice_scope(northside):
        assert Patient.objects.get().visit_count == 1
        assert Service.objects.get().patient == Patient.objects.get()


def test_a_chain_ends_at_the_last_one_and_a_circle_nowhere(northside, export):
    chain = [patient("1", link=link("replaced-by", "2")), patient("2", link=link("replaced-by", "3")), patient("3")]
    circle = [patient("8", link=link("replaced-by", "9")), patient("9", link=link("replaced-by", "8"))]
    import_folder(northside, write(export, *chain, *circle))
    with practice_scope(northside):
        into = dict(Patient.everyone.values_list("external_id", "merged_into__external_id"))
        assert into == {"1": "3", "2": "3", "3": None, "8": None, "9": None}
    import_folder(northside, write(export, patient("3", link=link("replaced-by", "4")), patient("4")))
    with practice_scope(northside):
        into = dict(Patient.everyone.values_list("external_id", "merged_into__external_id"))
        assert (into["1"], into["2"], into["3"]) == ("4", "4", "4")


@pytest.mark.parametrize("links", [link("seealso", "new"), link("refer", "new"), link("replaced-by", "unheard-of")])
def test_a_record_that_is_only_about_the_same_person_stays(northside, export, links):
    import_folder(northside, write(export, patient("old", link=links), patient("new")))
    with practice_scope(northside):
        assert Patient.objects.count() == 2


def test_a_record_that_comes_back_is_a_patient_again(northside, export):
    import_folder(northside, write(export, patient("old", link=link("replaced-by", "new")), patient("new")))
    import_folder(northside, write(export, patient("old", active=True), patient("new")))
    with practice_scope(northside):
        back = Patient.objects.get(external_id="old")
        assert (back.merged_into, back.status, back.cell, back.can_text) == (None, "active", "+16175550111", True)
