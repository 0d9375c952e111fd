"""The tag `np start`: put on by the import, on whoever was just here for the first time, and on nobody else."""

import datetime as dt

import pytest

from audience.ehr.new_patients import NEW_DAYS
from audience.ehr.run import import_folder
from audience.models import Patient, PatientTag, Tag
from tests.audience.ehr.exports import appointment, patient, write
from tests.audience.ehr.outcome import state
from tests.factories import TagFactory
from trackstat.clock import now
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def sync(northside, tmp_path):
    def run(*resources):
        folder = write(tmp_path / "export", *resources)
        import_folder(northside, folder)
        with practice_scope(northside):
            return sorted(PatientTag.objects.filter(tag__reserved=True).values_list("patient__external_id", flat=True))

    return run


def visit(id="a1", who="Patient/p1", days_ago=1, status="fulfilled"):
    moment = (now() - dt.timedelta(days=days_ago)).replace(microsecond=0)
    return appointment(id, who, status, moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_whoever_was_just_here_for_the_first_time_gets_the_tag(sync):
    assert sync(patient()) == []
    assert sync(visit(days_ago=-2, status="booked")) == [], "a booking is no visit"
    assert sync(visit()) == ["p1"]
    assert sync(visit(), visit("a2", days_ago=0)) == ["p1"]


def test_the_first_import_brings_history_and_makes_nobody_new(sync, northside):
    assert sync(patient(), visit()) == []
    assert sync(visit("a2", days_ago=0)) == [], "nor does the second visit of such a patient"
    assert sync(patient("p2"), visit("b1", "Patient/p2")) == ["p2"]


def test_a_first_visit_of_long_ago_that_is_entered_now_makes_nobody_new(sync):
    sync(patient(), patient("p2"))
    old = visit(days_ago=NEW_DAYS + 2)
    assert sync(old, visit("b1", "Patient/p2", days_ago=NEW_DAYS - 2)) == ["p2"]


def test_a_practice_without_the_tag_gets_it_and_another_ones_stays_out_of_it(sync, northside, southside):
    with practice_scope(southside):
        TagFactory(name="np start", reserved=True)
    sync(patient())
    with practice_scope(northside):
        assert not Tag.objects.exists()
    sync(visit())
    with practice_scope(northside):
        assert [(tag.name, tag.reserved) for tag in Tag.objects.all()] == [("np start", True)]
        assert PatientTag.objects.get().patient == Patient.objects.get()
    with practice_scope(southside):
        assert not PatientTag.objects.exists()


def test_the_same_export_again_changes_nothing(sync, northside):
    sync(patient())
    sync(visit())
    before = state(northside)
    assert sync(visit()) == ["p1"]
    assert state(northside) == before
