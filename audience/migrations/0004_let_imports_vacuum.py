from django.db import migrations

TABLES = "audience_patient, audience_appointment, audience_contactpoint"


class Migration(migrations.Migration):
    """A large import vacuums and analyses what it filled, so that the next audience is counted from the index alone."""

    dependencies = [("audience", "0003_isolation")]

    operations = [
        migrations.RunSQL(
            f"GRANT MAINTAIN ON {TABLES} TO trackstat_app",
            f"REVOKE MAINTAIN ON {TABLES} FROM trackstat_app",
        ),
    ]
