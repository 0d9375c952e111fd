"""A blast starts from a saved audience, is told when that changes, and leaves its filters as one."""

import pytest
from django.test import Client

from audience import saved
from audience.models import SavedAudience
from campaigns import blast, drafts, moves
from campaigns.problems import problems
from tests.campaigns.conftest import MEN, WOMEN, make_blast, make_patients
from tests.factories import TagFactory


@pytest.fixture
def uma(people):
    client = Client()
    client.force_login(people.uma)
    return client


@pytest.fixture
def men(draft, people):
    return saved.create("Men", "", MEN, ["email"], people.uma)


def _url(campaign, where=""):
    return f"/northside/campaigns/blasts/{campaign.pk}/audience/{where}"


def test_a_blast_takes_a_saved_audiences_filters_and_says_whose_they_are(uma, draft, men):
    assert "Use a saved audience" in uma.get(_url(draft)).text
    page = uma.post(_url(draft, "use/"), {"saved": men.pk}, follow=True).text
    assert "The filters of" in page and "Men" in page
    draft.refresh_from_db()
    assert (draft.definition, draft.require, draft.saved_audience_id) == (MEN, ["email"], men.pk)


def test_changed_here_or_there_is_said_and_the_newer_ones_are_taken_by_one_press(uma, draft, men, people):
    uma.post(_url(draft, "use/"), {"saved": men.pk})
    draft.refresh_from_db()
    drafts.save_definition(draft, WOMEN, None, draft.version, people.uma)
    assert "changed here since" in uma.get(_url(draft)).text
    saved.save_filters(men, MEN | {"primary": {"key": "last_visit", "value": {"range": "today"}}}, None, 1, people.mona)
    told = uma.get(f"/northside/campaigns/blasts/{draft.pk}/panel/").text
    assert "“Men” has changed" in told and "Mona" in told
    draft.refresh_from_db()
    assert draft.definition == WOMEN, "nothing changes by itself"
    uma.post(_url(draft, "use/"), {"saved": men.pk})
    draft.refresh_from_db()
    assert draft.definition["primary"]["key"] == "last_visit"


def test_one_with_a_deleted_tag_is_not_taken_and_says_why(uma, draft, people):
    tag = TagFactory(name="Workshop")
    without = {"key": "tags", "mode": "exclude", "value": {"match": "any", "tags": [tag.pk]}}
    others = saved.create("Others", "", {"primary": None, "filters": [without]}, None, people.uma)
    tag.delete()
    page = uma.post(_url(draft, "use/"), {"saved": others.pk}, follow=True).text
    assert "“Others” was not taken." in page and "no longer exists" in page
    draft.refresh_from_db()
    assert draft.definition == WOMEN


def test_the_filters_of_a_blast_become_an_audience_that_others_find(uma, draft, people):
    page = uma.post(_url(draft, "keep/"), {"name": "Women", "description": "For the talk"}, follow=True).text
    assert "Saved as “Women”" in page and "The filters of" in page
    kept = SavedAudience.objects.get()
    assert (kept.definition, kept.require) == (WOMEN, None)
    assert "New hours" in uma.get(f"/northside/audiences/{kept.pk}/").text, "where it is used"
    assert "1 campaign" in uma.get("/northside/audiences/").text


def test_deleting_it_leaves_the_blast_its_filters(uma, draft, men, people):
    drafts.use_saved(draft, men, draft.version, people.uma)
    saved.delete(men, people.uma)
    draft.refresh_from_db()
    assert (draft.definition, draft.saved_audience_id) == (MEN, None)
    assert uma.get(_url(draft)).status_code == 200


def test_a_saved_audience_of_the_whole_practice_is_refused_like_any_other(people, in_northside, senders):
    make_patients()
    everyone = {"key": "sex", "mode": "include", "value": {"sex": ["female", "male"]}}
    all_of_them = saved.create("All", "", {"primary": None, "filters": [everyone]}, None, people.uma)
    draft = make_blast(people.uma)
    drafts.use_saved(draft, all_of_them, draft.version, people.uma)
    blast.load(draft, people.uma)
    assert "cannot go to the whole practice" in " ".join(problem.text for problem in problems(draft))
    with pytest.raises(moves.Blocked):
        moves.enable(draft, people.uma)
