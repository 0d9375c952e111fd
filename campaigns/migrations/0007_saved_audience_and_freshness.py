import django.db.models.deletion
from django.db import migrations, models

import trackstat.tenancy.fields
from trackstat.tenancy.operations import LinkWithinPractice


class Migration(migrations.Migration):
    dependencies = [("audience", "0010_saved_audiences"), ("campaigns", "0006_households_and_tags")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="saved_audience",
            field=trackstat.tenancy.fields.PracticeForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="audience.savedaudience"
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="saved_version",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="keep_fresh",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="campaign",
            name="freshened",
            field=models.TextField(blank=True, db_default=""),
        ),
        LinkWithinPractice("campaigns_campaign", "saved_audience_id", "audience_savedaudience"),
    ]
