"""What of a staged export differs from what the practice has. One transaction in its scope, before anything is written.

The comparison holds until the chunks are applied: these rows are changed by nobody but the one import at a time that
its practice and source allow. Whatever is equal is not looked at again: the same export a second time writes nothing.
"""

from typing import Any

from audience.ehr import case_links
from audience.ehr.facts import CHANGES, compare_facts
from audience.ehr.staging import analyze, rows, run

# Changes in one transaction (a patient's are never split): it holds its patients' locks for about a second.
CHUNK = 16_000

# Column of Patient → what is staged for it.
PATIENT_COLUMNS = {
    "first_name": "s.first_name",
    "last_name": "s.last_name",
    "preferred_name": "s.preferred_name",
    "birth_date": "s.birth_date",
    "sex": "s.sex",
    "status": "CASE WHEN s.is_active AND m.old_key IS NULL THEN 'active' ELSE 'inactive' END",
    "inactive_reason": "CASE WHEN s.is_active AND m.old_key IS NOT NULL THEN 'archived' ELSE s.inactive_reason END",
    "cell": """CASE WHEN m.old_key IS NOT NULL THEN '' ELSE coalesce(nullif(s.cell, ''), (
        SELECT cp.address FROM audience_contactpoint cp
        WHERE cp.practice_id = %(practice)s AND cp.channel = 'text' AND cp.line_type = 'mobile'
          AND cp.address <> '' AND cp.address IN (s.home_phone, s.work_phone)
        ORDER BY cp.address <> s.home_phone LIMIT 1), '') END""",
    "home_phone": "s.home_phone",
    "work_phone": "s.work_phone",
    "email": "CASE WHEN m.old_key IS NOT NULL THEN '' ELSE s.email END",
    "address_line": "s.address",
    "city": "s.city",
    "state": "s.state",
    "postal_code": "s.postal_code",
    "time_zone": "coalesce(zone.zone, '')",
    "primary_provider_id": "provider.id",
    "attorney_id": "attorney.id",
    "care_package_id": "carepackage.id",
    "fee_schedule_id": "feeschedule.id",
    "referral_source_id": "referralsource.id",
    "marketing_ok": "s.marketing_ok",
    # Only `merges` sets it; a record that is none any more stands alone again.
    "merged_into_id": "CASE WHEN m.old_key IS NOT NULL THEN p.merged_into_id END",
}
APPOINTMENT_COLUMNS = (
    "patient_id", "provider_id", "location_id", "purpose_id", "case_id", "status", "starts_at", "ends_at", "starts_on",
    "checked_in_at",
)  # fmt: skip
CASE_COLUMNS = (
    "patient_id", "case_type_id", "attorney_id", "care_package_id", "fee_schedule_id", "is_active", "starts_on",
    "ends_on",
)  # fmt: skip
# What an encounter once told stays, also when a later export brings the appointment alone.
_STAYS_SEEN = """(s.status = 'scheduled' AND a.status = 'checked_in' AND a.checked_in_at IS NOT NULL
                  AND a.starts_at = s.starts_at)"""


def compare(of: dict[str, Any]) -> dict[str, int]:
    """Fills `ehr_…_change`, `ehr_…_surplus` and `ehr_check_in`, and deals their patients into chunks.

    Answers how many patients, appointments and cases are unchanged, by resource type.
    """
    _compare_patients(of)
    _compare_appointments(of)
    _compare_cases(of)
    compare_facts(of)
    _find_check_ins(of)
    _deal(of)
    return dict(
        rows("""
            SELECT 'Patient', (SELECT count(*) FROM ehr_patient) - (SELECT count(*) FROM ehr_patient_change)
            UNION ALL
            SELECT s.resource_type, count(*) - count(c.external_id)
            FROM ehr_appointment s LEFT JOIN ehr_appointment_change c USING (external_id)
            WHERE s.status <> '' GROUP BY 1
            UNION ALL
            SELECT s.resource_type, count(*) - count(c.external_id)
            FROM ehr_case s LEFT JOIN ehr_case_change c USING (external_id)
            WHERE s.left_out = '' GROUP BY 1""")
    )


