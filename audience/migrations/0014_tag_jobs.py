import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import trackstat.clock
import trackstat.tenancy.fields
import trackstat.tenancy.scope
from trackstat.tenancy.operations import Isolate

ACTIONS = [("put_on", "Put on"), ("take_off", "Taken off")]
STATES = [("working", "Under way"), ("done", "Done"), ("undoing", "Being undone"), ("undone", "Undone")]
KEY = {"auto_created": True, "primary_key": True, "serialize": False, "verbose_name": "ID"}


def practice():
    return models.ForeignKey(
        db_index=False,
        default=trackstat.tenancy.scope.practice_id_in_scope,
        editable=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="tenancy.practice",
    )


def person():
    return models.ForeignKey(
        db_index=False,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0013_folders_of_csv_files"),
        ("tenancy", "0002_isolation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TagJob",
            fields=[
                ("id", models.BigAutoField(**KEY)),
                ("tag_name", models.CharField(max_length=60)),
                ("action", models.CharField(choices=ACTIONS, max_length=8)),
                ("state", models.CharField(choices=STATES, default="working", max_length=7)),
                ("whom", models.CharField(max_length=200)),
                ("campaign_id", models.BigIntegerField(null=True)),
                ("total", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(db_default=trackstat.clock.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("undone_at", models.DateTimeField(null=True)),
                ("created_by", person()),
                ("practice", practice()),
                (
                    "tag",
                    trackstat.tenancy.fields.PracticeForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="audience.tag",
                    ),
                ),
                ("undone_by", person()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["practice", "campaign_id", "-id"], name="tag_job_campaign"),
                    models.Index(
                        condition=models.Q(("state__in", ["working", "undoing"])),
                        fields=["practice"],
                        name="tag_job_open",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TagJobPart",
            fields=[
                ("id", models.BigAutoField(**KEY)),
                ("number", models.PositiveIntegerField()),
                (
                    "patient_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("size", models.PositiveIntegerField()),
                (
                    "changed_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("changed", models.PositiveIntegerField(default=0)),
                ("done_at", models.DateTimeField(null=True)),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "job",
                    trackstat.tenancy.fields.PracticeForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="audience.tagjob",
                    ),
                ),
                ("practice", practice()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("practice", "job", "number"), name="tag_job_part_once")
                ],
            },
        ),
        Isolate("TagJob", across="SELECT"),
        Isolate("TagJobPart"),
    ]
