"""Whom announcements are kept away from stands on the patient, however tags come and go."""

import threading

import pytest
from django.db import connection, connections

from audience import rollups, tag_changes, tagging, tags
from audience.models import Patient, PatientTag, Tag, TagJob
from tests.factories import PatientFactory, TagFactory
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def keeps_away(in_northside):
    return TagFactory(name="not qualified", always_excluded=True)


def kept_away() -> set[int]:
    return set(Patient.everyone.filter(kept_away=True).values_list("pk", flat=True))


def test_a_tag_that_keeps_away_says_so_on_its_patients_and_takes_it_back(keeps_away):
    ann, ben = PatientFactory(), PatientFactory()
    tags.put_on(TagFactory(name="VIP"), Patient.objects.all())
    assert kept_away() == set()
    tags.put_on(keeps_away, Patient.objects.all())
    assert kept_away() == {ann.pk, ben.pk}
    tags.take_off(keeps_away, ann)
    assert kept_away() == {ben.pk}
    tags.take_off(Tag.objects.get(name="VIP"), Patient.objects.all())
    assert kept_away() == {ben.pk}


def test_of_two_such_tags_the_last_one_counts(keeps_away):
    ann, other = PatientFactory(), TagFactory(name="legal hold", always_excluded=True)
    tags.put_on(keeps_away, ann)
    tags.put_on(other, ann)
    tags.take_off(keeps_away, ann)
    assert kept_away() == {ann.pk}
    tags.take_off(other, ann)
    assert kept_away() == set()


def test_a_whole_audience_is_told_part_by_part_and_by_the_undo(keeps_away, in_northside):
    patients = {PatientFactory().pk for _ in range(3)}
    job = tagging.start(keeps_away, TagJob.Action.PUT_ON, Patient.objects.all(), "everybody", None)
    while tagging.work(in_northside.pk, job.pk):
        pass
    assert kept_away() == patients
    tagging.undo(job, None)
    while tagging.work(in_northside.pk, job.pk):
        pass
    assert kept_away() == set()


def test_a_merge_into_a_tag_that_keeps_away_and_a_tag_that_begins_to_tell_their_patients(keeps_away):
    ann, ben = PatientFactory(), PatientFactory()
    rude, late = TagFactory(name="rude"), TagFactory(name="late")
    tags.put_on(rude, ann)
    tags.put_on(late, ben)
    tag_changes.merge(rude, keeps_away, None)
    assert kept_away() == {ann.pk}
    Tag.objects.filter(pk=late.pk).update(always_excluded=True)
    assert kept_away() == {ann.pk, ben.pk}
    Tag.objects.filter(pk=late.pk).update(always_excluded=False)
    assert kept_away() == {ann.pk}


def test_a_row_that_moves_to_another_patient_or_tag_is_followed(keeps_away):
    ann, ben, harmless = PatientFactory(), PatientFactory(), TagFactory(name="VIP")
    tags.put_on(keeps_away, ann)
    PatientTag.objects.filter(patient=ann).update(patient=ben)
    assert kept_away() == {ben.pk}
    PatientTag.objects.filter(patient=ben).update(tag=harmless)
    assert kept_away() == set()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audience_patient SET kept_away = true WHERE id = %s", [ann.pk])
    assert rollups.rebuild(ann.practice) == 1
    assert kept_away() == set()


def test_the_same_ids_in_another_practice_are_not_touched(northside, southside):
    """The database tells the patients of the tag's practice, within the wall."""
    with practice_scope(southside):
        theirs = PatientFactory()
        tags.put_on(TagFactory(name="not qualified", always_excluded=True), theirs)
    with practice_scope(northside):
        tags.put_on(TagFactory(name="not qualified", always_excluded=True), PatientFactory())
        Tag.objects.update(always_excluded=False)
        assert kept_away() == set()
    with practice_scope(southside):
        assert kept_away() == {theirs.pk}


@pytest.mark.django_db(transaction=True)
def test_one_such_tag_comes_while_another_one_goes(northside):
    """Whoever is second sees what the first one did: the patient stays kept away, whichever commits first."""
    with practice_scope(northside):
        ann = PatientFactory()
        goes, comes = (TagFactory(name=name, always_excluded=True) for name in ("not qualified", "legal hold"))
        tags.put_on(goes, ann)
    taken_off, failed = threading.Event(), []

    def put_on():
        try:
            with practice_scope(northside):
                taken_off.wait(10)
                tags.put_on(comes, ann)
        except Exception as problem:
            failed.append(problem)
        finally:
            connections.close_all()

    thread = threading.Thread(target=put_on)
    thread.start()
    with practice_scope(northside):
        tags.take_off(goes, ann)
        taken_off.set()
        thread.join(0.5)
        assert thread.is_alive(), "it waits for the patient"
    thread.join(10)
    assert not failed
    with practice_scope(northside):
        assert kept_away() == {ann.pk}
