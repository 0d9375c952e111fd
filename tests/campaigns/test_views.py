"""The wizard and the lists as staff meet them, without a browser."""

import datetime as dt
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns import blast, drafts, engine, moves, received
from campaigns.models import AudienceMember, Campaign
from messaging.models import Message
from tests.campaigns.conftest import MEN, WORDS, make_blast, make_patients
from tests.factories import CampaignFactory, EnrollmentFactory, PatientFactory, StepFactory, TagFactory
from trackstat import states
from trackstat.clock import now
from trackstat.templatetags.pieces import state as state_tag
from trackstat.tenancy.models import PracticeSettings, Role

NINE = dt.datetime(2031, 3, 4, 9)  # noqa: DTZ001 -- the practice's wall clock
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def uma(people):
    return _client(people.uma)


def _client(user):
    client = Client()
    client.force_login(user)
    return client


def _url(campaign, step):
    return f"/northside/campaigns/blasts/{campaign.pk}/{step}/"


def _say(campaign, **more):
    return {"channel": "text", "subject": "", "body": WORDS, "when": "now", "version": campaign.version} | more


def _queries(client, url):
    with CaptureQueriesContext(connection) as seen:
        assert client.get(url).status_code == 200
    return len(seen)


@pytest.mark.parametrize("kind", ["blasts", "drips"])
def test_a_list_asks_the_database_as_often_for_30_campaigns_as_for_3(uma, in_northside, kind):
    def make(n):
        for _ in range(n):
            trigger = "birthday" if kind == "drips" else ""
            campaign = CampaignFactory(kind=kind.removesuffix("s"), trigger=trigger)
            StepFactory(campaign=campaign)
            EnrollmentFactory(campaign=campaign, patient=PatientFactory())

    url = f"/northside/campaigns/{kind}/"
    make(3)
    uma.get(url)
    few = _queries(uma, url)
    make(22)
    assert _queries(uma, url) == few


def test_the_newest_blast_is_first_and_search_sort_and_pages_narrow_the_list(uma, in_northside):
    for n in range(30):
        CampaignFactory(name=f"Number {n:02d}")
    page = uma.get("/northside/campaigns/blasts/").text
    assert page.index("Number 29") < page.index("Number 28")
    assert "1–25 of 30" in page and "Number 04" not in page
    assert "Number 04" in uma.get("/northside/campaigns/blasts/?page=2").text
    assert "Number 00" in uma.get("/northside/campaigns/blasts/?sort=name").text
    found = uma.get("/northside/campaigns/blasts/?q=07").text
    assert "Number 07" in found and "Number 08" not in found
    assert "No campaign has this in its name" in uma.get("/northside/campaigns/blasts/?q=nothing").text


def test_without_a_campaign_the_list_says_what_a_blast_is_for(uma):
    assert "No blast campaigns yet" in uma.get("/northside/campaigns/blasts/").text


def test_going_on_from_the_audience_saves_the_filters_on_the_page_and_loads(uma, draft):
    filters = {"p-key": "", "row": "f0", "f0-key": "sex", "f0-mode": "include", "f0-sex": "male"}
    given = filters | {"version": draft.version, "next": "message"}
    response = uma.post(f"{_url(draft, 'audience')}load/", given, headers=HTMX)
    assert response["HX-Redirect"] == _url(draft, "message")
    draft.refresh_from_db()
    assert draft.definition == MEN
    assert draft.loaded_count == AudienceMember.objects.filter(campaign=draft).count() == 3


def test_going_on_from_the_message_loads_an_audience_that_is_out_of_date(uma, draft, people):
    blast.load(draft, people.uma)
    drafts.save_definition(draft, MEN, None, draft.version, people.uma)
    assert draft.is_stale
    response = uma.post(_url(draft, "message"), _say(draft, next="review"), headers=HTMX)
    assert response["HX-Redirect"] == _url(draft, "review")
    draft.refresh_from_db()
    assert not draft.is_stale


