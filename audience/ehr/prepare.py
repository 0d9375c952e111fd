"""Makes one staged export ready to be applied, within the temporary tables and whatever the order of its files.

`settle`, then `merges.follow`, then `join`, then (when strangers are refused) `name`:

1. The same id twice: the newest stays, and where nothing tells which is newer, one is refused.
2. References by identifier or urn become ids.
3. An encounter that belongs to an appointment of the export becomes that appointment's check-in; an account that
   belongs to an episode of care is no second case; a payment notice gets its bill's patient; bills tell the insurer.
4. Places that something refers to get their names; postal codes get their time zones.
"""

from collections import Counter

from audience.ehr.staging import analyze, rows, run
from audience.ehr.words import DELETED
from audience.ehr.zones import zones_of

# Tables whose rows belong to an entry.
FACTS = ("ehr_diagnosis", "ehr_service", "ehr_payment", "ehr_coverage")
# Why a payment notice makes no payment.
ANNOUNCED = "Its bill says the same"
_SAME_AGE = "The same id came twice with different contents and no date that tells which is newer"


def settle() -> Counter[str]:
    """Steps 1 and 2; answers how many records were repeated, by resource type."""
    repeated = Counter(_keep_newest("ehr_patient", "'Patient'"))
    for table in ("ehr_appointment", "ehr_case", "ehr_entry"):
        repeated += _keep_what_is_there(table)
        repeated += Counter(_keep_newest(table, "resource_type"))
    for table in ("ehr_appointment", "ehr_case", "ehr_entry", "ehr_gone"):
        _resolve(table, "patient_key")
    for column in ("old_key", "new_key"):
        _resolve("ehr_merge", column)
    for table, column in (
        ("ehr_appointment", "appointment_key"),
        ("ehr_appointment", "case_key"),
        ("ehr_case", "account_key"),
        ("ehr_case_diagnosis", "diagnosis_key"),
        ("ehr_entry", "about_key"),
    ):
        _resolve_typed(table, column)
    return repeated


def join() -> None:
    """Step 3."""
    _join_encounters()
    _join_accounts()
    _find_bills()
    _tell_insurers()
    analyze("ehr_patient", "ehr_appointment", "ehr_case", "ehr_entry", *FACTS)


def name() -> None:
    """Step 4."""
    _name_places()
    _find_zones()
    analyze("ehr_used_place")


def _keep_what_is_there(table: str) -> Counter[str]:
    """What the export itself has was not deleted, or was made again."""
    gone = rows(
        f"""WITH gone AS (
                DELETE FROM {table} d USING (SELECT DISTINCT external_id FROM {table} WHERE left_out <> %(deleted)s) o
                WHERE d.left_out = %(deleted)s AND o.external_id = d.external_id
                RETURNING d.resource_type
            ) SELECT resource_type, count(*) FROM gone GROUP BY 1""",
        {"deleted": DELETED},
    )
    return Counter(dict(gone))


def _keep_newest(table: str, resource_type: str) -> dict[str, int]:
    """Deletes older and equal copies; a copy that differs and is as new goes to the rejections."""
    twice = f"SELECT external_id FROM {table} GROUP BY external_id HAVING count(*) > 1"
    if not rows(f"{twice} LIMIT 1"):
        return {}
    # Between two that are equally new their contents decide, so that the order of the files does not.
    content = "md5((to_jsonb(t) - 'file' - 'line' - 'entry')::text" + (_STATED if table == "ehr_entry" else "") + ")"
    run(f"""
        CREATE TEMPORARY TABLE ehr_copy AS
        SELECT t.row, resource_type, file, line, external_id, same_content, same_age
        FROM (
            SELECT t.row, {resource_type} AS resource_type, t.file, t.line, t.external_id,
                   row_number() OVER newest AS place,
                   t.content = first_value(t.content) OVER newest AS same_content,
                   t.changed_at IS NOT DISTINCT FROM first_value(t.changed_at) OVER newest AS same_age
            FROM (SELECT t.*, t.ctid AS row, {content} AS content FROM {table} t WHERE external_id IN ({twice})) t
            WINDOW newest AS (PARTITION BY t.external_id ORDER BY t.changed_at DESC NULLS LAST, t.content)
        ) t WHERE place > 1""")
    run(
        """INSERT INTO ehr_rejection
           SELECT file, line, resource_type, substr(external_id, strpos(external_id, '/') + 1), %(reason)s
           FROM ehr_copy WHERE same_age AND NOT same_content""",
        {"reason": _SAME_AGE},
    )
    repeated = rows("SELECT resource_type, count(*) FROM ehr_copy WHERE NOT same_age OR same_content GROUP BY 1")
    if table == "ehr_entry":
        for facts in FACTS:
            run(f"""DELETE FROM {facts} f USING ehr_entry e, ehr_copy c WHERE e.ctid = c.row AND f.entry = e.entry""")
    run(f"DELETE FROM {table} USING ehr_copy WHERE {table}.ctid = ehr_copy.row")
    run("DROP TABLE ehr_copy")
    return dict(repeated)


