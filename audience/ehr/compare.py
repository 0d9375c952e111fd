"""What of a staged export differs from what the practice has. One transaction in its scope, before anything is written.

The comparison holds until the chunks are applied: these rows are changed by nobody but the one import at a time that
its practice and source allow. Whatever is equal is not looked at again: the same export a second time writes nothing.
"""

from typing import Any

from audience.ehr.staging import rows, run

# Patients, each with everything of theirs, in one transaction.
CHUNK = 1000

# Column of Patient → what is staged for it.
PATIENT_COLUMNS = {
    "first_name": "s.first_name",
    "last_name": "s.last_name",
    "preferred_name": "s.preferred_name",
    "birth_date": "s.birth_date",
    "sex": "s.sex",
    "status": "CASE WHEN s.is_active THEN 'active' ELSE 'inactive' END",
    "inactive_reason": "s.inactive_reason",
    "cell": """coalesce(nullif(s.cell, ''), (
        SELECT cp.address FROM audience_contactpoint cp
        WHERE cp.practice_id = %(practice)s AND cp.channel = 'text' AND cp.line_type = 'mobile'
          AND cp.address <> '' AND cp.address IN (s.home_phone, s.work_phone)
        ORDER BY cp.address <> s.home_phone LIMIT 1), '')""",
    "home_phone": "s.home_phone",
    "work_phone": "s.work_phone",
    "email": "s.email",
    "address_line": "s.address",
    "city": "s.city",
    "state": "s.state",
    "postal_code": "s.postal_code",
    "time_zone": "coalesce(zone.zone, '')",
    "primary_provider_id": "provider.id",
}
APPOINTMENT_COLUMNS = (
    "patient_id", "provider_id", "location_id", "purpose_id", "status", "starts_at", "ends_at", "starts_on",
    "checked_in_at",
)  # fmt: skip
# What an encounter once told stays, also when a later export brings the appointment alone.
_STAYS_SEEN = """(s.status = 'scheduled' AND a.status = 'checked_in' AND a.checked_in_at IS NOT NULL
                  AND a.starts_at = s.starts_at)"""


def compare(of: dict[str, Any]) -> dict[str, int]:
    """Fills `ehr_patient_change`, `ehr_appointment_change` and `ehr_check_in`, and deals their patients into chunks.

    Answers how many records are unchanged, by resource type.
    """
    _compare_patients(of)
    _compare_appointments(of)
    _find_check_ins(of)
    _deal()
    return dict(
        rows("""
            SELECT 'Patient', (SELECT count(*) FROM ehr_patient) - (SELECT count(*) FROM ehr_patient_change)
            UNION ALL
            SELECT s.resource_type, count(*) - count(c.external_id)
            FROM ehr_appointment s LEFT JOIN ehr_appointment_change c USING (external_id)
            WHERE s.status <> '' GROUP BY 1""")
    )


def _compare_patients(of: dict[str, Any]) -> None:
    pairs = ", ".join(f"{value} AS {name}" for name, value in PATIENT_COLUMNS.items())
    run(
        f"""CREATE TEMPORARY TABLE ehr_patient_change AS
            SELECT c.*, p.id
            FROM (
                SELECT s.external_id, {pairs}
                FROM ehr_patient s
                LEFT JOIN ehr_zone zone ON zone.postal_code = s.postal_code AND s.country IN ('', 'US')
                LEFT JOIN ehr_used_place u ON u.key = s.provider_key AND u.is_provider
                LEFT JOIN audience_provider provider
                       ON provider.practice_id = %(practice)s AND provider.external_id = u.external_id
            ) c
            LEFT JOIN audience_patient p
                   ON p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = c.external_id
            WHERE p.id IS NULL OR {_differ(list(PATIENT_COLUMNS), "p", "c")}""",
        of,
    )


def _compare_appointments(of: dict[str, Any]) -> None:
    """`patient_id` stays empty where this import brings the patient, too."""
    run(
        f"""CREATE TEMPORARY TABLE ehr_appointment_change AS
            SELECT * FROM (
                SELECT s.resource_type, s.external_id, s.patient_key, a.id, a.patient_id AS was_patient_id,
                       p.id AS patient_id, provider.id AS provider_id, location.id AS location_id,
                       purpose.id AS purpose_id,
                       CASE WHEN {_STAYS_SEEN} THEN a.status ELSE s.status END AS status,
                       s.starts_at, s.ends_at, (s.starts_at AT TIME ZONE %(zone)s)::date AS starts_on,
                       coalesce(s.checked_in_at, CASE WHEN {_STAYS_SEEN} OR s.status = 'checked_in'
                                                      THEN a.checked_in_at END) AS checked_in_at,
                       a AS known
                FROM ehr_appointment s
                LEFT JOIN audience_patient p
                       ON p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = s.patient_key
                LEFT JOIN ehr_used_place up ON up.key = s.provider_key AND up.is_provider
                LEFT JOIN audience_provider provider
                       ON provider.practice_id = %(practice)s AND provider.external_id = up.external_id
                LEFT JOIN ehr_used_place ul ON ul.key = s.location_key AND NOT ul.is_provider
                LEFT JOIN audience_location location
                       ON location.practice_id = %(practice)s AND location.external_id = ul.external_id
                LEFT JOIN audience_appointmentpurpose purpose
                       ON purpose.practice_id = %(practice)s AND purpose.name = s.purpose
                LEFT JOIN audience_appointment a
                       ON a.practice_id = %(practice)s AND a.source = %(source)s AND a.external_id = s.external_id
                WHERE s.status <> ''
            ) c
            WHERE id IS NULL OR {_differ(APPOINTMENT_COLUMNS, "(c.known)", "c")}""",
        of,
    )
    run("ALTER TABLE ehr_appointment_change DROP COLUMN known")


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


def _deal() -> None:
    """One number for each patient who has changes; a patient's are never split."""
    run(
        """CREATE TEMPORARY TABLE ehr_chunk AS
           SELECT key, (row_number() OVER (ORDER BY key) - 1) / %(size)s AS chunk
           FROM (SELECT external_id AS key FROM ehr_patient_change
                 UNION SELECT patient_key FROM ehr_appointment_change
                 UNION SELECT patient_key FROM ehr_check_in) keys""",
        {"size": CHUNK},
    )
    run("CREATE INDEX ON ehr_chunk (chunk)")
    run("CREATE INDEX ON ehr_patient_change (external_id)")
    run("CREATE INDEX ON ehr_appointment_change (patient_key)")
    for table in ("ehr_chunk", "ehr_patient_change", "ehr_appointment_change", "ehr_check_in"):
        run(f"ANALYZE {table}")


def _differ(columns: list[str] | tuple[str, ...], left: str, right: str) -> str:
    def row(of: str) -> str:
        return ", ".join(f"{of}.{name}" for name in columns)

    return f"({row(left)}) IS DISTINCT FROM ({row(right)})"