def test_words_that_do_not_merge_are_not_saved_and_say_why(uma, draft):
    response = uma.post(_url(draft, "message"), _say(draft, body="Hi {{Diagnosis}}"), headers=HTMX)
    assert response.status_code == 422
    assert "Not saved" in response.text and "Diagnosis" in response.text
    assert draft.steps.get().content.body == WORDS


def test_unfinished_words_are_kept_and_the_panel_says_what_is_missing(uma, draft):
    response = uma.post(_url(draft, "message"), _say(draft, channel="email", body="Hello"), headers=HTMX)
    assert response.status_code == 200
    assert "The email has no subject yet." in response.text
    assert draft.steps.get().content.body == "Hello"


def test_two_people_writing_at_once_see_both_texts_and_nothing_is_lost(uma, draft):
    old = draft.version
    uma.post(_url(draft, "message"), _say(draft, body="Theirs"), headers=HTMX)
    refused = uma.post(_url(draft, "message"), _say(draft, body="Mine", version=old), headers=HTMX)
    assert refused.status_code == 422
    assert "Theirs" in refused.text and "Keep mine" in refused.text
    assert draft.steps.get().content.body == "Theirs"
    # The page keeps its version: typing on does not overwrite either.
    assert f'name="version" value="{old}"' in refused.text
    draft.refresh_from_db()
    kept = uma.post(_url(draft, "message"), _say(draft, body="Mine", version=old, over=draft.version), headers=HTMX)
    assert kept.status_code == 200
    assert draft.steps.get().content.body == "Mine"


def test_filters_changed_by_somebody_else_are_named_and_ones_own_stay_on_the_page(uma, draft, people):
    old = draft.version
    drafts.save_definition(draft, MEN, None, draft.version, people.mona)
    filters = {"p-key": "", "row": "f0", "f0-key": "age", "f0-mode": "include", "f0-min": "60", "f0-max": ""}
    response = uma.post(f"{_url(draft, 'audience')}save/", filters | {"version": old}, headers=HTMX)
    assert "Somebody else has changed the filters" in response.text
    assert 'value="60"' in response.text
    draft.refresh_from_db()
    assert draft.definition == MEN


def test_the_preview_goes_through_the_patients_one_by_one(uma, draft, people):
    blast.load(draft, people.uma)
    first = uma.get(f"{_url(draft, 'message')}preview/", headers=HTMX).text
    assert "Hi Ana" in first and "1 of 3" in first
    last = uma.get(f"{_url(draft, 'message')}preview/?n=99", headers=HTMX).text
    assert "3 of 3" in last


def test_a_mail_is_shown_on_a_page_of_its_own_that_may_run_nothing(uma, people, in_northside, senders):
    make_patients()
    campaign = make_blast(people.uma, channel="email")
    blast.load(campaign, people.uma)
    patient = campaign.members.first().patient
    response = uma.get(f"{_url(campaign, 'message')}mail/{patient.pk}/")
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert f"Hi {patient.first_name}" in response.text and "1 Main Street" in response.text


def test_the_review_tells_who_when_and_what_it_comes_to(uma, draft, people):
    TagFactory(name="not qualified", always_excluded=True)
    blast.load(draft, people.uma)
    page = uma.get(_url(draft, "review")).text
    for words in ("Ready.", "Who gets it", "Sex female", "When you switch it on", "Segments", "Credits"):
        assert words in page


@pytest.mark.parametrize(
    ("state", "look", "icon"),
    [("draft", "disabled", "bell"), ("enabled", "enabled", "bell"), ("sent", "sent", "plane")],
)
def test_the_campaign_in_the_list_and_each_message_show_bell_or_aeroplane(uma, in_northside, state, look, icon):
    step = StepFactory(campaign__state=state)
    drawn = str(state_tag(look))
    assert states.look(look).icon == icon and drawn.count("<svg") == 1
    assert uma.get("/northside/campaigns/blasts/").text.count(drawn) == 1
    # Once in the head for the campaign, once beside the message.
    assert uma.get(_url(step.campaign, "review")).text.count(drawn) == 2


