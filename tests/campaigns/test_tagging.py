"""A blast that tags: with a message or without one, everyone it is for, once, and to be undone."""

import pytest

from audience import tagging, tags
from audience.models import Patient, PatientTag, Tag, TagJob
from campaigns import blast, drafts, engine, moves
from campaigns.models import Campaign
from campaigns.problems import problems
from messaging.models import Message
from tests.campaigns.conftest import WOMEN, make_blast, make_patients
from tests.factories import TagFactory
from trackstat.tenancy.models import PracticeSettings


@pytest.fixture
def tagger(people, in_northside):
    """A blast to three women, one of them without a phone, that has no message; "Called" is put on."""
    make_patients()
    Patient.objects.filter(first_name="Ana0").update(cell="", can_text=False)
    campaign = drafts.create("blast", "Call list", people.uma)
    drafts.save_definition(campaign, WOMEN, None, campaign.version, people.uma)
    return drafts.save_tag_action(campaign, "put_on", TagFactory(name="Called"), campaign.version, people.uma)


def run(campaign):
    engine.work(campaign.practice_id)
    for job in TagJob.objects.all():
        while tagging.work(campaign.practice_id, job.pk):
            pass
    engine.work(campaign.practice_id)
    campaign.refresh_from_db()


def carriers():
    return sorted(PatientTag.objects.filter(tag__name="Called").values_list("patient__first_name", flat=True))


def test_a_blast_without_a_message_tags_its_audience_and_writes_to_nobody(tagger, people):
    assert blast.load(tagger, people.uma) == 3, "nobody is written to, so nothing is required of them"
    assert problems(tagger) == []
    assert moves.enable(tagger, people.uma)
    run(tagger)
    assert carriers() == ["Ana0", "Ana1", "Ana2"]
    assert tagger.state == Campaign.State.SENT
    assert not Message.objects.exists()
    job = TagJob.objects.get()
    assert (job.state, job.campaign_id, job.whom) == ("done", tagger.pk, "Everyone of “Call list”")
    run(tagger)
    assert TagJob.objects.count() == 1


def test_it_needs_no_sender_no_attestation_and_may_be_for_the_whole_practice(tagger, people):
    PracticeSettings.objects.update(attested_at=None)
    everyone = {"primary": None, "filters": [{"key": "age", "mode": "include", "value": {"min": 1}}]}
    drafts.save_definition(tagger, everyone, None, tagger.version, people.uma)
    assert blast.load(tagger, people.uma) == 6
    assert problems(tagger) == []
    assert moves.enable(tagger, people.uma)
    run(tagger)
    assert len(carriers()) == 6


def test_a_whole_household_is_tagged_where_nobody_is_written_to(tagger, people):
    Patient.objects.update(cell="+16175550123", can_text=True)
    assert blast.load(tagger, people.uma) == 3


def test_without_message_and_tag_there_is_nothing_to_switch_on(tagger, people):
    blast.load(tagger, people.uma)
    drafts.save_tag_action(tagger, "", None, tagger.version, people.uma)
    assert any("There is no message yet" in problem.text for problem in problems(tagger))
    drafts.save_tag_action(tagger, "put_on", Tag.objects.get(), tagger.version, people.uma)
    Campaign.objects.filter(pk=tagger.pk).update(tag=None)
    tagger.refresh_from_db()
    assert any("The tag to put on or take off was deleted" in problem.text for problem in problems(tagger))


def test_a_blast_with_a_message_tags_those_it_goes_to_when_it_begins(people, in_northside, senders):
    make_patients()
    campaign = make_blast(people.uma)
    called = TagFactory(name="Called")
    tags.put_on(called, Patient.objects.filter(first_name="Ana1"))
    drafts.save_tag_action(campaign, "take_off", called, campaign.version, people.uma)
    blast.load(campaign, people.uma)
    moves.enable(campaign, people.uma)
    assert carriers() == ["Ana1"], "not before it begins"
    run(campaign)
    assert carriers() == []
    assert Message.objects.filter(campaign_id=campaign.pk).count() == 3


def test_the_systems_own_tag_and_no_tag_at_all_are_refused(tagger, people):
    with pytest.raises(tags.BadTag):
        drafts.save_tag_action(tagger, "put_on", TagFactory(name="np start", reserved=True), tagger.version, people.uma)
    with pytest.raises(tags.BadTag, match="Choose the tag"):
        drafts.save_tag_action(tagger, "put_on", None, tagger.version, people.uma)


def test_the_wizard_says_that_patients_are_tagged_and_nobody_is_written_to(tagger, people, client):
    client.force_login(people.uma)
    step = f"/northside/campaigns/blasts/{tagger.pk}"
    drafts.save_tag_action(tagger, "", None, tagger.version, people.uma)
    client.post(f"{step}/tag-action/", {"action": "put_on", "name": "Called", "version": tagger.version})
    tagger.refresh_from_db()
    assert (tagger.tag_action, tagger.tag.name) == ("put_on", "Called")
    assert "Next: review, without a message" in client.get(f"{step}/message/").text
    blast.load(tagger, people.uma)
    review = client.get(f"{step}/review/").text
    assert "“Called” is put on <b>3</b> patients. Nobody is written to." in review
    assert "There is no message yet" not in review
    refused = client.post(
        f"{step}/tag-action/", {"action": "put_on", "name": "", "version": tagger.version}, follow=True
    )
    assert "Give the tag a name" in refused.text
    moves.enable(tagger, people.uma)
    run(tagger)
    assert "3 of 3 patients got it" in client.get(f"{step}/review/").text
    assert "3 of 3 patients got it" in client.get(f"/northside/reports/campaigns/{tagger.pk}/").text
