from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0012_what_filters_look_up"),
    ]

    operations = [
        migrations.AddField(
            model_name="ehrconnection",
            name="is_snapshot",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="ehrconnection",
            name="mapping",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AlterField(
            model_name="ehrconnection",
            name="kind",
            field=models.CharField(
                choices=[
                    ("fhir", "FHIR server"),
                    ("folder", "Folder of FHIR files"),
                    ("csv", "Folder of CSV files"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="consentevent",
            name="source",
            field=models.CharField(
                choices=[
                    ("reply", "Patient's text"),
                    ("unsubscribe", "Unsubscribe link"),
                    ("complaint", "Marked as spam"),
                    ("carrier", "Carrier's block list"),
                    ("staff", "Staff"),
                    ("ehr", "EHR"),
                    ("file", "List of opt-outs"),
                ],
                max_length=12,
            ),
        ),
    ]
