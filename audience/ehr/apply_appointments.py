"""The appointments of one chunk's patients, and those that are none any more."""

from typing import Any

from audience.ehr.compare import APPOINTMENT_COLUMNS
from audience.ehr.staging import rows, run

_NAMES = ", ".join(APPOINTMENT_COLUMNS)


def apply_appointments(of: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Writes the chunk's appointments; by resource type, how many are new and changed.

    `touched` collects the patients whose rollups they change.
    """
    _open_touched()
    run(
        """UPDATE chunk_appointment c SET patient_id = p.id FROM audience_patient p
           WHERE c.patient_id IS NULL AND p.practice_id = %(practice)s AND p.source = %(source)s
             AND p.external_id = c.patient_key""",
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


def withdraw(of: dict[str, Any]) -> dict[str, int]:
    """Cancels what is no appointment any more, or no visit of its own; how many, by resource type.

    In a transaction of its own, after all chunks.
    """
    _open_touched()
    run(
        """SELECT p.id FROM audience_patient p WHERE p.practice_id = %(practice)s AND p.id IN (
               SELECT a.patient_id FROM ehr_appointment s JOIN audience_appointment a
                 ON a.practice_id = %(practice)s AND a.source = %(source)s AND a.external_id = s.external_id
               WHERE s.status = '' AND a.status <> 'cancelled')
           ORDER BY p.id FOR NO KEY UPDATE""",
        of,
    )
    return dict(
        rows(
            """WITH gone AS (
                   UPDATE audience_appointment a SET status = 'cancelled', checked_in_at = NULL
                   FROM ehr_appointment s
                   WHERE s.status = '' AND a.practice_id = %(practice)s AND a.source = %(source)s
                     AND a.external_id = s.external_id AND a.status <> 'cancelled'
                   RETURNING a.patient_id, s.resource_type
               ), concerned AS (INSERT INTO touched SELECT patient_id FROM gone)
               SELECT resource_type, count(*) FROM gone GROUP BY 1""",
            of,
        )
    )


def _open_touched() -> None:
    run("CREATE TEMPORARY TABLE touched (patient_id bigint NOT NULL) ON COMMIT DROP")
