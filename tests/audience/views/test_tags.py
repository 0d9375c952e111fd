"""The tags page, and tagging many from lists: what is said before, what happens, and how it is taken back."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audience import tagging, tags
from audience.models import Patient, PatientTag, Tag, TagJob
from campaigns import blast
from tests.factories import CampaignFactory, PatientFactory, TagFactory
from trackstat.tenancy.scope import practice_scope

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
PAGE = "/northside/tags/"


@pytest.fixture
def uma(people):
    client = Client()
    client.force_login(people.uma)
    return client


@pytest.fixture
def vip(northside):
    with practice_scope(northside):
        tag = TagFactory(name="VIP")
        for name in ("Alvarez", "Baker"):
            tags.put_on(tag, PatientFactory(last_name=name))
        PatientFactory(last_name="Cole")
        return tag


def filtered_by(tag):
    value = {"match": "any", "tags": [tag.pk]}
    return {"primary": None, "filters": [{"key": "tags", "mode": "include", "value": value}]}


def run_jobs(northside):
    with practice_scope(northside):
        jobs = list(TagJob.objects.values_list("pk", flat=True))
    for job in jobs:
        while tagging.work(northside.pk, job):
            pass


def test_the_page_says_how_many_carry_a_tag_and_where_it_is_used(uma, vip, northside):
    with practice_scope(northside):
        CampaignFactory(name="Autumn", definition=filtered_by(vip))
        TagFactory(name="np start", reserved=True), TagFactory(name="not qualified", always_excluded=True)
    page = uma.get(PAGE).text
    for words in ("Filter of the blast", "Autumn", "After a new patient", "Keeps announcements away"):
        assert words in page
    assert "cannot be deleted while it is used in 1 place" in page
    assert "VIP" not in uma.get(PAGE, {"q": "start"}, headers=HTMX).text


def test_the_page_costs_the_same_for_three_tags_and_thirty(uma, vip, northside):
    numbers = []
    for more in (3, 20):
        with practice_scope(northside):
            for n in range(more):
                tag = TagFactory(name=f"Tag {more} {n}")
                tags.put_on(tag, Patient.objects.first())
                CampaignFactory(definition=filtered_by(tag))
        with CaptureQueriesContext(connection) as queries:
            uma.get(PAGE, {"sort": "-patients"})
        numbers.append(len(queries))
    assert numbers[0] == numbers[1]


def test_a_tag_is_made_renamed_and_deleted(uma, vip, northside):
    uma.post(f"{PAGE}new/", {"name": "Gold"})
    assert "There is a tag “Gold” already" in uma.post(f"{PAGE}new/", {"name": "gold"}, follow=True).text
    with practice_scope(northside):
        gold = Tag.objects.get(name="Gold")
    uma.post(f"{PAGE}{gold.pk}/rename/", {"name": "Golden"})
    told = uma.post(f"{PAGE}{vip.pk}/delete/", follow=True).text
    assert "Deleted “VIP”. 2 patients carried it." in told
    with practice_scope(northside):
        assert list(Tag.objects.values_list("name", flat=True)) == ["Golden"]


def test_a_name_that_is_taken_leads_to_merging_which_says_what_happens(uma, vip, northside):
    with practice_scope(northside):
        gold = TagFactory(name="Gold")
        tags.put_on(gold, Patient.objects.get(last_name="Baker"))
        CampaignFactory(name="Autumn", definition=filtered_by(gold))
    page = uma.post(f"{PAGE}{gold.pk}/rename/", {"name": "vip"}, follow=True)
    assert page.redirect_chain == [(f"{PAGE}{gold.pk}/merge/?into={vip.pk}", 302)]
    assert "<b>1</b> patient carries “Gold” and will carry “VIP”; 1 of them does already." in page.text
    assert "Autumn" in page.text
    assert "is “VIP” now; 0 patients got it" in uma.post(f"{PAGE}{gold.pk}/merge/", {"into": vip.pk}, follow=True).text
    assert uma.post(f"{PAGE}{vip.pk}/merge/", {"into": vip.pk}).status_code == 422


def test_a_tag_comes_off_everyone_and_on_again(uma, vip, northside):
    uma.post(f"{PAGE}{vip.pk}/take-off/")
    run_jobs(northside)
    assert "2 patients carried it and do not any more" in uma.get(PAGE).text
    with practice_scope(northside):
        assert not PatientTag.objects.exists()
        job = TagJob.objects.get()
    uma.post(f"{PAGE}jobs/{job.pk}/undo/")
    run_jobs(northside)
    assert "2 patients have it again" in uma.get(PAGE).text


def test_what_was_searched_for_among_the_patients_is_tagged_and_nobody_else(uma, vip, northside):
    ask = uma.get("/northside/patients/tag/", {"q": "cole"}, headers=HTMX).text
    assert "<b>1</b> patient: Patients found by “cole”" in ask
    uma.post("/northside/patients/tag/", {"q": "cole", "name": "Gold", "action": "put_on"})
    run_jobs(northside)
    with practice_scope(northside):
        assert list(PatientTag.objects.filter(tag__name="Gold").values_list("patient__last_name", flat=True)) == [
            "Cole"
        ]
    assert "1 of 1 patient got it" in uma.get(PAGE).text


def test_what_cannot_be_tagged_says_why(uma, vip, northside):
    with practice_scope(northside):
        TagFactory(name="np start", reserved=True)
    for name, action, why in (
        ("np start", "put_on", "never in bulk"),
        ("", "put_on", "Give the tag a name"),
        ("Nobody's", "take_off", "There is no tag of that name"),
    ):
        answer = uma.post("/northside/patients/tag/", {"name": name, "action": action})
        assert (answer.status_code, why in answer.text) == (422, True), name
    with practice_scope(northside):
        assert not TagJob.objects.exists()


def test_everyone_loaded_is_tagged_from_the_preview_and_the_page_follows_it(uma, vip, northside):
    with practice_scope(northside):
        campaign = CampaignFactory(name="Autumn", definition=filtered_by(vip), require=[])
        blast.load(campaign, None)
        tags.put_on(vip, Patient.objects.get(last_name="Cole"))
    step = f"/northside/campaigns/blasts/{campaign.pk}/audience/"
    assert f"{step}tag/" in uma.get(step).text
    assert "<b>2</b> patients: Everyone loaded in “Autumn”" in uma.get(f"{step}tag/", headers=HTMX).text
    uma.post(f"{step}tag/", {"name": "Called", "action": "put_on"})
    page = uma.get(step).text
    assert "0 of 2 patients" in page and 'hx-trigger="every 2s"' in page
    run_jobs(northside)
    with practice_scope(northside):
        job = TagJob.objects.get()
        assert PatientTag.objects.filter(tag__name="Called").count() == 2
    line = uma.get(f"{PAGE}jobs/{job.pk}/", headers=HTMX).text
    assert "2 of 2 patients got it" in line and "every 2s" not in line


def test_a_blast_whose_filter_has_no_value_yet_tags_nobody_and_says_why(uma, northside):
    with practice_scope(northside):
        PatientFactory()
        waiting = {"key": "diagnosis", "mode": "include", "value": {"which": "ever"}}
        campaign = CampaignFactory(definition={"primary": None, "filters": [waiting]})
    step = f"/northside/campaigns/blasts/{campaign.pk}/audience/"
    answer = uma.post(f"{step}tag/", {"name": "Called", "action": "put_on"}, follow=True)
    assert "Nobody was tagged. Diagnosis: Choose a code" in answer.text
    assert answer.request["QUERY_STRING"] == "lacking=1"
    with practice_scope(northside):
        assert not PatientTag.objects.exists() and not TagJob.objects.exists()


def test_who_may_not_tag_is_offered_nothing(people, vip):
    fred = Client()
    fred.force_login(people.fred)
    assert "/patients/tag/" not in fred.get("/northside/patients/").text
    assert "/northside/tags/" not in fred.get("/northside/patients/").text
