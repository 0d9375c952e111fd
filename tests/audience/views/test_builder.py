"""The audience builder as the blast wizard hosts it: saving, count, preview, removal, why."""

import datetime as dt

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audience.builder import posted
from audience.models import Patient
from campaigns.models import AudienceRemoval, Campaign
from campaigns.problems import problems
from campaigns.recipients import audience_of
from tests.factories import CampaignFactory, PatientFactory, TagFactory
from trackstat.tenancy.scope import practice_scope

AGE = {"row": "f0", "f0-key": "age", "f0-mode": "include", "f0-min": "18", "f0-max": ""}
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def campaign(northside):
    with practice_scope(northside):
        PatientFactory(last_name="Alvarez", cell="")
        PatientFactory(last_name="Baker")
        PatientFactory(last_name="Child", birth_date=dt.date(2020, 1, 1))
        return CampaignFactory(definition={"primary": None, "filters": []}, require=["cell"])


@pytest.fixture
def desk(people, campaign):
    """Uma at the campaign's Audience step: `desk.get()`, `desk.post("save", …)`."""
    return Desk(people.uma, campaign)


class Desk:
    def __init__(self, person, campaign):
        self.client, self.campaign = Client(), campaign
        self.client.force_login(person)
        self.root = f"/northside/campaigns/blasts/{campaign.pk}/audience/"

    def get(self, where="", **data):
        return self.client.get(self.root + where, data, headers=HTMX if where or data else {}).text

    def post(self, where, htmx=True, **data):
        if where == "save":
            with practice_scope(self.campaign.practice):
                self.campaign.refresh_from_db()
            data = {"version": self.campaign.version, "touched": "1", "require": ["cell"]} | data
        path, _, query = where.partition("?")
        return self.client.post(f"{self.root}{path}/?{query}", data, headers=HTMX if htmx else {})

    def saved(self):
        with practice_scope(self.campaign.practice):
            self.campaign.refresh_from_db()
        return self.campaign.definition


def test_a_blank_audience_asks_for_a_filter_and_names_no_number(desk):
    page = desk.get()
    assert "Choose a date range or add a filter" in page
    assert "an audience is never the whole practice" in page
    assert "Load " not in page.split('id="audience-loading"')[1].split("</section>")[0]


def test_an_edit_saves_itself_and_answers_with_the_count_and_the_reasons_follow(desk):
    answer = desk.post("save", **AGE)
    assert desk.saved() == {"primary": None, "filters": [{"key": "age", "mode": "include", "value": {"min": 18}}]}
    assert '<span class="n">1</span>' in answer.text
    assert "Age 18 or older" in answer.text
    assert "audience-changed" in answer["HX-Trigger"]
    effects = desk.get(show="effects")
    assert "all patients" in effects and "age 18 or older" in effects and "no cell phone" in effects


def test_adding_a_filter_starts_it_with_a_value_that_can_be_used(desk):
    answer = desk.post("save", add="age")
    assert desk.saved()["filters"] == [{"key": "age", "mode": "include", "value": {"min": 18}}]
    assert 'name="f0-min" value="18"' in answer.text


def test_dropping_a_filter_takes_only_that_one_away(desk):
    two = AGE | {"row": ["f0", "f1"], "f1-key": "sex", "f1-mode": "exclude", "f1-sex": ["male"]}
    desk.post("save", **two)
    desk.post("save", **two, drop="f0")
    assert desk.saved()["filters"] == [{"key": "sex", "mode": "exclude", "value": {"sex": ["male"]}}]


def test_the_primary_date_is_chosen_and_changed_to_another_kind(desk):
    desk.post("save", **{"p-key": "last_visit"})
    assert desk.saved()["primary"]["value"] == {"range": "ago", "least": 6, "most": 18, "unit": "months"}
    desk.post("save", **{"p-key": "last_visit", "p-range": "last", "p-most": "3", "p-unit": "weeks", "p-least": "6"})
    assert desk.saved()["primary"]["value"] == {"range": "last", "most": 3, "unit": "weeks"}
    desk.post("save", **{"p-key": "next_visit", "p-range": "last", "p-most": "3", "p-unit": "weeks"})
    assert desk.saved()["primary"] == {"key": "next_visit", "value": {"range": "next", "most": 7, "unit": "days"}}
    desk.post("save", **{"p-key": "", "add": "sex"})
    assert desk.saved()["primary"] is None


TAGS = {"row": ["f0", "f1"], "f1-key": "tags", "f1-mode": "include", "f1-match": "any"}


