"""Makes one staged export ready to be applied, all within the temporary tables and whatever the order of its files.

1. The same id twice: the newest stays, and where nothing tells which is newer, one is refused.
2. References by identifier or urn become ids.
3. An encounter that belongs to an appointment of the export becomes that appointment's check-in.
4. Places that something refers to get their names; postal codes get their time zones.
"""

from audience.ehr.staging import rows, run
from audience.ehr.zones import zones_of


def prepare() -> dict[str, int]:
    """Answers how many records were repeated, by resource type."""
    repeated = _keep_newest("ehr_patient", "'Patient'") | _keep_newest("ehr_appointment", "resource_type")
    _resolve_patients()
    _join_encounters()
    _name_places()
    _find_zones()
    for table in ("ehr_patient", "ehr_appointment", "ehr_used_place"):
        run(f"ANALYZE {table}")
    return repeated


def _keep_newest(table: str, resource_type: str) -> dict[str, int]:
    """Deletes older and equal copies; a copy that differs and is as new goes to the rejections."""
    if not rows(f"SELECT 1 FROM {table} GROUP BY external_id HAVING count(*) > 1 LIMIT 1"):
        return {}
    # Between two that are equally new their contents decide, so that the order of the files does not.
    content = "md5((to_jsonb(t) - 'file' - 'line')::text)"
    run(f"""
        CREATE TEMPORARY TABLE ehr_copy AS
        SELECT t.ctid AS row, resource_type, file, line, external_id, same_content, same_age
        FROM (
            SELECT t.ctid, {resource_type} AS resource_type, t.file, t.line, t.external_id,
                   row_number() OVER newest AS place,
                   {content} = first_value({content}) OVER newest AS same_content,
                   t.changed_at IS NOT DISTINCT FROM first_value(t.changed_at) OVER newest AS same_age
            FROM {table} t
            WINDOW newest AS (PARTITION BY t.external_id ORDER BY t.changed_at DESC NULLS LAST, {content})
        ) t WHERE place > 1""")
    run("""
        INSERT INTO ehr_rejection
        SELECT file, line, resource_type, external_id,
               'The same id came twice with different contents and no date that tells which is newer'
        FROM ehr_copy WHERE same_age AND NOT same_content""")
    repeated = rows("SELECT resource_type, count(*) FROM ehr_copy WHERE NOT same_age OR same_content GROUP BY 1")
    run(f"DELETE FROM {table} USING ehr_copy WHERE {table}.ctid = ehr_copy.row")
    run("DROP TABLE ehr_copy")
    return dict(repeated)


def _resolve_patients() -> None:
    run("""
        UPDATE ehr_appointment SET patient_key = coalesce(
            (SELECT min(external_id) FROM ehr_alias
             WHERE kind = 'Patient' AND alias = patient_key HAVING count(DISTINCT external_id) = 1),
            CASE WHEN patient_key LIKE 'urn:uuid:%' THEN substr(patient_key, 10) ELSE patient_key END)
        WHERE patient_key LIKE 'urn:%' OR patient_key LIKE '?%'""")
    run("""
        UPDATE ehr_appointment SET appointment_key = 'Appointment/' || coalesce(
            (SELECT min(external_id) FROM ehr_alias
             WHERE kind = 'Appointment' AND alias = substr(appointment_key, 13) HAVING count(DISTINCT external_id) = 1),
            CASE WHEN appointment_key LIKE 'Appointment/urn:uuid:%' THEN substr(appointment_key, 22)
                 ELSE substr(appointment_key, 13) END)
        WHERE appointment_key LIKE 'Appointment/urn:%' OR appointment_key LIKE 'Appointment/?%'""")


def _join_encounters() -> None:
    """Who was seen has come: the encounter outranks "booked" and "no-show", never a cancellation."""
    run("""
        UPDATE ehr_appointment a
        SET checked_in_at = e.checked_in_at,
            status = CASE WHEN a.status IN ('scheduled', 'missed') THEN 'checked_in' ELSE a.status END
        FROM (SELECT appointment_key, patient_key, min(checked_in_at) AS checked_in_at FROM ehr_appointment
              WHERE appointment_key <> '' AND checked_in_at IS NOT NULL GROUP BY 1, 2) e
        WHERE a.external_id = e.appointment_key AND a.patient_key = e.patient_key
          AND a.status NOT IN ('cancelled', '')""")


