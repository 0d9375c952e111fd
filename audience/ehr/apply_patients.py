"""The patients of one chunk, with the contact points behind their phones and mailboxes.

Locks are taken in the order everyone keeps: contact points by id, then patients by id. An opt-out that commits while we
wait is seen, because `can_text` and `can_email` are told after the contact points are locked.
"""

from typing import Any

from audience.consent import reachable
from audience.ehr.compare import PATIENT_COLUMNS
from audience.ehr.staging import rows, run

_NAMES = ", ".join(PATIENT_COLUMNS)


def take_chunk(of: dict[str, Any]) -> None:
    """`chunk_patient` and `chunk_appointment`: the changes of one chunk's patients."""
    run(
        """CREATE TEMPORARY TABLE chunk_patient ON COMMIT DROP AS
           SELECT c.* FROM ehr_chunk k JOIN ehr_patient_change c ON c.external_id = k.key WHERE k.chunk = %(chunk)s""",
        of,
    )
    run(
        """CREATE TEMPORARY TABLE chunk_appointment ON COMMIT DROP AS
           SELECT c.* FROM ehr_chunk k JOIN ehr_appointment_change c ON c.patient_key = k.key
           WHERE k.chunk = %(chunk)s""",
        of,
    )
    run(
        """CREATE TEMPORARY TABLE chunk_check_in ON COMMIT DROP AS
           SELECT c.* FROM ehr_chunk k JOIN ehr_check_in c ON c.patient_key = k.key WHERE k.chunk = %(chunk)s""",
        of,
    )
    for table in ("chunk_patient", "chunk_appointment"):
        run(f"ANALYZE {table}")


def make_contact_points(of: dict[str, Any]) -> None:
    """Addresses that appear for the first time, with what the ledger says of them: given to the practice for care."""
    run(
        """WITH wanted AS (
               SELECT 'text' AS channel, cell AS address FROM chunk_patient WHERE cell <> ''
               UNION SELECT 'email', email FROM chunk_patient WHERE email <> ''
           ), made AS (
               INSERT INTO audience_contactpoint
                   (practice_id, channel, address, validity, validity_reason, opted_out_by_patient, created_at)
               SELECT %(practice)s, w.channel, w.address, 'unknown', '', false, trackstat.now()
               FROM wanted w
               LEFT JOIN audience_contactpoint cp
                      ON cp.practice_id = %(practice)s AND cp.channel = w.channel AND cp.address = w.address
               WHERE cp.id IS NULL
               ORDER BY w.channel, w.address
               ON CONFLICT (practice_id, channel, address) DO NOTHING
               RETURNING id
           )
           INSERT INTO audience_consentevent (practice_id, contact_point_id, purpose, given, source, wording, at)
           SELECT %(practice)s, id, 'appointment', true, 'ehr', %(wording)s, trackstat.now() FROM made""",
        of | {"wording": "The patient gave it to the practice: it stands in the EHR."},
    )


def lock(of: dict[str, Any]) -> None:
    """Everything that will be written or read for writing: no opt-out and no arming of a message comes in between."""
    run(
        """SELECT cp.id FROM audience_contactpoint cp
           WHERE cp.practice_id = %(practice)s AND (cp.channel, cp.address) IN (
               SELECT 'text', cell FROM chunk_patient WHERE cell <> ''
               UNION SELECT 'email', email FROM chunk_patient WHERE email <> '')
           ORDER BY cp.id FOR SHARE""",
        of,
    )
    run(
        """SELECT p.id FROM audience_patient p
           WHERE p.practice_id = %(practice)s AND p.id IN (
               SELECT id FROM chunk_patient
               UNION SELECT patient_id FROM chunk_appointment
               UNION SELECT was_patient_id FROM chunk_appointment
               UNION SELECT a.patient_id FROM chunk_check_in c JOIN audience_appointment a
                     ON a.practice_id = %(practice)s AND a.id = c.appointment_id)
           ORDER BY p.id FOR NO KEY UPDATE""",
        of,
    )


def apply_patients(of: dict[str, Any]) -> dict[str, int]:
    """Writes the chunk's patients; how many are new, how many changed."""
    values = ", ".join(f"c.{name}" for name in PATIENT_COLUMNS)
    written = rows(
        f"""INSERT INTO audience_patient AS p
                (practice_id, source, external_id, {_NAMES}, can_text, can_email,
                 visit_count, total_paid_cents, created_at, updated_at)
            SELECT %(practice)s, %(source)s, c.external_id, {values}, text.id IS NOT NULL, mail.id IS NOT NULL,
                   0, 0, trackstat.now(), trackstat.now()
            FROM chunk_patient c
            LEFT JOIN audience_contactpoint text ON text.practice_id = %(practice)s AND text.channel = 'text'
                 AND text.address = c.cell AND {reachable("text")}
            LEFT JOIN audience_contactpoint mail ON mail.practice_id = %(practice)s AND mail.channel = 'email'
                 AND mail.address = c.email AND {reachable("mail")}
            ORDER BY c.id NULLS LAST, c.external_id
            ON CONFLICT (practice_id, source, external_id) DO UPDATE
            SET ({_NAMES}, can_text, can_email, updated_at) =
                ({", ".join(f"excluded.{name}" for name in PATIENT_COLUMNS)}, excluded.can_text, excluded.can_email,
                 trackstat.now())
            RETURNING (p.xmax = 0)""",
        of,
    )
    new = sum(is_new for (is_new,) in written)
    return {"new": new, "changed": len(written) - new}
