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
    roles = {role.name: role for role in Role.objects.filter(name__in=ROLES)}
    missing = [name for name in ROLES if name not in roles]
    if missing:
        permissions, given = _permissions(), []
        for name in missing:
            roles[name], made = Role.objects.get_or_create(name=name)
            if made:
                given += [RolePermission(role=roles[name], permission=permissions[key]) for key in sorted(ROLES[name])]
        RolePermission.objects.bulk_create(given)
    return {name: roles[name] for name in ROLES}


def _permissions() -> dict[str, Permission]:
    names = {key.partition(".")[2] for codenames in ROLES.values() for key in codenames}
    found = Permission.objects.filter(codename__in=names).select_related("content_type")
    return {f"{each.content_type.app_label}.{each.codename}": each for each in found}