# What an entry states, in an order of its own.
_STATED = "".join(
    f""" || coalesce((SELECT string_agg((to_jsonb(f) - 'entry')::text, '' ORDER BY (to_jsonb(f) - 'entry')::text)
                     FROM {facts} f WHERE f.entry = t.entry), '')"""
    for facts in FACTS
)


def _resolve(table: str, column: str, kind: str = "Patient") -> None:
    run(
        f"""UPDATE {table} SET {column} = coalesce(
                (SELECT min(external_id) FROM ehr_alias
                 WHERE kind = %(kind)s AND alias = {column} HAVING count(DISTINCT external_id) = 1),
                CASE WHEN {column} LIKE 'urn:uuid:%%' THEN substr({column}, 10) ELSE {column} END)
            WHERE {column} LIKE 'urn:%%' OR {column} LIKE '?%%'""",
        {"kind": kind},
    )


def _resolve_typed(table: str, column: str) -> None:
    """Keys that carry their kind: `Appointment/urn:uuid:…`."""
    kind, rest = f"split_part({column}, '/', 1)", f"substr({column}, strpos({column}, '/') + 1)"
    run(f"""
        UPDATE {table} SET {column} = {kind} || '/' || coalesce(
            (SELECT min(external_id) FROM ehr_alias
             WHERE kind = {kind} AND alias = {rest} HAVING count(DISTINCT external_id) = 1),
            CASE WHEN {rest} LIKE 'urn:uuid:%' THEN substr({rest}, 10) ELSE {rest} END)
        WHERE {column} LIKE '%/urn:%' OR {column} LIKE '%/?%'""")


def _join_encounters() -> None:
    """Who was seen has come: the encounter outranks "booked" and "no-show", never a cancellation.

    What it was for, it knows better than the booking, too.
    """
    run("""
        UPDATE ehr_appointment a
        SET checked_in_at = e.checked_in_at,
            status = CASE WHEN a.status IN ('scheduled', 'missed') THEN 'checked_in' ELSE a.status END,
            case_key = coalesce(nullif(e.case_key, ''), a.case_key)
        FROM (SELECT appointment_key, patient_key, min(checked_in_at) AS checked_in_at, max(case_key) AS case_key
              FROM ehr_appointment
              WHERE appointment_key <> '' AND checked_in_at IS NOT NULL GROUP BY 1, 2) e
        WHERE a.external_id = e.appointment_key AND a.patient_key = e.patient_key
          AND a.status NOT IN ('cancelled', '')""")


def _join_accounts() -> None:
    run("""
        UPDATE ehr_case a SET left_out = 'Its episode of care is the case'
        FROM ehr_case e WHERE e.account_key = a.external_id AND e.left_out = '' AND a.left_out = ''""")
    run("""
        UPDATE ehr_appointment a SET case_key = e.external_id
        FROM ehr_case e WHERE e.account_key = a.case_key AND a.case_key <> '' AND e.left_out = ''""")


def _find_bills() -> None:
    """A notice belongs to its bill's patient, and says nothing new where the bill says that it was paid."""
    run("""
        UPDATE ehr_entry n SET patient_key = bill.patient_key
        FROM ehr_entry bill
        WHERE n.patient_key = '' AND n.left_out = '' AND bill.external_id = n.about_key AND bill.patient_key <> ''""")
    run(
        """
        UPDATE ehr_entry n SET left_out = %(announced)s
        FROM ehr_entry bill
        WHERE n.resource_type = 'PaymentNotice' AND n.left_out = ''
          AND n.about_key IN (bill.external_id, bill.about_key) AND bill.entry <> n.entry
          AND bill.resource_type <> 'PaymentNotice'
          AND EXISTS (SELECT FROM ehr_payment p WHERE p.entry = bill.entry)""",
        {"announced": ANNOUNCED},
    )
    run("DELETE FROM ehr_payment p USING ehr_entry n WHERE n.entry = p.entry AND n.left_out <> ''")