def test_the_way_to_the_settings_is_offered_to_whom_they_open(client, people, in_northside):
    PracticeSettings.objects.update(attested_at=None)
    step = StepFactory()
    for name, offered in (("uma", False), ("mona", True), ("olive", True)):
        client.force_login(getattr(people, name))
        page = client.get(_url(step.campaign, "review")).text
        assert "has not confirmed that its intake form" in page
        assert ("/northside/admin/" in page) is offered, name


def test_what_blocks_stands_beside_the_toggle_with_the_place_to_mend_it(uma, people, in_northside):
    campaign = drafts.create("blast", "Empty", people.uma)
    page = uma.get(_url(campaign, "review")).text
    assert "There is no message yet" in page
    assert f'href="{_url(campaign, "message")}">Mend it' in page
    assert 'aria-checked="false" disabled' in page


def test_pressing_the_toggle_twice_switches_on_once(uma, draft, people):
    blast.load(draft, people.uma)
    for _ in range(2):
        assert uma.post(f"/northside/campaigns/{draft.pk}/enable/").status_code == 302
    draft.refresh_from_db()
    assert draft.state == Campaign.State.ENABLED
    assert draft.enrollments.count() == 3


def test_switching_on_an_audience_nobody_saw_asks_first(uma, draft):
    asked = uma.post(f"/northside/campaigns/{draft.pk}/enable/")
    assert asked.status_code == 200 and "Send to 3 patients?" in asked.text
    assert 'role="switch"' not in asked.text, "the toggle would send without the question"
    draft.refresh_from_db()
    assert draft.state == Campaign.State.DRAFT
    uma.post(f"/northside/campaigns/{draft.pk}/enable/", {"confirmed_count": "3"})
    draft.refresh_from_db()
    assert draft.state == Campaign.State.ENABLED


def test_the_toggle_loads_what_is_unloaded_or_stale_and_names_who_came_and_left(uma, draft, people):
    review = uma.get(_url(draft, "review")).text
    assert "Switching on loads the audience as it is now" in review
    assert " disabled" not in review.split('role="switch"')[1].split(">")[0]
    blast.load(draft, people.uma)
    drafts.save_definition(draft, MEN, None, draft.version, people.uma)
    asked = uma.post(f"/northside/campaigns/{draft.pk}/enable/").text
    assert "The filters were changed after the audience was loaded." in asked
    assert "<b>3</b> came" in asked and "<b>3</b> left" in asked and "Ben0 Alvarez" in asked and "Ana0 Alvarez" in asked
    draft.refresh_from_db()
    assert draft.state == "draft" and not draft.enrollments.exists()


