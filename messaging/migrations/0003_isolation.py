from django.db import migrations

from trackstat.tenancy.operations import Isolate


class Migration(migrations.Migration):
    dependencies = [("messaging", "0002_initial"), ("audience", "0003_isolation")]

    operations = [
        # Webhooks find the practice by the identity's key, the tick finds lanes with something due.
        Isolate("SendingIdentity", across="SELECT"),
        Isolate("Content", append_only=True),
        Isolate("Message", across="SELECT"),
        Isolate("Attempt", across="SELECT"),
        Isolate("Hold", across="SELECT"),
        Isolate("ProviderEvent", across="SELECT"),
        Isolate("InboundMessage"),
        # Rows are updated several times in their short life.
        migrations.RunSQL("ALTER TABLE messaging_message SET (fillfactor = 80)", migrations.RunSQL.noop),
    ]
