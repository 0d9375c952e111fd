"""`create_practice`: a practice to start with, whole or not at all."""

import pytest
from django.core.management import CommandError, call_command

from audience.models import Tag
from trackstat.tenancy.models import Membership, Practice, Role, User
from trackstat.tenancy.scope import practice_scope


def test_a_practice_comes_with_roles_tags_and_an_administrator_who_has_no_password_yet(db):
    call_command("create_practice", "Eastside Spine", "Ella@Eastside.example", "--time-zone", "America/Chicago")
    practice = Practice.objects.get(slug="eastside-spine")
    with practice_scope(practice):
        assert practice.settings.time_zone == "America/Chicago"
        assert set(Role.objects.values_list("name", flat=True)) == {"User", "User Plus", "Manager", "Administrator"}
        membership = Membership.objects.get()
        assert (membership.user.email, membership.role.name) == ("ella@eastside.example", "Administrator")
        assert Tag.objects.get(always_excluded=True).name == "not qualified"
    assert not User.objects.get().has_usable_password()


@pytest.mark.parametrize(
    "wrong",
    [["Webhooks"], ["Northside Chiropractic", "--slug", "northside"], ["Eastside", "--time-zone", "Eastern"]],
)
def test_what_cannot_be_leaves_nothing_behind(northside, wrong):
    name, *options = wrong
    with pytest.raises(CommandError):
        call_command("create_practice", name, "ella@eastside.example", *options)
    assert Practice.objects.count() == 1
    assert not User.objects.exists()
