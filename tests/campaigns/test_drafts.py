"""Editing while a campaign is off; two people at once."""

import datetime as dt

import pytest

from audience.filters import BadDefinition
from campaigns import blast, drafts, moves
from campaigns.drafts import BadWords, Conflict, NotEditable
from campaigns.models import Campaign
from messaging.models import Content
from tests.campaigns.conftest import MEN, WOMEN, WORDS
from tests.factories import MessageFactory
from trackstat.tenancy.models import AuditEvent


def _save(campaign, by, body=WORDS, position=1, version=None, **given):
    step = {"channel": "text", "subject": "", "when": "now", "at_local": None, "delay_minutes": 0} | given
    return drafts.save_step(campaign, body=body, version=version or campaign.version, by=by, position=position, **step)


def test_a_new_campaign_is_a_disabled_draft_with_an_audit_row(people, in_northside):
    campaign = drafts.create("blast", "  New   hours ", people.uma)
    assert (campaign.name, campaign.state, campaign.version, campaign.created_by) == (
        "New hours",
        "draft",
        1,
        people.uma,
    )
    event = AuditEvent.objects.get()
    assert (event.action, event.object_id, event.user) == ("campaign.created", campaign.pk, people.uma)
    with pytest.raises(ValueError, match="name"):
        drafts.create("blast", "  ", people.uma)


def test_every_save_raises_the_version(draft, people):
    version = draft.version
    drafts.rename(draft, "Newer hours", version, people.uma)
    assert (draft.version, draft.name) == (version + 1, "Newer hours")
    drafts.save_category(draft, "appointment", draft.version, people.uma)
    assert (draft.version, draft.category) == (version + 2, "appointment")


def test_the_loser_of_two_editors_sees_both_versions_and_overwrites_nothing(draft, people):
    seen_by_both = draft.version
    drafts.save_definition(draft, MEN, None, seen_by_both, people.uma)
    with pytest.raises(Conflict) as conflict:
        drafts.save_definition(draft, {"primary": None, "filters": []}, ["cell"], seen_by_both, people.mona)
    assert conflict.value.yours == {"definition": {"primary": None, "filters": []}, "require": ["cell"]}
    assert conflict.value.theirs == {"definition": MEN, "require": None}
    draft.refresh_from_db()
    assert draft.definition == MEN


def test_sending_the_same_form_twice_is_no_conflict(draft, people):
    version = draft.version
    drafts.save_definition(draft, MEN, None, version, people.uma)
    drafts.save_definition(draft, MEN, None, version, people.uma)
    assert draft.version == version + 1
    _save(draft, people.uma, "Other words")
    _save(draft, people.uma, "Other words", version=draft.version - 1)


def test_two_editors_of_one_message_see_both_texts(draft, people):
    version = draft.version
    _save(draft, people.uma, "By Uma")
    with pytest.raises(Conflict) as conflict:
        _save(draft, people.mona, "By Mona", version=version)
    assert (conflict.value.theirs["body"], conflict.value.yours["body"]) == ("By Uma", "By Mona")
    assert draft.steps.get().content.body == "By Uma"


def test_only_changed_words_are_a_new_content(draft, people):
    before = draft.steps.get().content
    _save(draft, people.uma, when="at", at_local=dt.datetime.fromisoformat("2027-01-05 10:00"))
    step = draft.steps.get()
    assert step.content == before
    assert step.wall_time == dt.datetime.fromisoformat("2027-01-05 10:00")
    _save(draft, people.uma, "Other words")
    assert draft.steps.get().content != before
    assert Content.objects.get(pk=before.pk).body == WORDS, "the old words stay as they were"


def test_words_that_would_not_merge_are_refused(draft, people):
    with pytest.raises(BadWords, match="PatientShoeSize"):
        _save(draft, people.uma, "Hi {{PatientShoeSize}}")
    assert draft.steps.get().content.body == WORDS


def test_nothing_written_yet_is_kept_as_a_message_without_words(draft, people):
    _save(draft, people.uma, "  ")
    assert draft.steps.get().content is None


def test_unknown_filters_and_boxes_are_refused_and_no_filter_may_be_saved(draft, people):
    with pytest.raises(BadDefinition):
        drafts.save_definition(draft, {"primary": {"key": "shoe size"}}, None, draft.version, people.uma)
    with pytest.raises(BadDefinition):
        drafts.save_definition(draft, WOMEN, ["shoe size"], draft.version, people.uma)
    drafts.save_definition(draft, {"primary": None, "filters": []}, [], draft.version, people.uma)
    assert draft.effective_require() == []


def test_untouched_boxes_follow_the_messages_channels(draft, people):
    assert draft.effective_require() == ["cell"]
    _save(draft, people.uma, channel="email", subject="New hours")
    assert draft.effective_require() == ["email"]
    drafts.remove_step(draft, 1, draft.version, people.uma)
    assert draft.effective_require() == ["address", "cell", "email"]


def test_messages_are_added_moved_and_removed(draft, people):
    second = _save(draft, people.uma, "Second", position=None, when="delay", delay_minutes=60)
    third = _save(draft, people.uma, "Third", position=None, when="delay", delay_minutes=60)
    first = draft.steps.get(position=1)
    drafts.reorder_steps(draft, [third.pk, first.pk, second.pk], draft.version, people.uma)
    assert list(draft.steps.values_list("pk", "position")) == [(third.pk, 1), (first.pk, 2), (second.pk, 3)]
    drafts.remove_step(draft, 2, draft.version, people.uma)
    assert list(draft.steps.values_list("pk", "position")) == [(third.pk, 1), (second.pk, 2)]
    with pytest.raises(ValueError, match="every message"):
        drafts.reorder_steps(draft, [third.pk], draft.version, people.uma)


def test_a_message_that_was_sent_is_not_removed(draft, people):
    MessageFactory(campaign_id=draft.pk, step_id=draft.steps.get().pk)
    with pytest.raises(NotEditable, match="stays in the report"):
        drafts.remove_step(draft, 1, draft.version, people.uma)


@pytest.mark.parametrize("state", ["enabled", "sending", "paused", "sent", "stopped"])
def test_a_campaign_that_is_not_off_is_not_edited(draft, people, state):
    Campaign.objects.update(state=state)
    for edit in (
        lambda: drafts.rename(draft, "Other", draft.version, people.uma),
        lambda: drafts.save_definition(draft, MEN, None, draft.version, people.uma),
        lambda: _save(draft, people.uma, "Other"),
        lambda: drafts.remove_step(draft, 1, draft.version, people.uma),
        lambda: blast.load(draft, people.uma),
    ):
        with pytest.raises(NotEditable, match="campaign"):
            edit()
    draft.refresh_from_db()
    assert (draft.name, draft.definition, draft.steps.get().content.body) == ("New hours", WOMEN, WORDS)


def test_an_archived_campaign_is_not_edited(draft, people):
    assert moves.archive(draft, people.uma)
    assert not moves.archive(draft, people.uma)
    with pytest.raises(NotEditable, match="deleted"):
        drafts.rename(draft, "Other", draft.version, people.uma)
