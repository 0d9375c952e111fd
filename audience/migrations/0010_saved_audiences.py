import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import trackstat.clock
import trackstat.tenancy.scope
from trackstat.tenancy.operations import Isolate

USER = {
    "db_index": False,
    "null": True,
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
    "to": settings.AUTH_USER_MODEL,
}


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0009_where_patients_come_from"),
        ("tenancy", "0002_isolation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedAudience",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                (
                    "description",
                    models.CharField(blank=True, help_text="What it is for; only staff see it.", max_length=200),
                ),
                ("definition", models.JSONField()),
                ("require", models.JSONField(null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("said", models.TextField(blank=True)),
                ("counted", models.PositiveIntegerField(null=True)),
                ("counted_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(db_default=trackstat.clock.Now())),
                ("updated_at", models.DateTimeField(db_default=trackstat.clock.Now())),
                ("created_by", models.ForeignKey(**USER)),
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
                ("updated_by", models.ForeignKey(**USER)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        "practice", django.db.models.functions.text.Lower("name"), name="saved_audience_name_once"
                    )
                ],
            },
        ),
        Isolate("SavedAudience"),
    ]