def _name_places() -> None:
    """Every place key that is used, with the id and the name behind it."""
    run("""
        CREATE TEMPORARY TABLE ehr_used_place AS
        WITH used AS (
            SELECT key, max(name) AS said, is_provider FROM (
                SELECT provider_key AS key, provider_name AS name, true AS is_provider FROM ehr_patient
                UNION ALL SELECT provider_key, provider_name, true FROM ehr_appointment
                UNION ALL SELECT location_key, location_name, false FROM ehr_appointment
            ) of WHERE key <> '' GROUP BY key, is_provider
        ), parts AS (
            SELECT *, split_part(key, '/', 1) AS kind, substr(key, strpos(key, '/') + 1) AS rest FROM used
        ), direct AS (
            SELECT parts.*, coalesce(
                (SELECT min(a.external_id) FROM ehr_alias a
                 WHERE a.kind = parts.kind AND a.alias = rest HAVING count(DISTINCT a.external_id) = 1),
                CASE WHEN rest LIKE 'urn:uuid:%' THEN substr(rest, 10) ELSE rest END) AS target
            FROM parts
        ), person AS (
            SELECT direct.*, role.practitioner FROM direct LEFT JOIN LATERAL (
                SELECT coalesce(min(to_id.external_id), min(role.external_id)) AS practitioner
                FROM ehr_alias role
                LEFT JOIN ehr_alias to_id ON to_id.kind = 'Practitioner' AND to_id.alias = role.external_id
                WHERE direct.kind = 'PractitionerRole' AND role.kind = 'PractitionerRole'
                      AND role.alias IN (direct.rest, direct.target)
            ) role ON true
        ), final AS (
            SELECT key, said, is_provider,
                   CASE WHEN practitioner IS NOT NULL THEN 'Practitioner' ELSE kind END AS kind,
                   coalesce(practitioner, target) AS external_id
            FROM person
        )
        SELECT key, is_provider, left(final.kind || '/' || final.external_id, 200) AS external_id,
               coalesce(nullif(named.name, ''), nullif(said, ''), '') AS name,
               coalesce(named.name, '') <> '' AS is_named
        FROM final LEFT JOIN LATERAL (
            SELECT max(p.name) AS name FROM ehr_place p
            WHERE p.kind = final.kind AND p.external_id = final.external_id
        ) named ON true""")
    # A provider or place that is only a name is told apart by the name.
    for key, name, is_provider in (("provider_key", "provider_name", True), ("location_key", "location_name", False)):
        for table in ("ehr_patient", "ehr_appointment")[0 if is_provider else 1 :]:
            run(f"UPDATE {table} SET {key} = 'name/' || lower({name}) WHERE {key} = '' AND {name} <> ''")
            run(
                f"""INSERT INTO ehr_used_place
                    SELECT {key}, %(is_provider)s, left({key}, 200), max({name}), true FROM {table}
                    WHERE {key} LIKE 'name/%%'
                      AND NOT EXISTS (SELECT FROM ehr_used_place u WHERE u.key = {table}.{key}
                                      AND u.is_provider = %(is_provider)s)
                    GROUP BY 1""",
                {"is_provider": is_provider},
            )
    run("CREATE INDEX ON ehr_used_place (key)")


def _find_zones() -> None:
    run("CREATE TEMPORARY TABLE ehr_zone (postal_code text NOT NULL, zone text NOT NULL)")
    codes = rows("SELECT DISTINCT postal_code FROM ehr_patient WHERE postal_code <> '' AND country IN ('', 'US')")
    zones = zones_of(code for (code,) in codes)
    run(
        "INSERT INTO ehr_zone SELECT * FROM unnest(%(codes)s::text[], %(zones)s::text[])",
        {"codes": list(zones), "zones": list(zones.values())},
    )
    run("ANALYZE ehr_zone")
