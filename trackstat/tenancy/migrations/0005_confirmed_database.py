from django.db import migrations

# Which database may send, see messaging.restored. The row knows the cluster, its timeline, the database and the table
# itself: a restored dump, a recovery to a point in time and a copy differ in one of them. The restricted role may say
# that the database went back in time, and can never take that back.
SENDING = """
CREATE TABLE trackstat.sending (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    fingerprint text NOT NULL,
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    confirmed_by text NOT NULL,
    went_back_at timestamptz
);
CREATE FUNCTION trackstat.fingerprint() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(':', (SELECT system_identifier FROM pg_control_system()),
                     left(pg_walfile_name(pg_current_wal_lsn()), 8),
                     (SELECT oid FROM pg_database WHERE datname = current_database()),
                     'trackstat.sending'::regclass::oid) $$;
INSERT INTO trackstat.sending (fingerprint, confirmed_by) VALUES (trackstat.fingerprint(), 'made or migrated here');
ALTER TABLE trackstat.sending ENABLE ROW LEVEL SECURITY;
CREATE POLICY anybody_reads ON trackstat.sending FOR SELECT TO trackstat_app USING (true);
CREATE POLICY off_only ON trackstat.sending FOR UPDATE TO trackstat_app USING (true)
    WITH CHECK (went_back_at IS NOT NULL);
GRANT SELECT, UPDATE (went_back_at) ON trackstat.sending TO trackstat_app;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0004_checked_settings")]

    operations = [
        migrations.RunSQL(SENDING, "DROP FUNCTION trackstat.fingerprint(); DROP TABLE trackstat.sending;"),
    ]
