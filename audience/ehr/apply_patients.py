"""The patients of one chunk, with the contact points behind their phones and mailboxes.

Locks are taken in the order everyone keeps: contact points by id, then patients by id. An opt-out that commits while we
wait is seen, because `can_text` and `can_email` are told after the contact points are locked.
"""

from typing import Any

from audience.consent import reachable
from audience.ehr.compare import PATIENT_COLUMNS
from audience.ehr.facts import FACTS
from audience.ehr.staging import analyze, rows, run
from audience.rollups import VISITS

_NAMES = ", ".join(PATIENT_COLUMNS)


def take_chunk(of: dict[str, Any]) -> None:
    """`chunk_key`, `chunk_patient`, `chunk_appointment`, `chunk_case`, `chunk_check_in`: one chunk's changes."""
    run(
        """CREATE TEMPORARY TABLE chunk_key ON COMMIT DROP AS
           SELECT key, NULL::bigint AS id FROM ehr_key WHERE key COLLATE "C" BETWEEN %(first)s AND %(last)s""",
        of,
    )
    for name, key in (
        ("patient_change", "external_id"),
        ("appointment_change", "patient_key"),
        ("case_change", "patient_key"),
        ("check_in", "patient_key"),
    ):
        run(
            f"""CREATE TEMPORARY TABLE chunk_{name.removesuffix("_change")} ON COMMIT DROP AS
                SELECT * FROM ehr_{name} WHERE {key} COLLATE "C" BETWEEN %(first)s AND %(last)s""",
            of,
        )
    analyze("chunk_key", "chunk_patient", "chunk_appointment")


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
    strength = "NO KEY UPDATE" if rows("SELECT 1 FROM chunk_marketing LIMIT 1") else "SHARE"
    run(
        f"""SELECT cp.id FROM audience_contactpoint cp
            WHERE cp.practice_id = %(practice)s AND (cp.channel, cp.address) IN (
                SELECT 'text', cell FROM chunk_patient WHERE cell <> ''
                UNION SELECT 'email', email FROM chunk_patient WHERE email <> '')
            ORDER BY cp.id FOR {strength}""",
        of,
    )
    moved = " UNION ".join(
        f"""SELECT was_patient_id FROM ehr_{fact.name}_change
            WHERE patient_key COLLATE "C" BETWEEN %(first)s AND %(last)s AND was_patient_id <> patient_id"""
        for fact in FACTS
    )
    run(
        f"""SELECT p.id FROM audience_patient p
            WHERE p.practice_id = %(practice)s AND p.id IN (
                SELECT known.id FROM chunk_key k JOIN audience_patient known
                    ON known.practice_id = %(practice)s AND known.source = %(source)s AND known.external_id = k.key
                UNION SELECT was_patient_id FROM chunk_appointment
                UNION SELECT was_patient_id FROM chunk_case
                UNION {moved})
            ORDER BY p.id FOR NO KEY UPDATE""",
        of,
    )


def apply_patients(of: dict[str, Any]) -> dict[str, int]:
    """Writes the chunk's patients; how many are new, how many changed. From now on `chunk_key` has their ids.

    New ones have what the chunk itself says of their visits and payments: `rollups` seldom writes them again.
    """
    values = ", ".join(f"c.{name}" for name in PATIENT_COLUMNS)
    written = rows(
        f"""INSERT INTO audience_patient AS p
                (practice_id, source, external_id, {_NAMES}, can_text, can_email, first_visit_on, last_visit_on,
                 next_visit_at, visit_count, total_paid_cents, created_at, updated_at)
            SELECT %(practice)s, %(source)s, c.external_id, {values}, text.id IS NOT NULL, mail.id IS NOT NULL,
                   visits.first_visit_on, visits.last_visit_on, visits.next_visit_at, coalesce(visits.visit_count, 0),
                   coalesce(paid.cents, 0), trackstat.now(), trackstat.now()
            FROM chunk_patient c
            LEFT JOIN (SELECT a.patient_key, {VISITS} FROM chunk_appointment a GROUP BY 1) visits
                 ON visits.patient_key = c.external_id
            LEFT JOIN (SELECT patient_key, sum(amount_cents) AS cents FROM ehr_payment_change
                       WHERE patient_key COLLATE "C" BETWEEN %(first)s AND %(last)s GROUP BY 1) paid
                 ON paid.patient_key = c.external_id
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
    run(
        """UPDATE chunk_key k SET id = p.id FROM audience_patient p
           WHERE p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = k.key""",
        of,
    )
    new = sum(is_new for (is_new,) in written)
    return {"new": new, "changed": len(written) - new}
