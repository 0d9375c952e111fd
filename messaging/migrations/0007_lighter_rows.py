from django.db import migrations, models

import messaging.models.message

# A blast fills these tables within minutes. With the usual thresholds PostgreSQL would plan for the table of yesterday.
_FRESH = """
ALTER TABLE {table} SET (
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 500,
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05)
"""
_USUAL = """
ALTER TABLE {table} RESET (
    autovacuum_analyze_scale_factor, autovacuum_analyze_threshold,
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor)
"""
_TABLES = ("messaging_message", "messaging_attempt", "messaging_providerevent")


class Migration(migrations.Migration):
    dependencies = [("messaging", "0006_staff_decides")]

    operations = [
        migrations.AlterField(
            "message",
            "token",
            models.CharField(default=messaging.models.message.new_token, max_length=24),
        ),
        migrations.AddConstraint(
            "message",
            models.UniqueConstraint(fields=("token",), name="message_token_once"),
        ),
        *(migrations.RunSQL(_FRESH.format(table=table), _USUAL.format(table=table)) for table in _TABLES),
    ]
