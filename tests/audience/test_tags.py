"""Tags on one patient, on many, and the two kinds that are special."""

import threading

import pytest
from django.db import connection, connections

from audience import tags
from audience.models import Patient, PatientTag, Tag
from tests.factories import PatientFactory, TagFactory
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope


def test_a_tag_is_made_once_whatever_its_letters(in_northside):
    assert tags.create("VIP") == tags.create("  vip ")
    assert Tag.objects.count() == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
def test_a_tag_needs_a_name_of_some_length(name, in_northside):
    with pytest.raises(tags.BadTag):
        tags.create(name)


def test_putting_on_many_counts_the_new_ones_and_twice_changes_nothing(in_northside, django_assert_num_queries):
    for _ in range(5):
        PatientFactory()
    tag = TagFactory()
    tags.put_on(tag, Patient.objects.first())
    assert tags.put_on(tag, Patient.objects.all()) == 4
    assert tags.put_on(tag, Patient.objects.all()) == 0
    assert PatientTag.objects.count() == 5
    assert tags.take_off(tag, Patient.objects.filter(pk__gt=0)) == 5
    assert list(AuditEvent.objects.order_by("pk").values_list("action", "detail__patients")) == [
        ("tag.put_on", 1),
        ("tag.put_on", 4),
        ("tag.taken_off", 5),
    ]


def test_a_sorted_or_sliced_choice_of_patients_is_tagged_as_it_stands(in_northside):
    for n in range(4):
        PatientFactory(last_name=f"L{n}")
    assert tags.put_on(TagFactory(), Patient.objects.filter(last_name__in=["L1", "L2"]).order_by("-last_name")) == 2


def test_the_new_patients_tag_is_never_put_on_in_bulk(in_northside):
    PatientFactory()
    with pytest.raises(tags.BadTag, match="never in bulk"):
        tags.put_on(TagFactory(name="np start", reserved=True), Patient.objects.all())


def test_another_practices_patients_are_out_of_reach(northside, southside):
    with practice_scope(southside):
        PatientFactory()
        everyone_there = Patient.objects.all()
    with practice_scope(northside):
        assert tags.put_on(TagFactory(), everyone_there) == 0


@pytest.mark.django_db(transaction=True)
def test_a_tag_that_keeps_away_waits_for_whoever_is_just_arming_a_message(northside):
    """Arming reads the patient under a share lock; the tag comes after it or before it, never in between."""
    with practice_scope(northside):
        ana, tag = PatientFactory(), TagFactory(name="not qualified", always_excluded=True)
    done = threading.Event()

    def put():
        with practice_scope(northside):
            tags.put_on(tag, ana)
        done.set()
        connections.close_all()

    with practice_scope(northside):
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM audience_patient WHERE id = %s FOR SHARE", [ana.pk])
        thread = threading.Thread(target=put)
        thread.start()
        assert not done.wait(0.5)
    thread.join(10)
    with practice_scope(northside):
        assert PatientTag.objects.count() == 1
