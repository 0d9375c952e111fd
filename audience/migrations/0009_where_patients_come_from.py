import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import audience.models.connection
import trackstat.clock
import trackstat.tenancy.fields
import trackstat.tenancy.scope
from trackstat.tenancy.operations import Isolate


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0008_isolate_what_the_ehr_knows"),
        ("tenancy", "0002_isolation"),
    ]

    operations = [
        migrations.CreateModel(
            name="EhrConnection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("fhir", "FHIR server"), ("folder", "Folder of files")], max_length=10),
                ),
                ("name", models.CharField(max_length=80)),
                ("source", models.CharField(max_length=40)),
                ("is_active", models.BooleanField(default=True)),
                (
                    "base_url",
                    models.URLField(
                        blank=True, help_text="Address of the FHIR server, without a resource.", max_length=300
                    ),
                ),
                ("client_id", models.CharField(blank=True, max_length=200)),
                (
                    "algorithm",
                    models.CharField(choices=[("RS384", "RS384"), ("ES384", "ES384")], default="RS384", max_length=5),
                ),
                ("key_id", models.CharField(blank=True, max_length=100)),
                ("encrypted_private_key", models.TextField(blank=True)),
                (
                    "export_level",
                    models.CharField(
                        choices=[
                            ("group", "The patients of a group"),
                            ("patient", "All patients"),
                            ("system", "Everything"),
                            ("none", "No bulk export"),
                        ],
                        default="patient",
                        max_length=10,
                    ),
                ),
                ("group_id", models.CharField(blank=True, max_length=100)),
                (
                    "polled_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=audience.models.connection._appointments,
                    ),
                ),
                (
                    "folder",
                    models.CharField(blank=True, help_text="Within the practice's own drop folder.", max_length=200),
                ),
                ("every_minutes", models.PositiveIntegerField(blank=True, null=True)),
                ("next_at", models.DateTimeField(editable=False, null=True)),
                ("marker", models.CharField(blank=True, editable=False, max_length=100)),
                ("last_began_at", models.DateTimeField(editable=False, null=True)),
                ("last_ended_at", models.DateTimeField(editable=False, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("new", "Not synced yet"), ("working", "Works"), ("failing", "Does not work")],
                        default="new",
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("problem", models.CharField(blank=True, editable=False, max_length=500)),
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
                "verbose_name": "EHR connection",
            },
        ),
        migrations.CreateModel(
            name="EhrSync",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asking", "Asking the EHR"),
                            ("waiting", "The EHR is preparing the export"),
                            ("fetching", "Fetching"),
                            ("importing", "Importing"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="asking",
                        max_length=10,
                    ),
                ),
                ("started_at", models.DateTimeField(db_default=trackstat.clock.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(db_default=trackstat.clock.Now())),
                ("since", models.CharField(blank=True, max_length=100)),
                ("marker", models.CharField(blank=True, max_length=100)),
                ("status_url", models.TextField(blank=True)),
                ("progress", models.JSONField(default=dict)),
                ("files", models.PositiveIntegerField(default=0)),
                ("size", models.BigIntegerField(default=0, help_text="Bytes.")),
                ("tries", models.PositiveIntegerField(default=0)),
                ("problem", models.CharField(blank=True, max_length=500)),
                ("left_out", models.JSONField(default=dict)),
                (
                    "connection",
                    trackstat.tenancy.fields.PracticeForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="syncs", to="audience.ehrconnection"
                    ),
                ),
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
        ),
        migrations.AddConstraint(
            model_name="ehrconnection",
            constraint=models.UniqueConstraint(fields=("practice", "source"), name="ehr_connection_source_once"),
        ),
        migrations.AddIndex(
            model_name="ehrsync",
            index=models.Index(fields=["practice", "connection", "-started_at"], name="ehr_sync_latest"),
        ),
        migrations.AddConstraint(
            model_name="ehrsync",
            constraint=models.UniqueConstraint(
                condition=models.Q(("finished_at", None)),
                fields=("practice", "connection"),
                name="ehr_sync_one_at_a_time",
            ),
        ),
        Isolate("EhrConnection"),
        Isolate("EhrSync"),
    ]
