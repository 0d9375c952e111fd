import django.db.models.deletion
from django.db import migrations, models

import trackstat.clock
import trackstat.tenancy.fields
import trackstat.tenancy.scope
from trackstat.tenancy.operations import Isolate


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0010_saved_audiences"),
        ("tenancy", "0002_isolation"),
    ]

    operations = [
        migrations.CreateModel(
            name="EhrTest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Being tested"), ("done", "Works"), ("failed", "Does not work")],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("asked_at", models.DateTimeField(db_default=trackstat.clock.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=500)),
                ("found", models.JSONField(default=dict)),
                (
                    "connection",
                    trackstat.tenancy.fields.PracticeForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tests",
                        to="audience.ehrconnection",
                    ),
                ),
                (
                    "practice",
                    models.ForeignKey(
                        db_index=False,
                        default=trackstat.tenancy.scope.practice_id_in_scope,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.practice",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["practice", "connection", "-asked_at"], name="ehr_test_latest"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at", None)),
                        fields=("practice", "connection"),
                        name="ehr_test_one_at_a_time",
                    )
                ],
            },
        ),
        Isolate("EhrTest"),
    ]
