"""The appointments of one chunk's patients."""

from typing import Any

from audience.ehr.compare import APPOINTMENT_COLUMNS
from audience.ehr.staging import rows, run

# Patients and cases that this import brings have their ids by now.
_WRITTEN = {name: f"a.{name}" for name in APPOINTMENT_COLUMNS} | {
    "patient_id": "k.id",
    "case_id": "coalesce(c.id, a.case_id)",
}


def apply_appointments(of: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Writes the chunk's appointments; by resource type, how many are new and changed.

    `touched` collects the patients whose rollups they change.
    """
    run(
        f"""INSERT INTO audience_appointment (practice_id, source, external_id, {", ".join(_WRITTEN)})
            SELECT %(practice)s, %(source)s, a.external_id, {", ".join(_WRITTEN.values())}
            FROM chunk_appointment a
            JOIN chunk_key k ON k.key = a.patient_key
            LEFT JOIN audience_case c ON a.case_key <> '' AND c.practice_id = %(practice)s AND c.source = %(source)s
                 AND c.external_id = a.case_key AND c.patient_id = k.id
            ORDER BY k.id, a.starts_at, a.external_id
            ON CONFLICT (practice_id, source, external_id) DO UPDATE
            SET ({", ".join(_WRITTEN)}) = ({", ".join(f"excluded.{name}" for name in _WRITTEN)})""",
        of,
    )
    run("""INSERT INTO touched
           SELECT k.id FROM chunk_appointment a JOIN chunk_key k ON k.key = a.patient_key
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
