"""Reads PostgreSQL's catalogue: a table that is merged without its wall fails here."""

import pytest
from django.apps import apps
from django.db import connection

from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeModel

# Tables without a practice, each with the reason it needs none.
EXEMPT = {
    "tenancy_practice": "the directory: name and slug",
    "tenancy_user": "a person may belong to several practices",
    "tenancy_user_groups": "Django's own, unused",
    "tenancy_user_user_permissions": "Django's own, unused",
    "auth_group": "Django's own, unused",
    "auth_group_permissions": "Django's own, unused",
    "auth_permission": "the list of permissions there are",
    "django_admin_log": "Django's own, closed: audit rows are kept instead",
    "django_content_type": "the list of models there are",
    "django_migrations": "the schema's history",
    "django_session": "signed-in people, no practice data",
    "account_emailaddress": "allauth: a person's email",
    "account_emailconfirmation": "allauth: a person's email",
    "mfa_authenticator": "allauth: a person's second factor",
}
# One-row tables of the installation, in a schema of their own; what the restricted role may do with each.
INSTALLATION = {
    "clock": ["SELECT"],  # how far the product's clock is moved
    "sending": ["SELECT"],  # which database may send; it may also say, by one column, that it went back in time
}
OWN_ROWS = "(practice_id = (NULLIF(current_setting('trackstat.practice'::text, true), ''::text))::bigint)"
MAY_SEE_MORE = {"tenancy_membership": "trackstat.user"}
ROLE = "trackstat_across"
APPEND_ONLY = {"tenancy_auditevent", "audience_consentevent", "messaging_content"}


def rows(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def tables(db_blocker=None):
    return [name for (name,) in rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]


@pytest.fixture
def walled(db):
    return [table for table in tables() if table not in EXEMPT]


def test_every_table_is_a_practices_or_a_written_exemption(walled):
    with_column = {
        name
        for (name,) in rows(
            "SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND attname = 'practice_id' AND attnotnull AND atttypid = 'bigint'::regtype"
        )
    }
    assert set(walled) == with_column
    assert set(EXEMPT) <= set(tables()), "an exemption for a table that is gone"


def test_every_wall_is_enabled_forced_and_checks_writes(walled):
    flags = {
        name: (enabled, forced)
        for name, enabled, forced in rows(
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
    }
    policies = {
        table: (using, check)
        for table, using, check in rows(
            "SELECT tablename, qual, with_check FROM pg_policies WHERE 'trackstat_app' = ANY(roles) AND cmd = 'ALL'"
        )
    }
    for table in walled:
        assert flags[table] == (True, True), table
        using, check = policies[table]
        assert check == OWN_ROWS, table
        if table in MAY_SEE_MORE:
            assert MAY_SEE_MORE[table] in using
        else:
            assert using == OWN_ROWS, table


def test_no_other_policy_opens_a_wall(walled):
    others = rows(
        "SELECT tablename, roles::text FROM pg_policies"
        " WHERE schemaname = 'public'"
        " AND (policyname NOT IN ('practice_rows', 'across_rows') OR permissive <> 'PERMISSIVE')"
    )
    assert others == []
    opened = {name for (name,) in rows("SELECT tablename FROM pg_policies WHERE policyname = 'across_rows'")}
    assert opened == {
        "audience_tagjob",
        "campaigns_campaign",
        "campaigns_enrollment",
        "messaging_attempt",
        "messaging_hold",
        "messaging_message",
        "messaging_providerevent",
        "messaging_sendingidentity",
    }


def test_the_role_across_practices_may_only_read(db):
    for privilege in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
        held = [
            table for table in tables() if rows("SELECT has_table_privilege(%s, %s, %s)", ROLE, table, privilege)[0][0]
        ]
        assert held == [], privilege


def test_the_restricted_role_owns_nothing_and_cannot_change_what_is_append_only(db):
    assert rows("SELECT relname FROM pg_class WHERE relowner = 'trackstat_app'::regrole") == []
    for table in APPEND_ONLY:
        for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
            assert rows("SELECT has_table_privilege('trackstat_app', %s, %s)", table, privilege) == [(False,)], table


def test_djangos_own_log_of_admin_which_knows_no_practice_is_closed(db):
    for privilege in ("SELECT", "INSERT"):
        assert rows("SELECT has_table_privilege('trackstat_app', 'django_admin_log', %s)", privilege) == [(False,)]


def test_every_key_between_practice_tables_holds_the_practice(walled):
    """Foreign keys ignore row-level security; only a composite one keeps a row from pointing into another practice."""
    keys = rows(
        "SELECT c.conrelid::regclass::text, c.confrelid::regclass::text, pg_get_constraintdef(c.oid)"
        " FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace"
    )
    composite = set()
    for table, target, definition in keys:
        if table in walled and target in walled:
            assert definition.startswith("FOREIGN KEY (practice_id, "), (table, definition)
            composite.add((table, definition.split("(")[1].split(")")[0].removeprefix("practice_id, ")))
    for model in apps.get_models():
        if issubclass(model, PracticeModel):
            for field in model._meta.local_fields:
                if field.is_relation and field.related_model and issubclass(field.related_model, PracticeModel):
                    assert isinstance(field, PracticeForeignKey), field
                    assert (model._meta.db_table, field.column) in composite, field
    for column in ("campaign_id", "step_id", "enrollment_id"):
        assert ("messaging_message", column) in composite


def test_views_and_definer_functions_that_would_walk_through_the_wall_do_not_exist(db):
    assert rows("SELECT viewname FROM pg_views WHERE schemaname = 'public'") == []
    assert rows("SELECT matviewname FROM pg_matviews WHERE schemaname = 'public'") == []
    definer = rows(
        "SELECT proname FROM pg_proc WHERE prosecdef"
        " AND pronamespace IN ('public'::regnamespace, 'trackstat'::regnamespace)"
    )
    assert definer == []


def test_the_tables_of_the_installation_can_be_read_and_hardly_more(db):
    held = {
        table: [
            privilege
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
            if rows("SELECT has_table_privilege('trackstat_app', %s, %s)", f"trackstat.{table}", privilege)[0][0]
        ]
        for (table,) in rows("SELECT tablename FROM pg_tables WHERE schemaname = 'trackstat'")
    }
    assert held == INSTALLATION
    columns = rows(
        "SELECT table_name, column_name FROM information_schema.column_privileges"
        " WHERE table_schema = 'trackstat' AND grantee = 'trackstat_app' AND privilege_type = 'UPDATE'"
    )
    assert columns == [("sending", "went_back_at")]