def _named(table: str, column: str) -> str:
    return f"""LEFT JOIN audience_{table} {table}
                       ON {table}.practice_id = %(practice)s AND {table}.name = s.{column} AND s.{column} <> ''"""


def _compare_patients(of: dict[str, Any]) -> None:
    pairs = ", ".join(f"{value} AS {name}" for name, value in PATIENT_COLUMNS.items())
    run(
        f"""CREATE TEMPORARY TABLE ehr_patient_change AS
            SELECT * FROM (
                SELECT s.external_id, p.id, {pairs}, p AS known
                FROM ehr_patient s
                LEFT JOIN audience_patient p
                       ON p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = s.external_id
                LEFT JOIN ehr_merged m ON m.old_key = s.external_id
                LEFT JOIN ehr_zone zone ON zone.postal_code = s.postal_code AND s.country IN ('', 'US')
                LEFT JOIN ehr_used_place u ON u.key = s.provider_key AND u.role = 'provider'
                LEFT JOIN audience_provider provider
                       ON provider.practice_id = %(practice)s AND provider.external_id = u.external_id
                {_named("attorney", "attorney")}
                {_named("carepackage", "care_package")}
                {_named("feeschedule", "fee_schedule")}
                {_named("referralsource", "referral_source")}
            ) c
            WHERE id IS NULL OR {_differ(list(PATIENT_COLUMNS), "(c.known)", "c")}""",
        of,
    )
    run("ALTER TABLE ehr_patient_change DROP COLUMN known")


def _compare_appointments(of: dict[str, Any]) -> None:
    """`patient_id` and `case_id` stay empty where this import brings the patient or the case, too.

    A case, once told, stays: the booking alone does not know it.
    """
    run(
        f"""CREATE TEMPORARY TABLE ehr_appointment_change AS
            SELECT * FROM (
                SELECT s.resource_type, s.external_id, s.patient_key, a.id, a.patient_id AS was_patient_id,
                       p.id AS patient_id, provider.id AS provider_id, location.id AS location_id,
                       purpose.id AS purpose_id, coalesce(of_case.id, a.case_id) AS case_id,
                       CASE WHEN of_case.id IS NULL AND new_case.external_id IS NOT NULL THEN s.case_key ELSE '' END
                           AS case_key,
                       CASE WHEN {_STAYS_SEEN} THEN a.status ELSE s.status END AS status,
                       s.starts_at, s.ends_at, (s.starts_at AT TIME ZONE %(zone)s)::date AS starts_on,
                       coalesce(s.checked_in_at, CASE WHEN {_STAYS_SEEN} OR s.status = 'checked_in'
                                                      THEN a.checked_in_at END) AS checked_in_at,
                       a AS known
                FROM ehr_appointment s
                LEFT JOIN audience_patient p
                       ON p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = s.patient_key
                LEFT JOIN ehr_used_place up ON up.key = s.provider_key AND up.role = 'provider'
                LEFT JOIN audience_provider provider
                       ON provider.practice_id = %(practice)s AND provider.external_id = up.external_id
                LEFT JOIN ehr_used_place ul ON ul.key = s.location_key AND ul.role = 'location'
                LEFT JOIN audience_location location
                       ON location.practice_id = %(practice)s AND location.external_id = ul.external_id
                LEFT JOIN audience_appointmentpurpose purpose
                       ON purpose.practice_id = %(practice)s AND purpose.name = s.purpose
                LEFT JOIN audience_case of_case
                       ON of_case.practice_id = %(practice)s AND of_case.source = %(source)s
                          AND of_case.external_id = s.case_key AND of_case.patient_id = p.id
                LEFT JOIN ehr_case new_case
                       ON new_case.external_id = s.case_key AND new_case.patient_key = s.patient_key
                          AND new_case.left_out = ''
                LEFT JOIN audience_appointment a
                       ON a.practice_id = %(practice)s AND a.source = %(source)s AND a.external_id = s.external_id
                WHERE s.status <> ''
            ) c
            WHERE id IS NULL OR case_key <> '' OR {_differ(APPOINTMENT_COLUMNS, "(c.known)", "c")}""",
        of,
    )
    run("ALTER TABLE ehr_appointment_change DROP COLUMN known")


