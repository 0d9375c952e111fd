from django.db import migrations, models

# Patient.kept_away says whether the patient carries a tag that keeps announcements away. Whoever changes who carries
# what, or what a tag does, keeps it by these: they lock the patients first, by id, and look only then, so that of two
# who change the tags of a patient at once the later one sees what the earlier one did. A tag that changes what it does
# cannot see who is just getting it; no page changes that, and `rollups.rebuild` puts it right.
KEPT_AWAY = """
CREATE FUNCTION trackstat.tell_kept_away(practices bigint[], patients bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM audience_patient p
      WHERE p.practice_id = ANY(practices) AND p.id = ANY(patients) ORDER BY p.id FOR NO KEY UPDATE;
    UPDATE audience_patient p SET kept_away = NOT p.kept_away
     WHERE p.practice_id = ANY(practices) AND p.id = ANY(patients)
       AND p.kept_away <> EXISTS (
           SELECT FROM audience_patienttag c JOIN audience_tag t ON t.practice_id = c.practice_id AND t.id = c.tag_id
            WHERE c.practice_id = p.practice_id AND c.patient_id = p.id AND t.always_excluded);
END $$;

CREATE FUNCTION trackstat.tags_put_on() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE practices bigint[]; patients bigint[];
BEGIN
    SELECT array_agg(DISTINCT n.practice_id), array_agg(n.patient_id) INTO practices, patients
      FROM put_on n JOIN audience_tag t ON t.practice_id = n.practice_id AND t.id = n.tag_id WHERE t.always_excluded;
    IF patients IS NOT NULL THEN
        PERFORM trackstat.tell_kept_away(practices, patients);
    END IF;
    RETURN NULL;
END $$;

-- The tag may be gone by now: whoever is kept away and carried any of them is looked at.
CREATE FUNCTION trackstat.tags_taken_off() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE practices bigint[]; patients bigint[];
BEGIN
    SELECT array_agg(DISTINCT o.practice_id), array_agg(o.patient_id) INTO practices, patients
      FROM taken_off o JOIN audience_patient p ON p.practice_id = o.practice_id AND p.id = o.patient_id
     WHERE p.kept_away AND NOT EXISTS (
           SELECT FROM audience_tag t WHERE t.practice_id = o.practice_id AND t.id = o.tag_id
                                        AND NOT t.always_excluded);
    IF patients IS NOT NULL THEN
        PERFORM trackstat.tell_kept_away(practices, patients);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION trackstat.tag_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE practices bigint[]; patients bigint[];
BEGIN
    SELECT array_agg(DISTINCT c.practice_id), array_agg(c.patient_id) INTO practices, patients
      FROM audience_patienttag c WHERE c.practice_id = NEW.practice_id AND c.tag_id = NEW.id;
    IF patients IS NOT NULL THEN
        PERFORM trackstat.tell_kept_away(practices, patients);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER put_on AFTER INSERT ON audience_patienttag REFERENCING NEW TABLE AS put_on
    FOR EACH STATEMENT EXECUTE FUNCTION trackstat.tags_put_on();
CREATE TRIGGER taken_off AFTER DELETE ON audience_patienttag REFERENCING OLD TABLE AS taken_off
    FOR EACH STATEMENT EXECUTE FUNCTION trackstat.tags_taken_off();
CREATE TRIGGER moved_to AFTER UPDATE ON audience_patienttag REFERENCING NEW TABLE AS put_on
    FOR EACH STATEMENT EXECUTE FUNCTION trackstat.tags_put_on();
CREATE TRIGGER moved_from AFTER UPDATE ON audience_patienttag REFERENCING OLD TABLE AS taken_off
    FOR EACH STATEMENT EXECUTE FUNCTION trackstat.tags_taken_off();
CREATE TRIGGER changed AFTER UPDATE ON audience_tag
    FOR EACH ROW WHEN (OLD.always_excluded IS DISTINCT FROM NEW.always_excluded)
    EXECUTE FUNCTION trackstat.tag_changed();

UPDATE audience_patient p SET kept_away = true
  FROM audience_patienttag c JOIN audience_tag t ON t.practice_id = c.practice_id AND t.id = c.tag_id
 WHERE t.always_excluded AND p.practice_id = c.practice_id AND p.id = c.patient_id;
"""
BACK = """
DROP TRIGGER changed ON audience_tag;
DROP TRIGGER moved_from ON audience_patienttag;
DROP TRIGGER moved_to ON audience_patienttag;
DROP TRIGGER taken_off ON audience_patienttag;
DROP TRIGGER put_on ON audience_patienttag;
DROP FUNCTION trackstat.tag_changed, trackstat.tags_taken_off, trackstat.tags_put_on;
DROP FUNCTION trackstat.tell_kept_away;
"""


class Migration(migrations.Migration):
    dependencies = [("audience", "0018_bills_of_payments")]

    operations = [
        migrations.AddField(
            model_name="patient",
            name="kept_away",
            field=models.BooleanField(db_default=False),
        ),
        migrations.RunSQL(KEPT_AWAY, BACK),
    ]
