from django.db import migrations

from trackstat.tenancy.operations import Isolate, LinkWithinPractice

# A large import vacuums and analyses what it filled.
LARGE = "audience_case, audience_diagnosis, audience_service, audience_payment, audience_coverage"


class Migration(migrations.Migration):
    dependencies = [("audience", "0007_everything_the_ehr_knows"), ("tenancy", "0002_isolation")]

    operations = [
        Isolate("Insurer"),
        Isolate("CaseType"),
        Isolate("Attorney"),
        Isolate("CarePackage"),
        Isolate("FeeSchedule"),
        Isolate("ReferralSource"),
        Isolate("ServiceCode"),
        Isolate("DiagnosisCode"),
        LinkWithinPractice("audience_case", "case_type_id", "audience_casetype"),
        LinkWithinPractice("audience_case", "attorney_id", "audience_attorney"),
        LinkWithinPractice("audience_case", "care_package_id", "audience_carepackage"),
        LinkWithinPractice("audience_case", "fee_schedule_id", "audience_feeschedule"),
        LinkWithinPractice("audience_patient", "attorney_id", "audience_attorney"),
        LinkWithinPractice("audience_patient", "care_package_id", "audience_carepackage"),
        LinkWithinPractice("audience_patient", "fee_schedule_id", "audience_feeschedule"),
        LinkWithinPractice("audience_patient", "referral_source_id", "audience_referralsource"),
        LinkWithinPractice("audience_patient", "merged_into_id", "audience_patient"),
        Isolate("Diagnosis"),
        Isolate("Service"),
        Isolate("Payment"),
        Isolate("Coverage"),
        migrations.RunSQL(
            f"GRANT MAINTAIN ON {LARGE} TO trackstat_app",
            f"REVOKE MAINTAIN ON {LARGE} FROM trackstat_app",
        ),
    ]
