from django.db import migrations

from trackstat.tenancy.operations import Isolate


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_initial")]

    operations = [
        # The directory of practices has no wall (docs/architecture.md § Exemptions).
        migrations.RunSQL("GRANT SELECT ON tenancy_practice TO trackstat_across", migrations.RunSQL.noop),
        Isolate("PracticeSettings"),
        Isolate("Role"),
        Isolate("RolePermission"),
        # A person may list their own memberships to switch between practices.
        Isolate("Membership", also="user_id = nullif(current_setting('trackstat.user', true), '')::bigint"),
        Isolate("AuditEvent", append_only=True),
    ]