def _compare_cases(of: dict[str, Any]) -> None:
    run(
        f"""CREATE TEMPORARY TABLE ehr_case_change AS
            SELECT * FROM (
                SELECT s.resource_type, s.external_id, s.patient_key, t.id, t.patient_id AS was_patient_id,
                       p.id AS patient_id, casetype.id AS case_type_id, attorney.id AS attorney_id,
                       carepackage.id AS care_package_id, feeschedule.id AS fee_schedule_id, s.is_active, s.starts_on,
                       s.ends_on, t AS known
                FROM ehr_case s
                LEFT JOIN audience_patient p
                       ON p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = s.patient_key
                {_named("casetype", "case_type")}
                {_named("attorney", "attorney")}
                {_named("carepackage", "care_package")}
                {_named("feeschedule", "fee_schedule")}
                LEFT JOIN audience_case t
                       ON t.practice_id = %(practice)s AND t.source = %(source)s AND t.external_id = s.external_id
                WHERE s.left_out = ''
            ) c
            WHERE id IS NULL OR {_differ(CASE_COLUMNS, "(c.known)", "c")}""",
        of,
    )
    run("ALTER TABLE ehr_case_change DROP COLUMN known")


def _find_check_ins(of: dict[str, Any]) -> None:
    """Encounters whose appointment came with an earlier export, and is not checked in yet."""
    run(
        """CREATE TEMPORARY TABLE ehr_check_in AS
           SELECT min(s.patient_key) AS patient_key, a.id AS appointment_id, min(s.checked_in_at) AS checked_in_at
           FROM ehr_appointment s
           JOIN audience_appointment a
             ON a.practice_id = %(practice)s AND a.source = %(source)s AND a.external_id = s.appointment_key
           JOIN audience_patient p
             ON p.practice_id = %(practice)s AND p.id = a.patient_id AND p.external_id = s.patient_key
           WHERE s.appointment_key <> '' AND s.checked_in_at IS NOT NULL
             AND a.status <> 'cancelled' AND (a.checked_in_at IS NULL OR a.status <> 'checked_in')
             AND NOT EXISTS (SELECT FROM ehr_appointment o WHERE o.external_id = s.appointment_key)
           GROUP BY a.id""",
        of,
    )


def _deal(of: dict[str, Any]) -> None:
    """Every patient with changes into a chunk, which is a range of keys; a patient's changes are never split."""
    keys = " UNION ALL ".join(
        [
            "SELECT external_id FROM ehr_patient_change",
            # What belongs to a patient of another export is linked or moved under that patient's lock.
            *(f"SELECT patient_key FROM {table}" for table in _BY_PATIENT),
            case_links.patients(),
        ]
    )
    run(
        f"""CREATE TEMPORARY TABLE ehr_key AS
            SELECT key, (sum(changes) OVER (ORDER BY key COLLATE "C") - changes) / %(size)s AS chunk
            FROM (SELECT key, count(*) AS changes FROM ({keys}) of (key) GROUP BY 1) keys""",
        of | {"size": CHUNK},
    )
    run("UPDATE ehr_key SET chunk = floor(chunk)")
    run("""CREATE INDEX ON ehr_key (key COLLATE "C")""")
    run("""CREATE INDEX ON ehr_patient_change (external_id COLLATE "C")""")
    for table in _BY_PATIENT:
        run(f"""CREATE INDEX ON {table} (patient_key COLLATE "C")""")
    analyze("ehr_key", "ehr_patient_change", *_BY_PATIENT)


def chunks() -> list[tuple[str, str]]:
    """First and last key of each chunk."""
    return rows("""
        SELECT min(key COLLATE "C"), max(key COLLATE "C") FROM ehr_key GROUP BY chunk ORDER BY min(key COLLATE "C")""")


_BY_PATIENT = ("ehr_appointment_change", "ehr_check_in", "ehr_case_change", *CHANGES)


def _differ(columns: list[str] | tuple[str, ...], left: str, right: str) -> str:
    def row(of: str) -> str:
        return ", ".join(f"{of}.{name}" for name in columns)

    return f"({row(left)}) IS DISTINCT FROM ({row(right)})"
