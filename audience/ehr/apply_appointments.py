"""The appointments of one chunk's patients."""

from typing import Any

from audience.ehr.compare import APPOINTMENT_COLUMNS
from audience.ehr.staging import rows, run

_NAMES = ", ".join(APPOINTMENT_COLUMNS)


def apply_appointments(of: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Writes the chunk's appointments; by resource type, how many are new and changed.

    `touched` collects the patients whose rollups they change.
    """
    run(
        """UPDATE chunk_appointment c SET patient_id = k.id FROM chunk_key k
           WHERE c.patient_id IS NULL AND k.key = c.patient_key"""
    )
    run(
        """UPDATE chunk_appointment a SET case_id = c.id FROM audience_case c
           WHERE a.case_key <> '' AND c.practice_id = %(practice)s AND c.source = %(source)s
             AND c.external_id = a.case_key AND c.patient_id = a.patient_id""",
        of,
    )
    run(
        f"""INSERT INTO audience_appointment (practice_id, source, external_id, {_NAMES})
            SELECT %(practice)s, %(source)s, external_id, {_NAMES}
            FROM chunk_appointment ORDER BY patient_id, starts_at, external_id
            ON CONFLICT (practice_id, source, external_id) DO UPDATE
            SET ({_NAMES}) = ({", ".join(f"excluded.{name}" for name in APPOINTMENT_COLUMNS)})""",
        of,
    )
    run("""INSERT INTO touched
           SELECT patient_id FROM chunk_appointment
           UNION SELECT was_patient_id FROM chunk_appointment WHERE was_patient_id IS NOT NULL""")
    _check_in(of)
    counted = rows("""
        SELECT resource_type, count(*) FILTER (WHERE id IS NULL), count(*) FILTER (WHERE id IS NOT NULL)
        FROM chunk_appointment GROUP BY 1""")
    return {kind: {"new": new, "changed": changed} for kind, new, changed in counted}


def _check_in(of: dict[str, Any]) -> None:
    run(
        """WITH seen AS (
               UPDATE audience_appointment a
               SET checked_in_at = coalesce(a.checked_in_at, c.checked_in_at), status = 'checked_in'
               FROM chunk_check_in c WHERE a.practice_id = %(practice)s AND a.id = c.appointment_id
               RETURNING a.patient_id
           )
           INSERT INTO touched SELECT patient_id FROM seen""",
        of,
    )