def test_a_filter_without_its_value_yet_is_kept_and_the_others_are_counted_without_it(desk):
    desk.post("save", **AGE)
    answer = desk.post("save", **AGE, add="tags").text
    assert '<span class="n">1</span>' in answer and "Not counted yet: Tags has no value." in answer
    assert "Choose at least one tag. Until then it is not counted." in answer and "errorlist" not in answer
    assert [each["key"] for each in desk.saved()["filters"]] == ["age", "tags"]
    # What is changed beside it is not lost, either.
    desk.post("save", **AGE | TAGS | {"f0-min": "30"})
    page = desk.get()
    assert 'name="f0-min" value="30"' in page and "Not counted yet: Tags has no value." in page
    assert "Age 30 or older" in page and "errorlist" not in page


def test_the_first_field_of_an_added_filter_has_the_keyboard(desk):
    answer = desk.post("save", **AGE, add="tags").text
    row = answer.split('id="row-f1"')[1]
    assert 'class="part" data-here' in row and answer.count("data-here") == 1


def test_loading_says_at_its_fields_what_a_filter_lacks(desk, northside):
    with practice_scope(northside):
        TagFactory()
    desk.post("save", **AGE, add="tags")
    answer = desk.post("load", htmx=False, **AGE | TAGS)
    assert answer["Location"] == f"{desk.root}?lacking=1"
    page = desk.client.get(answer["Location"]).text
    assert "Not loaded. Tags: Choose at least one tag." in page
    row = page.split('id="row-f1"')[1].split('id="row-')[0]
    assert '<ul class="errorlist"' in row and "data-here" in row
    with practice_scope(northside):
        desk.campaign.refresh_from_db()
        assert "Tags: Choose at least one tag." in [each.text for each in problems(desk.campaign)]
    # The next change of anything draws it as one that is being filled in.
    drawn = page.split('name="drawn" value="')[1].split('"')[0]
    mended = desk.post("save", **AGE | TAGS | {"f0-min": "20", "drawn": drawn})
    assert "HX-Reswap" not in mended and "errorlist" not in mended.text


def test_only_filters_without_a_value_name_no_number_and_nothing_is_wrong(desk):
    answer = desk.post("save", add="tags").text
    assert '<span class="n">–</span>' in answer and "Not counted yet: Tags has no value." in answer
    assert "Choose a date range or add a filter" not in answer and "errorlist" not in answer


def test_a_value_that_cannot_be_meant_is_said_beside_it_and_nothing_is_kept_or_counted(desk):
    drawn = desk.post("save", **AGE).text.split('name="drawn" value="')[1].split('"')[0]
    before = desk.saved()
    answer = desk.post("save", **AGE | {"f0-max": "10", "drawn": drawn})
    note = answer.text.split('id="f0-note" hx-swap-oob')[1].split("</p>")[0]
    assert answer["HX-Reswap"] == "none" and "state" in note and "Age" in note
    assert '<span class="n">–</span>' in answer.text and desk.saved() == before


def test_the_dates_of_a_range_follow_its_values(desk):
    first = {"p-key": "last_visit", "p-range": "ago", "p-least": "6", "p-most": "18", "p-unit": "months"}
    answer = desk.post("save", **first).text
    drawn = answer.split('name="drawn" value="')[1].split('"')[0]
    note = answer.split('id="p-note" hx-swap-oob="true">')[1].split("</p>")[0]
    other = desk.post("save", **first | {"p-most": "12", "drawn": drawn})
    assert note and note != other.text.split('id="p-note" hx-swap-oob="true">')[1].split("</p>")[0]
    assert other["HX-Reswap"] == "none"


def test_only_the_numbers_are_swapped_while_the_shape_of_the_filters_stays(desk):
    first = desk.post("save", **AGE)
    drawn = first.text.split('name="drawn" value="')[1].split('"')[0]
    again = desk.post("save", **AGE | {"f0-min": "30", "drawn": drawn})
    assert again["HX-Reswap"] == "none"
    assert "HX-Reswap" not in desk.post("save", **AGE | {"drawn": drawn, "add": "sex"})


def test_without_script_a_save_leads_back_to_the_page(desk):
    answer = desk.post("save", htmx=False, **AGE)
    assert (answer.status_code, answer["Location"]) == (302, desk.root)


def test_the_boxes_follow_the_messages_until_one_is_touched():
    assert posted(QueryDict("touched=&require=cell"))[1] is None
    assert posted(QueryDict("touched=1&require=cell&require=fax"))[1] == ["cell"]
    assert posted(QueryDict("touched=1"))[1] == []


