"""Renaming, merging and deleting tags: nothing that named them is left pointing at nothing, or at other people."""

import threading

import pytest
from django.db import connections

from audience import tag_changes, tag_uses, tagging, tags
from audience.models import Patient, PatientTag, SavedAudience, Tag, TagJob
from audience.tag_changes import NameTaken
from campaigns import blast
from campaigns.models import Campaign
from campaigns.recipients import audience_of
from tests.factories import CampaignFactory, PatientFactory, TagFactory
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope


def tagged(*tags_put):
    patient = PatientFactory()
    for tag in tags_put:
        tags.put_on(tag, patient)
    return patient


def with_tags(*chosen, match="any"):
    value = {"match": match, "tags": [tag.pk for tag in chosen]}
    return {"primary": None, "filters": [{"key": "tags", "mode": "include", "value": value}]}


@pytest.fixture
def vip(in_northside):
    return TagFactory(name="VIP")


@pytest.fixture
def gold(in_northside):
    return TagFactory(name="Gold")


def test_a_name_belongs_to_one_tag_whatever_its_letters(vip, gold):
    with pytest.raises(NameTaken) as taken:
        tag_changes.rename(gold, " vip ", None)
    assert taken.value.other == vip
    assert tag_changes.rename(vip, "Vip", None).name == "Vip", "its own name in other letters"
    assert AuditEvent.objects.filter(action="tag.renamed").count() == 1
    for name in ("", "x" * 61, "NP start"):
        with pytest.raises(tags.BadTag):
            tag_changes.rename(vip, name, None)


def test_a_merge_says_before_what_it_comes_to_and_does_just_that(vip, gold, in_northside):
    only, both, other = tagged(vip), tagged(vip, gold), tagged(gold)
    campaign = CampaignFactory(definition=with_tags(vip, gold, match="all"), name="Autumn")
    SavedAudience.objects.create(name="Best", definition=with_tags(vip))
    looked = tag_changes.look_at_merge(vip, gold, in_northside)
    assert (looked.patients, looked.both, looked.gain) == (2, 1, 1)
    assert sorted((use.what, use.name) for use in looked.uses) == [
        ("Audience", "Best"),
        ("Filter of the blast", "Autumn"),
    ]
    assert tag_changes.merge(vip, gold, None) == 1
    assert set(PatientTag.objects.values_list("patient", "tag")) == {(each.pk, gold.pk) for each in (only, both, other)}
    campaign.refresh_from_db()
    assert campaign.definition == with_tags(gold, match="all")
    assert SavedAudience.objects.get().definition == with_tags(gold)
    assert list(Tag.objects.all()) == [gold]


def test_a_loaded_audience_is_not_out_of_date_by_a_merge(vip, gold):
    patient = tagged(vip)
    campaign = CampaignFactory(definition=with_tags(vip), require=[])
    blast.load(campaign, None)
    tag_changes.merge(vip, gold, None)
    campaign.refresh_from_db()
    assert not campaign.is_stale
    assert audience_of(campaign).ids() == [patient.pk]


def test_a_tag_that_keeps_announcements_away_is_never_merged_into_one_that_does_not(vip):
    away = TagFactory(name="not qualified", always_excluded=True)
    tagged(away), tagged(vip)
    with pytest.raises(tags.BadTag, match="would get announcements again"):
        tag_changes.merge(away, vip, None)
    assert tag_changes.merge(vip, away, None) == 1
    assert PatientTag.objects.filter(tag=away).count() == 2


@pytest.mark.parametrize("name,flags", [("np start", {"reserved": True}), ("away", {"always_excluded": True})])
def test_the_systems_own_tags_stay(name, flags, vip, in_northside):
    own = TagFactory(name=name, **flags)
    with pytest.raises(tags.BadTag):
        tag_changes.delete(own, in_northside, None)
    if own.reserved:
        for change in (
            lambda: tag_changes.rename(own, "new patients", None),
            lambda: tag_changes.merge(own, vip, None),
            lambda: tag_changes.merge(vip, own, None),
        ):
            with pytest.raises(tags.BadTag):
                change()


def test_a_tag_is_deleted_off_everyone_once_nothing_needs_it(vip, in_northside):
    tagged(vip), tagged(vip)
    job = tagging.start(vip, "put_on", Patient.objects.all(), "All", None)
    campaign = CampaignFactory(definition=with_tags(vip))
    sent = CampaignFactory(definition=with_tags(vip), state="sent", tag_action="put_on", tag=vip)
    with pytest.raises(tags.BadTag, match="1 place"):
        tag_changes.delete(vip, in_northside, None)
    Campaign.objects.filter(pk=campaign.pk).update(definition={})
    with pytest.raises(tags.BadTag, match="at this moment"):
        tag_changes.delete(vip, in_northside, None)
    tagging.work(job.practice_id, job.pk)
    assert tag_changes.delete(vip, in_northside, None) == 2
    assert not Tag.objects.exists() and not PatientTag.objects.exists()
    sent.refresh_from_db(), job.refresh_from_db()
    assert (sent.tag, job.tag, job.tag_name) == (None, None, "VIP")
    with pytest.raises(tags.BadTag, match="deleted meanwhile"):
        tagging.undo(job, None)


def test_what_uses_tags_is_found_in_the_same_few_statements(vip, gold, in_northside, django_assert_max_num_queries):
    for n in range(5):
        CampaignFactory(definition=with_tags(vip))
        CampaignFactory(tag_action="take_off", tag=gold)
        SavedAudience.objects.create(name=f"A{n}", definition=with_tags(vip, gold))
    with django_assert_max_num_queries(2):
        found = tag_uses.uses(in_northside)
    assert (len(found[vip.pk]), len(found[gold.pk])) == (10, 10)


@pytest.mark.parametrize("definition", [None, {}, {"filters": None}, {"filters": [3]}, {"filters": [{"key": "age"}]}])
def test_a_definition_without_tags_names_none(definition):
    assert tag_uses.tags_in(definition) == set()


@pytest.mark.django_db(transaction=True)
def test_a_merge_in_the_middle_of_a_job_lets_it_go_on_with_the_other_tag(northside, monkeypatch):
    """The merge waits for the part in hand; the parts after it put on the tag that is left; undoing takes it off."""
    monkeypatch.setattr(tagging, "PART", 3)
    with practice_scope(northside):
        vip, gold = TagFactory(name="VIP"), TagFactory(name="Gold")
        for _ in range(9):
            PatientFactory()
        job = tagging.start(vip, "put_on", Patient.objects.all(), "All", None)
    in_hand, merged, real = threading.Event(), threading.Event(), tagging._put_on

    def slow(*args):
        changed = real(*args)
        in_hand.set()
        assert not merged.wait(0.3), "the merge came in the middle of a part"
        return changed

    def merge():
        in_hand.wait(10)
        with practice_scope(northside):
            tag_changes.merge(vip, gold, None)
        merged.set()
        connections.close_all()

    monkeypatch.setattr(tagging, "_put_on", slow)
    thread = threading.Thread(target=merge)
    thread.start()
    assert tagging._work_part(northside.pk, job.pk)
    thread.join(10)
    assert merged.is_set()
    monkeypatch.setattr(tagging, "_put_on", real)
    assert not tagging.work(northside.pk, job.pk)
    with practice_scope(northside):
        assert set(PatientTag.objects.values_list("tag__name", flat=True)) == {"Gold"}
        assert PatientTag.objects.count() == 9
        tagging.undo(TagJob.objects.get(), None)
    assert not tagging.work(northside.pk, job.pk)
    with practice_scope(northside):
        assert not PatientTag.objects.exists()