def test_while_it_sends_the_page_asks_again_and_when_it_is_over_it_stops_asking(uma, draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    assert 'hx-trigger="every 2s"' in uma.get(_url(draft, "review")).text
    part = uma.get(_url(draft, "review"), headers=HTMX).text
    assert "will not be sent" in part and 'id="campaign-state"' in part
    moves.stop(draft, people.uma)
    over = uma.get(_url(draft, "review"), headers=HTMX).text
    assert "Stopped." in over and "hx-trigger" not in over


def test_what_was_on_its_way_at_a_pause_or_stop_is_followed_until_it_has_arrived(uma, draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    engine.work(draft.practice_id)
    first = Message.objects.order_by("pk").first()
    for move, word in ((moves.pause, "Paused."), (moves.stop, "Stopped.")):
        Message.objects.filter(pk=first.pk).update(state="sending", lease_until=now(), lease_token=uuid.uuid4())
        move(draft, people.uma)
        page = uma.get(_url(draft, "review")).text
        assert word in page and 'hx-trigger="every 2s"' in page and "<dt>On the way</dt><dd>1</dd>" in page
        Message.objects.filter(pk=first.pk).update(state="sent", lease_until=None, lease_token=None)
        assert 'hx-trigger="every 2s"' not in uma.get(_url(draft, "review")).text
    page = uma.get(_url(draft, "review")).text
    assert "1 of 3 sent before the stop" in page and "<dt>Not sent</dt><dd>2</dd>" in page


def test_a_patients_page_says_that_it_shows_only_the_latest_campaigns(uma, draft, people, monkeypatch):
    monkeypatch.setattr(received, "SHOWN", 2)
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    engine.work(draft.practice_id)
    patient = Message.objects.first().patient
    url = f"/northside/patients/{patient.pk}/"
    assert "Campaigns received (the latest" not in uma.get(url).text
    Message.objects.update(patient=patient)
    assert "Campaigns received (the latest 2; older ones are in the reports)" in uma.get(url).text


def test_one_that_waits_for_its_date_says_when_and_does_not_ask_every_other_second(uma, people, in_northside, senders):
    make_patients()
    campaign = make_blast(people.uma, when="at", at_local=NINE)
    blast.load(campaign, people.uma)
    moves.enable(campaign, people.uma)
    page = uma.get(_url(campaign, "review")).text
    assert "9:00 AM" in page and 'hx-trigger="every 30s"' in page


@pytest.mark.parametrize("step", ["name", "audience", "message", "review"])
def test_a_blast_that_is_on_shows_every_step_and_offers_nothing_to_change(uma, draft, people, step):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    page = uma.get(_url(draft, step)).text
    assert "data-autosave" not in page
    assert "Save and exit" not in page


def test_who_may_only_look_sees_lists_and_review_and_no_way_to_change(people, draft):
    blast.load(draft, people.uma)
    _only_view("Manager")
    mona = _client(people.mona)
    listed = mona.get("/northside/campaigns/blasts/").text
    assert "New hours" in listed and "Add Campaign" not in listed and "Delete" not in listed
    assert mona.get(f"/northside/campaigns/blasts/{draft.pk}/")["Location"] == _url(draft, "review")
    page = mona.get(_url(draft, "review")).text
    assert "Send this campaign" not in page and ">Change<" not in page and _url(draft, "message") + '"' not in page
    assert mona.get(f"{_url(draft, 'message')}preview/", headers=HTMX).status_code == 200
    assert mona.get(_url(draft, "message")).status_code == 403
    assert mona.post(f"/northside/campaigns/{draft.pk}/enable/").status_code == 403


def test_who_may_only_look_sees_a_drip_and_cannot_save_it(people, in_northside):
    drip = CampaignFactory(kind="drip", trigger="birthday", name="Birthdays")
    StepFactory(campaign=drip, time_of_day=dt.time(10))
    _only_view("Manager")
    mona = _client(people.mona)
    url = f"/northside/campaigns/drips/{drip.pk}/"
    page = mona.get(url)
    assert page.status_code == 200 and ">Save<" not in page.text
    assert mona.post(url, {"name": "Mine"}).status_code == 403


def test_deleting_one_in_the_middle_of_sending_asks_to_stop_it_first(uma, draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    moves.pause(draft, people.uma)
    assert "Stop it first" in uma.get("/northside/campaigns/blasts/").text
    uma.post(f"/northside/campaigns/{draft.pk}/archive/")
    draft.refresh_from_db()
    assert draft.archived_at is None
    moves.stop(draft, people.uma)
    uma.post(f"/northside/campaigns/{draft.pk}/archive/")
    assert uma.get(_url(draft, "review")).status_code == 404
    assert "New hours" not in uma.get("/northside/campaigns/blasts/").text.partition('id="toasts"')[0]


def test_a_birthday_drip_is_written_saved_and_switched_on(uma, people, in_northside, senders):
    given = {"name": "Birthdays", "channel": "text", "time_of_day": "10:00", "subject": "", "body": "Happy birthday!"}
    url = uma.post("/northside/campaigns/drips/new/", given)["Location"]
    drip = Campaign.objects.get(kind="drip")
    assert url == f"/northside/campaigns/drips/{drip.pk}/"
    assert "birthday" in uma.get(url).text.lower()
    uma.post(f"/northside/campaigns/{drip.pk}/enable/")
    page = uma.get(url).text
    assert 'aria-checked="true"' in page and "Switch it off to change it" in page
    assert "Enabled" in uma.get("/northside/campaigns/drips/").text


def test_a_drip_that_paused_itself_says_why_and_is_resumed_or_stopped(uma, people, in_northside, senders, clock):
    clock.at(dt.datetime(2027, 3, 12, 14, tzinfo=dt.UTC))
    drip = CampaignFactory(kind="drip", trigger="birthday", name="Birthdays")
    StepFactory(campaign=drip, time_of_day=dt.time(10))
    PatientFactory(birth_date=dt.date(1984, 3, 12))
    moves.enable(drip, people.uma)
    PracticeSettings.objects.update(phone="")
    clock.at(dt.datetime(2027, 3, 12, 15, tzinfo=dt.UTC))
    engine.work(drip.practice_id)
    url = f"/northside/campaigns/drips/{drip.pk}/"
    page = uma.get(url).text
    assert "TrackStat paused it by itself" in page and "phone number: enter it in Settings" in page
    assert "<b>1</b> of the <b>1</b> that wait goes out now" in page
    assert "<b>0</b> sent, <b>1</b> will not be sent" in page
    assert "phone number: enter it in Settings" in uma.get("/northside/campaigns/drips/").text

    refused = uma.post(f"/northside/campaigns/{drip.pk}/resume/", follow=True).text
    assert "Paused" in refused and "Going on" not in refused
    PracticeSettings.objects.update(phone="+16175550100")
    assert 'aria-checked="true"' in uma.post(f"/northside/campaigns/{drip.pk}/resume/", follow=True).text
    moves.pause(drip, people.uma)
    clock.at(dt.datetime(2027, 3, 14, 15, tzinfo=dt.UTC))
    page = uma.get(url).text
    assert "Paused." in page and "paused it by itself" not in page
    assert "<b>0</b> of the <b>1</b> that wait go out now. For <b>1</b> the day has passed" in page
    page = uma.post(f"/northside/campaigns/{drip.pk}/stop/", follow=True).text
    assert "It cannot be switched on again" in page and "Resume" not in page


def test_a_blast_that_paused_itself_says_why(uma, draft, people):
    blast.load(draft, people.uma)
    moves.enable(draft, people.uma)
    PracticeSettings.objects.update(attested_at=None)
    engine.work(draft.practice_id)
    for page in (uma.get(_url(draft, "review")).text, uma.get("/northside/campaigns/blasts/").text):
        assert "has not confirmed that its intake form" in page
    PracticeSettings.objects.update(attested_at=NINE.replace(tzinfo=dt.UTC))
    uma.post(f"/northside/campaigns/{draft.pk}/resume/")
    assert "intake form" not in uma.get(_url(draft, "review")).text


def test_an_email_drip_without_a_subject_says_so_and_leaves_no_half_campaign(uma, in_northside):
    given = {"name": "Birthdays", "channel": "email", "time_of_day": "10:00", "subject": "", "body": "Hello"}
    response = uma.post("/northside/campaigns/drips/new/", given)
    assert response.status_code == 422 and "An email needs a subject." in response.text
    assert not Campaign.objects.exists()


def _only_view(role_name):
    role = Role.objects.get(name=role_name)
    for granted in role.granted.select_related("permission"):
        if granted.permission.codename in {"change_campaign", "launch_campaign"}:
            granted.delete()