def test_the_preview_shows_who_matches_and_after_loading_who_was_loaded(desk, northside):
    desk.post("save", **AGE)
    assert "Baker" in desk.get(q="") and "Alvarez" not in desk.get(q="")
    desk.post("load")
    with practice_scope(northside):
        PatientFactory(last_name="Zeller")
    assert "Zeller" not in desk.get()
    desk.post("save", **AGE | {"f0-min": "19"})
    page = desk.get()
    assert "out of date" in page and "Zeller" in page


@pytest.mark.parametrize("one_per_household", [True, False])
def test_the_preview_counts_once_and_reads_the_page_whose_speed_is_measured(desk, northside, one_per_household):
    desk.post("save", **AGE)
    with practice_scope(northside):
        Campaign.objects.update(one_per_household=one_per_household)
        with CaptureQueriesContext(connection) as measured:
            assert audience_of(Campaign.objects.get()).page()
    with CaptureQueriesContext(connection) as questions:
        assert "Baker" in desk.get(q="")
    preview = [each["sql"] for each in questions]
    assert measured[-1]["sql"].rpartition(" LIMIT ")[0] in [sql.rpartition(" LIMIT ")[0] for sql in preview]
    assert len([sql for sql in preview if "birth_date" in sql and sql.startswith("SELECT COUNT(")]) == 1


def test_a_removed_patient_stays_out_is_listed_and_comes_back_by_undo(desk, northside):
    desk.post("save", **AGE)
    with practice_scope(northside):
        baker = Patient.objects.get(last_name="Baker")
    desk.post("remove", patient=baker.pk)
    assert "removed by hand" in desk.get(show="effects")
    desk.post("load")
    assert "Baker" not in desk.get(q="")
    assert "Put Ana Baker back" in desk.get(show="removed")
    assert "Put Ana Baker back" not in desk.get(show="removed", q="alv")
    assert "Put Ana Baker back" in desk.get("why/", patient=baker.pk)
    desk.post("undo", patient=baker.pk)
    assert "Baker" in desk.get(q="") and "Removed" not in desk.get(q="")


def test_hundreds_who_were_removed_are_searched_paged_and_put_back_at_once(desk, northside):
    desk.post("save", **AGE)
    with practice_scope(northside):
        for n in range(60):
            AudienceRemoval.objects.create(campaign=desk.campaign, patient=PatientFactory(last_name=f"Gone{n:02}"))
    desk.post("load")
    listed = desk.get(show="removed")
    assert "1–50 of 60" in listed and "All <b>60</b> come back" in listed
    assert "1–1 of 1" in desk.get(show="removed", q="gone07")
    assert desk.post("undo?all=1", htmx=False).status_code == 302
    assert "1–50 of 61" in desk.get(q="")
    assert "Removed" not in desk.get(q="")


@pytest.mark.parametrize("patient", ["", "x", "987654321", "9" * 40])
def test_removing_nobody_there_is_not_found(patient, desk):
    assert desk.post("remove", patient=patient).status_code == 404


def test_why_someone_is_not_here_is_answered_line_by_line(desk, northside):
    desk.post("save", **AGE)
    with practice_scope(northside):
        alvarez = Patient.objects.get(last_name="Alvarez")
    assert "Alvarez, Ana" in desk.get("why/", why="alv")
    told = desk.get("why/", patient=alvarez.pk)
    assert "Not in the audience" in told and "No cell phone" in told and "Age " in told
    assert "Nobody is found" in desk.get("why/", why="zzz")


def test_a_sent_campaign_shows_its_filters_and_changes_nothing(desk, northside):
    desk.post("save", **AGE)
    with practice_scope(northside):
        Campaign.objects.update(state=Campaign.State.STOPPED)
    page = desk.get()
    assert "Add filter</span>" not in page and 'name="drop"' not in page and "disabled" in page


def test_the_page_asks_the_same_number_of_questions_for_three_patients_as_for_thirty(desk, northside):
    with practice_scope(northside):
        tag = TagFactory()
    tagged = {"row": ["f0", "f1"], "f1-key": "tags", "f1-mode": "exclude", "f1-match": "any", "f1-tags": [tag.pk]}
    desk.post("save", **AGE | tagged)

    def asked(act):
        with CaptureQueriesContext(connection) as questions:
            act()
        return len(questions)

    page, save = asked(desk.get), asked(lambda: desk.post("save", **AGE | tagged | {"f0-min": "20"}))
    with practice_scope(northside):
        for _ in range(27):
            PatientFactory()
    assert asked(desk.get) <= page
    assert asked(lambda: desk.post("save", **AGE | tagged | {"f0-min": "21"})) == save
