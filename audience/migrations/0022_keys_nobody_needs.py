"""Keys that composite foreign keys point to, where none does: one index less for each row of an import."""

from django.db import migrations

_TABLES = (
    "audience_appointment", "audience_diagnosis", "audience_service", "audience_payment", "audience_coverage",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("audience", "0021_patients_hold_the_practice")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_practice_id_id",
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_practice_id_id UNIQUE (practice_id, id)",
        )
        for table in _TABLES
    ]
