import django.db.models.deletion
from django.db import migrations, models

import trackstat.tenancy.fields
from trackstat.tenancy.operations import LinkWithinPractice


class Migration(migrations.Migration):
    dependencies = [("audience", "0009_where_patients_come_from"), ("campaigns", "0005_paused_reason")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="one_per_household",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="tag_action",
            field=models.CharField(
                blank=True,
                choices=[("", "Leave tags alone"), ("put_on", "Put a tag on"), ("take_off", "Take a tag off")],
                db_default="",
                default="",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="tag",
            field=trackstat.tenancy.fields.PracticeForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="audience.tag"
            ),
        ),
        LinkWithinPractice("campaigns_campaign", "tag_id", "audience_tag"),
    ]
