"""Django admin: a practice's Administrators manage its memberships and roles, and nothing else."""

import pytest
from django.contrib.auth.models import Permission

from tests import cast
from trackstat.tenancy.models import AuditEvent, Membership, PracticeSettings, Role, RolePermission, User
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def olive(client, people):
    client.force_login(people.olive)
    return client


def test_an_administrator_sees_the_people_of_their_practice_only(olive, people):
    page = olive.get("/northside/admin/tenancy/membership/")
    assert page.status_code == 200
    assert people.fred.email in page.text
    assert people.quinn.email not in page.text
    assert cast.CANARY not in page.text


@pytest.mark.parametrize("name", ["fred", "uma"])
def test_others_of_the_practice_may_not_open_admin(client, people, name):
    client.force_login(getattr(people, name))
    assert client.get("/northside/admin/").status_code == 403
    assert client.get("/northside/admin/tenancy/membership/").status_code == 403


def test_an_administrator_of_another_practice_gets_the_answer_for_what_is_missing(client, people):
    client.force_login(people.quinn)
    assert client.get("/northside/admin/").status_code == 404
    assert client.get("/nowhere/admin/").status_code == 404


def test_another_practices_membership_is_missing_in_admin(olive, people, southside):
    with practice_scope(southside):
        theirs = Membership.objects.get(user=people.quinn)
    answer = olive.get(f"/northside/admin/tenancy/membership/{theirs.pk}/change/")
    missing = olive.get("/northside/admin/tenancy/membership/999999/change/")
    assert answer.status_code == missing.status_code == 302
    assert people.quinn.email not in answer.text


def test_a_change_of_role_takes_effect_at_once_and_is_recorded(olive, client, people, northside):
    with practice_scope(northside):
        membership = Membership.objects.get(user=people.fred)
        user_plus = Role.objects.get(name="User Plus")
    answer = olive.post(
        f"/northside/admin/tenancy/membership/{membership.pk}/change/", {"role": user_plus.pk, "is_active": "on"}
    )
    assert answer.status_code == 302, answer.context["errors"]
    with practice_scope(northside):
        assert Membership.objects.get(user=people.fred).role == user_plus
        event = AuditEvent.objects.get(action="membership.changed")
    assert (event.user, event.object_id) == (people.olive, membership.pk)
    assert event.detail == {"fields": ["Role"], "values": {"role_id": [membership.role_id, user_plus.pk]}}


def test_a_role_of_another_practice_cannot_be_given(olive, people, northside, southside):
    with practice_scope(southside):
        foreign = Role.objects.get(name="Administrator")
    with practice_scope(northside):
        membership = Membership.objects.get(user=people.fred)
    answer = olive.post(
        f"/northside/admin/tenancy/membership/{membership.pk}/change/", {"role": foreign.pk, "is_active": "on"}
    )
    assert answer.status_code == 200
    with practice_scope(northside):
        assert Membership.objects.get(user=people.fred).role.name == "User"


def test_the_last_administrator_cannot_be_removed(olive, people, northside):
    with practice_scope(northside):
        membership = Membership.objects.get(user=people.olive)
    answer = olive.post(f"/northside/admin/tenancy/membership/{membership.pk}/change/", {"role": membership.role_id})
    assert "Nobody could manage people any more" in answer.text


def test_a_new_member_gets_an_account_without_a_password(olive, northside):
    with practice_scope(northside):
        role = Role.objects.get(name="User")
    olive.post(
        "/northside/admin/tenancy/membership/add/",
        {"email": "nina@example.org", "name": "Nina", "role": role.pk, "is_active": "on"},
    )
    nina = User.objects.get(email="nina@example.org")
    assert not nina.has_usable_password()
    with practice_scope(northside):
        assert Membership.objects.get(user=nina).role == role


def test_an_administrator_changes_what_a_role_may_do(olive, people, northside, client):
    with practice_scope(northside):
        role = Role.objects.get(name="User")
    olive.post(
        f"/northside/admin/tenancy/role/{role.pk}/change/",
        {"name": "User", "may": ["audience.view_patient", "campaigns.view_campaign"]},
    )
    with practice_scope(northside):
        held = set(RolePermission.objects.filter(role=role).values_list("permission__codename", flat=True))
        assert held == {"view_patient", "view_campaign"}
        assert AuditEvent.objects.get(action="role.permissions").detail["given"] == ["campaigns.view_campaign"]


