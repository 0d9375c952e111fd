from django.db import migrations

from trackstat.tenancy.operations import Isolate, LinkWithinPractice


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0002_initial"), ("messaging", "0003_isolation")]

    operations = [
        Isolate("Campaign", across="SELECT"),
        Isolate("Step"),
        Isolate("AudienceMember"),
        Isolate("AudienceRemoval"),
        Isolate("Enrollment", across="SELECT"),
        LinkWithinPractice("messaging_message", "campaign_id", "campaigns_campaign"),
        LinkWithinPractice("messaging_message", "step_id", "campaigns_step"),
        LinkWithinPractice("messaging_message", "enrollment_id", "campaigns_enrollment"),
        LinkWithinPractice("messaging_hold", "campaign_id", "campaigns_campaign"),
    ]
