from django.db import migrations, models

REASONS = [
    ("", ""),
    ("opted_out", "The patient has opted out"),
    ("no_address", "No cell phone or email in the EHR"),
    ("landline", "The number is a landline"),
    ("unusable", "The number or address did not work before"),
    ("address_changed", "The number or address was changed in the EHR meanwhile"),
    ("inactive", "The patient is no longer active"),
    ("not_qualified", "A tag keeps the patient out of announcements"),
    ("same_household", "Somebody else with this number or address got it"),
    ("goal_met", "The campaign's goal was reached"),
    ("no_longer_matches", "What started the message is no longer true"),
    ("expired", "Its time had passed"),
    ("stopped", "The campaign was stopped"),
    ("sender", "The sending line or address may not send"),
    ("no_postal_address", "The practice's postal address is missing"),
    ("not_attested", "The practice has not confirmed that patients agree to announcements"),
]


class Migration(migrations.Migration):
    dependencies = [("messaging", "0007_lighter_rows")]

    operations = [
        migrations.AlterField(
            model_name="message",
            name="reason",
            field=models.CharField(blank=True, choices=REASONS, default="", max_length=20),
        ),
    ]