def test_accounts_and_practices_are_not_in_admin(olive):
    for path in ("tenancy/user/", "tenancy/practice/", "auth/group/"):
        assert olive.get(f"/northside/admin/{path}").status_code == 404


@pytest.mark.parametrize("page", ["", "tenancy/auditevent/", "tenancy/membership/"])
def test_a_superuser_enters_one_practice_at_a_time_and_it_is_recorded(client, northside, southside, page):
    root = User.objects.create_superuser("root@example.org", cast.PASSWORD)
    client.force_login(root)
    assert client.get(f"/northside/admin/{page}").status_code == 200
    assert client.get("/northside/admin/").status_code == 200
    assert client.get("/northside/patients/").status_code == 404
    with practice_scope(northside):
        assert AuditEvent.objects.get(action="practice.entered").user == root
    with practice_scope(southside):
        assert not AuditEvent.objects.exists()


def test_the_audit_log_can_be_read_but_not_changed_in_admin(olive, northside, people):
    with practice_scope(northside, people.olive):
        event = AuditEvent.objects.create(action="test.done")
    assert "test.done" in olive.get("/northside/admin/tenancy/auditevent/").text
    assert olive.post(f"/northside/admin/tenancy/auditevent/{event.pk}/change/", {"action": "x"}).status_code == 403


def test_no_page_of_admin_names_another_practice(olive, people, northside, southside):
    with practice_scope(northside):
        settings = PracticeSettings.objects.get().pk
        role, membership = Role.objects.get(name="User").pk, Membership.objects.get(user=people.fred).pk
    for page in (
        "",
        "tenancy/",
        "tenancy/membership/",
        "tenancy/membership/add/",
        f"tenancy/membership/{membership}/change/",
        "tenancy/role/",
        "tenancy/role/add/",
        f"tenancy/role/{role}/change/",
        "tenancy/practicesettings/",
        f"tenancy/practicesettings/{settings}/change/",
        "tenancy/auditevent/",
    ):
        answer = olive.get(f"/northside/admin/{page}")
        assert answer.status_code == 200, page
        assert cast.CANARY not in answer.text, page
        assert people.quinn.email not in answer.text, page


def test_nobody_gives_a_role_that_may_do_more_than_they_may(client, people, northside):
    with practice_scope(northside):
        clerk = Role.objects.create(name="Clerk")
        manage = Permission.objects.get(codename="manage_people")
        RolePermission.objects.create(role=clerk, permission=manage)
        administrator = Role.objects.get(name="Administrator")
        membership = Membership.objects.get(user=people.fred)
        membership.role = clerk
        membership.save()
    client.force_login(people.fred)
    answer = client.post(
        f"/northside/admin/tenancy/membership/{membership.pk}/change/", {"role": administrator.pk, "is_active": "on"}
    )
    assert "not one of the available choices" in answer.text
    new = {"email": "friend@example.org", "name": "Friend", "role": administrator.pk, "is_active": "on"}
    assert "not one of the available choices" in client.post("/northside/admin/tenancy/membership/add/", new).text
    with practice_scope(northside):
        assert Membership.objects.get(user=people.fred).role == clerk


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("time_zone", "Eastern", "There is no time zone"), ("quiet_from", "08:00", "Quiet hours have to end")],
)
def test_settings_that_would_stop_the_practice_are_refused(olive, northside, field, value, words):
    with practice_scope(northside):
        pk = PracticeSettings.objects.get().pk
    url = f"/northside/admin/tenancy/practicesettings/{pk}/change/"
    form = olive.get(url).context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields if name != "attested_at"}
    assert words in olive.post(url, data | {field: value}).text
    assert olive.get("/northside/patients/").status_code == 200


def test_the_address_in_the_audit_log_is_the_persons_behind_our_proxies(client, people, northside, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    client.post(
        "/accounts/login/",
        {"login": people.fred.email, "password": cast.PASSWORD},
        headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9"},
    )
    with practice_scope(northside):
        assert AuditEvent.objects.get(action="person.signed_in").ip == "203.0.113.9"
