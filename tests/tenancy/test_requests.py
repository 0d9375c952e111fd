"""How the middleware opens, closes and rolls back a practice around a request."""

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from audience.models import Tag
from tests import cast
from trackstat.tenancy.models import AuditEvent, Membership
from trackstat.tenancy.permissions import needs
from trackstat.tenancy.scope import current_scope, practice_scope
from trackstat.urls import handler500 as handler500
from trackstat.urls import practice_patterns, urlpatterns


def _tagging(status=200, error=None):
    @needs("audience.view_patient")
    def view(request):
        Tag.objects.create(name="written")
        if error:
            raise error
        return HttpResponse("done", status=status)

    return view


urlpatterns = [
    path(
        "<slug:practice_slug>/probe/",
        include(
            [
                path("fine/", _tagging()),
                path("refused/", _tagging(status=422)),
                path("broken/", _tagging(status=500)),
                path("raises/", _tagging(error=ValueError("x"))),
                path("away/", _tagging(error=OperationalError("the database is away"))),
            ]
        ),
    ),
    *urlpatterns,
]
assert practice_patterns


@pytest.fixture
def fred(people):
    client = Client(raise_request_exception=False)
    client.force_login(people.fred)
    return client


def written(practice):
    with practice_scope(practice):
        return Tag.objects.filter(name="written").exists()


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("page", "status", "kept"),
    [("fine", 200, True), ("refused", 422, True), ("broken", 500, False), ("raises", 500, False)],
)
def test_what_ends_in_an_error_is_rolled_back(fred, northside, page, status, kept):
    assert fred.get(f"/northside/probe/{page}/").status_code == status
    assert written(northside) is kept
    assert current_scope().practice_id is None


@pytest.mark.urls(__name__)
def test_while_the_database_is_away_a_page_says_so_and_shows_no_trace(fred, northside):
    answer = fred.get("/northside/probe/away/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert "OperationalError" not in answer.text
    assert not written(northside)


def test_a_membership_that_is_switched_off_closes_every_page_at_once(fred, people, northside):
    assert fred.get("/northside/patients/").status_code == 200
    with practice_scope(northside):
        Membership.objects.filter(user=people.fred).update(is_active=False)
    assert fred.get("/northside/patients/").status_code == 404


def test_somebody_signed_out_is_led_to_the_sign_in_page_and_back(client, northside):
    answer = client.get("/northside/patients/?q=ana")
    assert (answer.status_code, answer.url) == (302, "/accounts/login/?next=/northside/patients/%3Fq%3Dana")


def test_one_membership_leads_straight_into_the_practice(client, people):
    client.force_login(people.fred)
    assert client.get("/").url == "/northside/"


def test_a_member_of_two_practices_chooses_and_switches(client, people, southside):
    with practice_scope(southside):
        Membership.objects.create(user=people.fred, role=Membership.objects.get(user=people.quinn).role)
    client.force_login(people.fred)
    choice = client.get("/").text
    assert "/northside/" in choice and "/southside/" in choice
    # The role is the practice's own: in Southside Fred is an Administrator.
    assert client.get("/southside/admin/").status_code == 200
    assert client.get("/northside/admin/").status_code == 403
    assert cast.CANARY in client.get("/northside/patients/").text, "the switcher names the other practice"


def test_a_sign_in_is_recorded_in_each_practice_of_the_person_and_nowhere_else(client, people, northside, southside):
    answer = client.post("/accounts/login/", {"login": people.fred.email, "password": cast.PASSWORD})
    assert answer.status_code == 302
    with practice_scope(northside):
        assert list(AuditEvent.objects.values_list("action", "user_id")) == [("person.signed_in", people.fred.pk)]
        assert AuditEvent.objects.get().ip == "127.0.0.1"
    with practice_scope(southside):
        assert not AuditEvent.objects.exists()


def test_nobody_signs_up_by_themselves_and_a_wrong_password_says_nothing_about_the_account(client, people):
    assert client.get("/accounts/signup/").status_code == 404
    wrong = client.post("/accounts/login/", {"login": people.fred.email, "password": "wrong"})
    nobody = client.post("/accounts/login/", {"login": "nobody@example.org", "password": "wrong"})
    assert [line for line in wrong.text.splitlines() if "error" in line] == [
        line.replace("nobody@example.org", people.fred.email) for line in nobody.text.splitlines() if "error" in line
    ]
    assert "_auth_user_id" not in client.session


def test_health_answers_without_a_practice_and_readiness_looks_at_the_servers(client, db):
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json() == {"database": True, "broker": True}
