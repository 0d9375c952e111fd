"""The four roles every practice starts with. Administrators may change them afterwards in Django admin."""

from django.contrib.auth.models import Permission

from trackstat.tenancy.models import Role, RolePermission

USER = {
    "audience.view_patient",
    "messaging.view_conversation",
    "messaging.reply_conversation",
    "messaging.opt_out_patient",
    "reports.view_report",
}
USER_PLUS = USER | {
    "campaigns.view_campaign",
    "campaigns.change_campaign",
    "campaigns.launch_campaign",
    "audience.change_tag",
    "audience.view_audience",
    "messaging.change_template",
    "messaging.resolve_uncertain",
}
MANAGER = USER_PLUS | {
    "reports.view_money",
    "reports.download_report",
    "tenancy.change_practicesettings",
}
ADMINISTRATOR = MANAGER | {
    "tenancy.manage_people",
    "tenancy.view_auditevent",
    "audience.manage_ehr",
    "messaging.manage_identity",
}
ROLES = {"User": USER, "User Plus": USER_PLUS, "Manager": MANAGER, "Administrator": ADMINISTRATOR}


def seed_roles() -> dict[str, Role]:
    """Make the four roles of the practice in scope where they are missing; existing ones keep what was made of them."""
    roles = _existing()
    if missing := [name for name in ROLES if name not in roles]:
        # Whoever makes the same at the same moment is waited for.
        Role.objects.bulk_create([Role(name=name) for name in missing], ignore_conflicts=True)
        roles, permissions = _existing(), _permissions()
        RolePermission.objects.bulk_create(
            [
                RolePermission(role=roles[name], permission=permissions[key])
                for name in missing
                for key in sorted(ROLES[name])
            ],
            ignore_conflicts=True,
        )
    return {name: roles[name] for name in ROLES}


def _existing() -> dict[str, Role]:
    return {role.name: role for role in Role.objects.filter(name__in=ROLES)}


def _permissions() -> dict[str, Permission]:
    names = {key.partition(".")[2] for codenames in ROLES.values() for key in codenames}
    found = Permission.objects.filter(codename__in=names).select_related("content_type")
    return {f"{each.content_type.app_label}.{each.codename}": each for each in found}
