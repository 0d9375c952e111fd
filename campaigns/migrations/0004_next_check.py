from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_isolation")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="next_check_at",
            field=models.DateTimeField(null=True),
        ),
    ]
