from django.db import migrations

from trackstat.tenancy.operations import Isolate


class Migration(migrations.Migration):
    dependencies = [("audience", "0002_initial"), ("tenancy", "0002_isolation")]

    operations = [
        Isolate("Provider"),
        Isolate("Location"),
        Isolate("AppointmentPurpose"),
        Isolate("Patient"),
        Isolate("Case"),
        Isolate("Appointment"),
        Isolate("Tag"),
        Isolate("PatientTag"),
        Isolate("ContactPoint"),
        Isolate("ConsentEvent", append_only=True),
        Isolate("ImportRun"),
        Isolate("ImportRejection"),
    ]
