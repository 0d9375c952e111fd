from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audience", "0017_covered_by_status")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="about",
            field=models.CharField(
                blank=True, db_default="", help_text="Type and id of the bill that it pays.", max_length=200
            ),
        ),
    ]
