from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0004_next_check")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="paused_reason",
            field=models.TextField(blank=True, db_default=""),
        ),
    ]
