from django.db import migrations


class Migration(migrations.Migration):
    """Django's LogEntry keeps names without a practice: nobody writes or reads it, our audit rows are kept instead."""

    dependencies = [
        ("tenancy", "0002_isolation"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        migrations.RunSQL("REVOKE ALL ON django_admin_log FROM trackstat_app", migrations.RunSQL.noop),
    ]
