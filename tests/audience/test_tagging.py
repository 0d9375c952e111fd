"""A whole audience tagged in the background: in parts, again after a kill, beside others, and taken back exactly."""

import threading

import pytest
from django.db import connections

from audience import tagging, tags
from audience.models import Patient, PatientTag, Tag, TagJob
from audience.tasks import tag_tick
from tests.factories import PatientFactory, TagFactory
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope

EVERYBODY = "All patients"


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(tagging, "PART", 3)


@pytest.fixture
def vip(in_northside, small_parts):
    for _ in range(10):
        PatientFactory()
    return TagFactory()


def start(tag, action="put_on", patients=None):
    return tagging.start(tag, action, Patient.objects.all() if patients is None else patients, EVERYBODY, None)


def work(job):
    while tagging.work(job.practice_id, job.pk):
        pass
    job.refresh_from_db()
    return job


def carried(tag):
    return set(PatientTag.objects.filter(tag=tag).values_list("patient_id", flat=True))


def test_everyone_who_was_meant_gets_the_tag_part_by_part(vip):
    meant = set(Patient.objects.values_list("pk", flat=True))
    job = start(vip)
    late = PatientFactory()
    assert (job.total, job.parts.count(), tagging.progress(job).looked_at) == (10, 4, 0)
    assert work(job).state == "done"
    assert carried(vip) == meant and late.pk not in meant
    assert tagging.progress(job) == tagging.Progress(total=10, looked_at=10, changed=10, undone=0)
    assert AuditEvent.objects.get(action="tag.put_on").detail == {"patients": 10, "job": job.pk}


def test_a_worker_that_was_killed_leaves_whole_parts_and_the_next_goes_on(vip):
    job = start(vip)
    assert tagging._work_part(job.practice_id, job.pk)
    assert len(carried(vip)) == 3
    work(job)
    assert (job.state, len(carried(vip))) == ("done", 10)
    assert tagging.work(job.practice_id, job.pk) is False, "once more finds nothing to do"
    assert tagging.progress(job).changed == 10


def test_a_part_that_fails_changes_nothing(vip, monkeypatch):
    job = start(vip)

    real = tagging._put_on

    def pulled_the_plug(*args):
        real(*args)
        raise RuntimeError

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(tagging, "_put_on", pulled_the_plug)
        tagging._work_part(job.practice_id, job.pk)
    assert (carried(vip), job.parts.filter(done_at__isnull=False).count()) == (set(), 0)
    assert work(job).state == "done"


def test_undoing_takes_the_tag_only_off_those_who_got_it_by_this_job(vip):
    had_it, got_it_again, *_ = Patient.objects.order_by("pk")
    tags.put_on(vip, had_it)
    job = work(start(vip))
    assert tagging.progress(job).changed == 9
    tags.take_off(vip, got_it_again)
    tags.put_on(vip, got_it_again)
    PatientTag.objects.filter(patient=got_it_again).update(tagged_at=job.finished_at.replace(year=2030))
    assert tagging.undo(job, None)
    assert not tagging.undo(job, None), "asked for twice is done once"
    assert work(job).state == "undone"
    assert carried(vip) == {had_it.pk, got_it_again.pk}
    assert tagging.progress(job).undone == 9


def test_undone_halfway_the_rest_is_never_done(vip):
    job = start(vip)
    tagging._work_part(job.practice_id, job.pk)
    tagging.undo(job, None)
    assert (work(job).state, carried(vip)) == ("undone", set())
    assert job.parts.filter(done_at=None).count() == 3


def test_taking_off_everyone_can_be_undone_for_those_who_had_it(vip):
    two = list(Patient.objects.order_by("pk")[:2])
    tags.put_on(vip, Patient.objects.filter(pk__in=[each.pk for each in two]))
    job = work(start(vip, "take_off"))
    assert (carried(vip), tagging.progress(job).changed) == (set(), 2)
    tagging.undo(job, None)
    work(job)
    assert carried(vip) == {each.pk for each in two}


def test_the_new_patients_tag_is_never_put_on_a_whole_audience(vip):
    with pytest.raises(tags.BadTag, match="never in bulk"):
        start(TagFactory(name="np start", reserved=True))
    assert not TagJob.objects.exists()


def test_nobody_to_tag_is_done_at_once(vip):
    job = work(start(vip, patients=Patient.objects.none()))
    assert (job.state, job.total) == ("done", 0)


def test_a_record_that_the_ehr_merged_meanwhile_is_tagged_as_the_survivor(vip):
    old, new, *_ = Patient.objects.order_by("pk")
    job = start(vip, patients=Patient.objects.filter(pk=old.pk))
    Patient.objects.filter(pk=old.pk).update(merged_into=new)
    work(job)
    assert carried(vip) == {new.pk}
    tagging.undo(job, None)
    work(job)
    assert carried(vip) == set()


def test_the_statements_are_the_same_for_any_number_of_patients(vip, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        job = start(vip)
    with django_assert_max_num_queries(12):
        tagging._work_part(job.practice_id, job.pk)


@pytest.mark.django_db(transaction=True)
def test_two_jobs_and_two_workers_at_once_tag_everyone_once(northside, small_parts):
    with practice_scope(northside):
        for _ in range(12):
            PatientFactory()
        vip, away = TagFactory(), TagFactory(name="not qualified", always_excluded=True)
        jobs = [start(vip), start(vip), start(away)]
    failed = []

    def run(job):
        try:
            while tagging.work(northside.pk, job.pk):
                pass
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    with practice_scope(northside):
        assert PatientTag.objects.count() == 24
        assert sum(tagging.progress(job).changed for job in jobs[:2]) == 12
        assert set(TagJob.objects.values_list("state", flat=True)) == {"done"}
        assert AuditEvent.objects.filter(action="tag.put_on").count() == 3


@pytest.mark.django_db(transaction=True)
def test_the_tick_rings_for_what_a_dead_worker_left(northside, monkeypatch):
    with practice_scope(northside):
        PatientFactory()
        left, done = start(TagFactory()), start(TagFactory(name="Gold"))
        Tag.objects.get(name="Gold")
    while tagging.work(northside.pk, done.pk):
        pass
    rung = []
    monkeypatch.setattr("audience.tasks.ring", lambda task, *args: rung.append((task.name, *args)))
    tag_tick()
    assert rung == [("audience.tag", northside.pk, left.pk)]
