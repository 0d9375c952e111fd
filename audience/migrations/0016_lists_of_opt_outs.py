import django.db.models.deletion
from django.db import migrations, models

import trackstat.clock
import trackstat.tenancy.fields
import trackstat.tenancy.scope
from trackstat.tenancy.operations import Isolate


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0015_wide_filters"),
        ("tenancy", "0002_isolation"),
    ]

    operations = [
        migrations.CreateModel(
            name="OptOutList",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(help_text="The file's name; it stands in the consent ledger.", max_length=200),
                ),
                (
                    "scope",
                    models.CharField(help_text="What the opt-outs are of where the list does not say.", max_length=12),
                ),
                (
                    "source",
                    models.CharField(blank=True, help_text="Which EHR the list's patient ids are of.", max_length=40),
                ),
                ("encrypted_content", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Being read"), ("done", "Read"), ("failed", "Not read")],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("uploaded_at", models.DateTimeField(db_default=trackstat.clock.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=500)),
                (
                    "import_run",
                    trackstat.tenancy.fields.PracticeForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="audience.importrun",
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
                "indexes": [models.Index(fields=["practice", "-uploaded_at"], name="opt_out_list_latest")],
            },
        ),
        Isolate("OptOutList"),
    ]