def _tell_insurers() -> None:
    """All bills of a patient to one company become one record: from the first to the newest."""
    run("""
        CREATE TEMPORARY TABLE ehr_billed AS
        SELECT e.patient_key, c.insurer_key, c.insurer_name, min(c.starts_on) AS starts_on,
               max(c.billed_on) AS billed_on
        FROM ehr_coverage c JOIN ehr_entry e USING (entry)
        WHERE c.billed_on IS NOT NULL GROUP BY 1, 2, 3""")
    run("DELETE FROM ehr_coverage WHERE billed_on IS NOT NULL")
    run("""
        INSERT INTO ehr_entry
        SELECT -row_number() OVER (), '', 0, NULL, '', 'Bills/' || patient_key, patient_key, '', ''
        FROM (SELECT DISTINCT patient_key FROM ehr_billed) of""")
    run("""
        INSERT INTO ehr_coverage
        SELECT e.entry, b.insurer_key, b.insurer_name, '', true, b.starts_on, NULL, b.billed_on
        FROM ehr_billed b JOIN ehr_entry e ON e.external_id = 'Bills/' || b.patient_key AND e.entry < 0""")


def _name_places() -> None:
    """Every place key that is used, with the id and the name behind it."""
    run("""
        CREATE TEMPORARY TABLE ehr_used_place AS
        WITH used AS (
            SELECT key, max(name) AS said, role FROM (
                SELECT provider_key AS key, provider_name AS name, 'provider' AS role FROM ehr_patient
                UNION ALL SELECT provider_key, provider_name, 'provider' FROM ehr_appointment
                UNION ALL SELECT location_key, location_name, 'location' FROM ehr_appointment
                UNION ALL SELECT insurer_key, insurer_name, 'insurer' FROM ehr_coverage
            ) of WHERE key <> '' GROUP BY key, role
        ), parts AS (
            SELECT *, split_part(key, '/', 1) AS kind, substr(key, strpos(key, '/') + 1) AS rest FROM used
        ), direct AS (
            SELECT parts.*, coalesce(
                (SELECT min(a.external_id) FROM ehr_alias a
                 WHERE a.kind = parts.kind AND a.alias = rest HAVING count(DISTINCT a.external_id) = 1),
                CASE WHEN rest LIKE 'urn:uuid:%' THEN substr(rest, 10) ELSE rest END) AS target
            FROM parts
        ), person AS (
            SELECT direct.*, held.practitioner FROM direct LEFT JOIN LATERAL (
                SELECT coalesce(min(to_id.external_id), min(held.external_id)) AS practitioner
                FROM ehr_alias held
                LEFT JOIN ehr_alias to_id ON to_id.kind = 'Practitioner' AND to_id.alias = held.external_id
                WHERE direct.kind = 'PractitionerRole' AND held.kind = 'PractitionerRole'
                      AND held.alias IN (direct.rest, direct.target)
            ) held ON true
        ), final AS (
            SELECT key, said, role,
                   CASE WHEN practitioner IS NOT NULL THEN 'Practitioner' ELSE kind END AS kind,
                   coalesce(practitioner, target) AS external_id
            FROM person
        )
        SELECT key, role, left(final.kind || '/' || final.external_id, 200) AS external_id,
               coalesce(nullif(named.name, ''), nullif(said, ''), '') AS name,
               coalesce(named.name, '') <> '' AS is_named
        FROM final LEFT JOIN LATERAL (
            SELECT max(p.name) AS name FROM ehr_place p
            WHERE p.kind = final.kind AND p.external_id = final.external_id
        ) named ON true""")
    # What is only a name is told apart by the name.
    for role, tables in (
        ("provider", ("ehr_patient", "ehr_appointment")),
        ("location", ("ehr_appointment",)),
        ("insurer", ("ehr_coverage",)),
    ):
        key, name = f"{role}_key", f"{role}_name"
        for table in tables:
            run(f"UPDATE {table} SET {key} = left('name/' || lower({name}), 200) WHERE {key} = '' AND {name} <> ''")
            run(
                f"""INSERT INTO ehr_used_place
                    SELECT {key}, %(role)s, {key}, max({name}), true FROM {table}
                    WHERE {key} LIKE 'name/%%'
                      AND NOT EXISTS (SELECT FROM ehr_used_place u WHERE u.key = {table}.{key} AND u.role = %(role)s)
                    GROUP BY 1""",
                {"role": role},
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
    analyze("ehr_zone")
