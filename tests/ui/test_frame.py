"""The frame: who is offered what, and what the error pages say."""

import re

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import ResolverMatch, path

from tests import cast
from trackstat import navigation, urls
from trackstat.tenancy.models import Membership
from trackstat.tenancy.roles import ROLES, seed_roles
from trackstat.tenancy.scope import practice_scope

pytestmark = pytest.mark.django_db


def refused(request):
    raise PermissionDenied("campaigns.view_campaign")


urlpatterns = [path("<slug:practice_slug>/refused/", refused), *urls.urlpatterns]


class Can:
    def __init__(self, role):
        self.role = role

    def can(self, permission):
        return permission in ROLES[self.role]


class Place:
    """A practice whose every page exists."""

    def url(self, name):
        return f"/north/{name.replace(':', '/')}/"


@pytest.fixture
def offered(rf, in_northside):
    """The menu as a request of a practice sees it: some entries count rows of the practice in scope."""

    def make(role, at="/north/"):
        request = rf.get(at)
        request.practice, request.membership = Place(), Can(role)
        return navigation.menu(request)

    return make


def current(items):
    return [label for item in items if item.current for label in (item.label, *current(item.children))]


def labels(items):
    return [label for item in items for label in (item.label, *labels(item.children))]


def test_the_front_desk_sees_no_campaigns_and_no_settings(offered):
    assert labels(offered("User")) == ["Dashboard", "Inbox", "Patients", "Reports"]


def test_an_administrator_is_offered_everything_and_a_manager_all_but_the_ehr(offered):
    assert labels(offered("Administrator")) == labels(navigation.MENU)
    assert set(labels(navigation.MENU)) - set(labels(offered("Manager"))) == {"EHR Connections"}


def test_a_page_below_marks_its_place_in_the_menu_and_the_group_around_it(offered):
    marked = offered("Manager", "/north/campaigns/blasts/12/audience/")
    assert current(marked) == ["Communication", "Blast Campaigns"]


def test_steps_of_a_campaign_mark_its_list_or_what_the_view_says(rf, in_northside):
    request = rf.get("/north/campaigns/12/name/")
    request.practice, request.membership = Place(), Can("Manager")
    request.resolver_match = ResolverMatch(None, (), {}, app_names=["campaigns"])
    assert current(navigation.menu(request)) == ["Communication", "Blast Campaigns"]
    request.place = "campaigns:drips"
    assert current(navigation.menu(request)) == ["Communication", "Drip Campaigns"]


def test_a_later_app_puts_a_number_beside_its_entry(offered, monkeypatch):
    monkeypatch.setitem(navigation.counts, "messaging:inbox", lambda request: 3)
    assert [item.count for item in offered("User") if item.count] == [3]


def test_pages_that_do_not_exist_are_not_offered(rf, in_northside):
    request = rf.get("/northside/")
    request.practice, request.membership = in_northside, Can("Manager")
    for item in navigation.menu(request):
        assert item.url or all(child.url for child in item.children)


@pytest.fixture
def signed_in(client, people):
    def make(name):
        client.force_login(getattr(people, name))
        return client

    return make


def without_token(answer):
    return re.sub(r'"X-CSRFToken": "[^"]+"', "", answer.content.decode())


def test_a_missing_page_looks_the_same_as_another_practices(signed_in, southside):
    client = signed_in("fred")
    foreign, missing = client.get("/southside/patients/"), client.get("/nowhere/patients/")
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert cast.CANARY not in foreign.content.decode()
    assert without_token(foreign) == without_token(missing)


@pytest.mark.urls(__name__)
def test_a_refusal_names_the_roles_that_may_and_who_can_change_ones_own(signed_in, northside):
    answer = signed_in("fred").get("/northside/refused/")
    html = answer.content.decode()
    assert answer.status_code == 403
    assert "with the role <b>User</b>" in html
    assert "Administrator, Manager, User Plus" in html
    assert "Olive can change your role" in html


@pytest.mark.urls(__name__)
def test_the_switcher_lists_the_persons_practices_only(signed_in, people, southside):
    assert cast.CANARY not in signed_in("mona").get("/northside/refused/").content.decode()
    with practice_scope(southside):
        Membership.objects.create(user=people.mona, role=seed_roles()["User"])
    html = signed_in("mona").get("/northside/refused/").content.decode()
    assert cast.CANARY in html and 'href="/southside/"' in html
