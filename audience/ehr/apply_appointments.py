"""The appointments of one chunk's patients."""

from typing import Any

from audience.ehr.apply_patients import Applied
from audience.ehr.staging import rows, run

_COLUMNS = (
    "patient_id", "provider_id", "location_id", "purpose_id", "status", "starts_at", "ends_at", "starts_on",
    "checked_in_at",
)  # fmt: skip
_NAMES = ", ".join(_COLUMNS)


def compare(of: dict[str, Any]) -> None:
    """`chunk_appointment`: as they will be, each with the row there is and whether it differs.

    `patient_id` is still empty for patients that this chunk brings.
    """
    # What an encounter once told stays, also when a later export brings the appointment alone.
    seen = """s.status = 'scheduled' AND a.status = 'checked_in' AND a.checked_in_at IS NOT NULL
              AND a.starts_at = s.starts_at"""
    run(
        f"""CREATE TEMPORARY TABLE chunk_appointment ON COMMIT DROP AS
            SELECT c.*, c.id IS NOT NULL AND ({", ".join(f"a.{name}" for name in _COLUMNS)})
                        IS DISTINCT FROM ({", ".join(f"c.{name}" for name in _COLUMNS)}) AS is_changed,
                   a.patient_id AS was_patient_id
            FROM (
                SELECT s.resource_type, s.external_id, s.patient_key, a.id, p.id AS patient_id,
                       provider.id AS provider_id, location.id AS location_id, purpose.id AS purpose_id,
                       CASE WHEN {seen} THEN a.status ELSE s.status END AS status,
                       s.starts_at, s.ends_at, (s.starts_at AT TIME ZONE %(zone)s)::date AS starts_on,
                       coalesce(s.checked_in_at,
                                CASE WHEN ({seen}) OR s.status = 'checked_in' THEN a.checked_in_at END) AS checked_in_at
                FROM ehr_chunk k
                JOIN ehr_appointment s ON s.patient_key = k.key AND s.status <> ''
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
                WHERE k.chunk = %(chunk)s
            ) c
            LEFT JOIN audience_appointment a ON a.practice_id = %(practice)s AND a.id = c.id""",
        of,
    )
    run(
        """CREATE TEMPORARY TABLE chunk_check_in ON COMMIT DROP AS
           SELECT a.id AS appointment_id, min(s.checked_in_at) AS checked_in_at
           FROM ehr_chunk k
           JOIN ehr_appointment s ON s.patient_key = k.key AND s.appointment_key <> '' AND s.checked_in_at IS NOT NULL
           JOIN audience_appointment a
             ON a.practice_id = %(practice)s AND a.source = %(source)s AND a.external_id = s.appointment_key
           WHERE k.chunk = %(chunk)s AND a.status <> 'cancelled'
             AND (a.checked_in_at IS NULL OR a.status <> 'checked_in')
             AND NOT EXISTS (SELECT FROM ehr_appointment o WHERE o.external_id = s.appointment_key)
           GROUP BY a.id""",
        of,
    )


def apply_appointments(of: dict[str, Any]) -> dict[str, Applied]:
    """Writes those that are new or differ; by resource type, how many. `touched` collects the patients concerned."""
    run("CREATE TEMPORARY TABLE touched (patient_id bigint NOT NULL) ON COMMIT DROP")
    run(
        """UPDATE chunk_appointment c SET patient_id = p.id FROM audience_patient p
           WHERE c.patient_id IS NULL AND p.practice_id = %(practice)s AND p.source = %(source)s
             AND p.external_id = c.patient_key""",
        of,
    )
    run(
        f"""INSERT INTO audience_appointment (practice_id, source, external_id, {_NAMES})
            SELECT %(practice)s, %(source)s, external_id, {_NAMES}
            FROM chunk_appointment WHERE id IS NULL OR is_changed
            ORDER BY patient_id, starts_at, external_id
            ON CONFLICT (practice_id, source, external_id) DO UPDATE
            SET ({_NAMES}) = ({", ".join(f"excluded.{name}" for name in _COLUMNS)})""",
        of,
    )
    run("""INSERT INTO touched
           SELECT patient_id FROM chunk_appointment WHERE id IS NULL OR is_changed
           UNION SELECT was_patient_id FROM chunk_appointment WHERE is_changed""")
    counted = rows("""
        SELECT resource_type, count(*) FILTER (WHERE id IS NULL), count(*) FILTER (WHERE is_changed), count(*)
        FROM chunk_appointment GROUP BY 1""")
    return {kind: Applied(new, changed, total - new - changed) for kind, new, changed, total in counted}


def check_in_known(of: dict[str, Any]) -> int:
    """Encounters of this export whose appointment came with an earlier one."""
    return run(
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
    run("CREATE TEMPORARY TABLE touched (patient_id bigint NOT NULL) ON COMMIT DROP")
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
