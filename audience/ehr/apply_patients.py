"""The patients of one chunk, with the contact points behind their phones and mailboxes.

Locks are taken in the order everyone keeps: contact points by id, then patients by id. An opt-out that commits while we
wait is seen, because `can_text` and `can_email` are told after the contact points are locked.
"""

from typing import Any, NamedTuple

from audience.ehr.staging import rows, run

# Column of Patient → what is staged for it; `s` is the staged patient, `provider` and `zone` what was looked up.
COLUMNS = {
    "first_name": "s.first_name",
    "last_name": "s.last_name",
    "preferred_name": "s.preferred_name",
    "birth_date": "s.birth_date",
    "sex": "s.sex",
    "status": "CASE WHEN s.is_active THEN 'active' ELSE 'inactive' END",
    "inactive_reason": "s.inactive_reason",
    "cell": "s.cell",
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
_NAMES = ", ".join(COLUMNS)
_REACH = """
    cp.practice_id = %(practice)s AND cp.channel = '{channel}' AND cp.address = c.{column}
    AND cp.validity IN ('unknown', 'ok') AND cp.all_opted_out_at IS NULL"""
_CAN_TEXT = f"EXISTS (SELECT FROM audience_contactpoint cp WHERE {_REACH.format(channel='text', column='cell')})"
_CAN_EMAIL = f"EXISTS (SELECT FROM audience_contactpoint cp WHERE {_REACH.format(channel='email', column='email')})"


class Applied(NamedTuple):
    new: int
    changed: int
    unchanged: int


def compare(of: dict[str, Any]) -> None:
    """`chunk_patient`: the chunk's patients as they will be, each with the row there is and whether it differs."""
    pairs = ", ".join(f"{value} AS {name}" for name, value in COLUMNS.items())
    run(
        f"""CREATE TEMPORARY TABLE chunk_patient ON COMMIT DROP AS
            SELECT c.*, p.id,
                   p.id IS NOT NULL AND ({", ".join(f"p.{name}" for name in COLUMNS)})
                       IS DISTINCT FROM ({", ".join(f"c.{name}" for name in COLUMNS)}) AS is_changed
            FROM (
                SELECT s.external_id, {pairs}
                FROM ehr_chunk k
                JOIN ehr_patient s ON s.external_id = k.key
                LEFT JOIN ehr_zone zone ON zone.postal_code = s.postal_code AND zone.country = s.country
                LEFT JOIN ehr_used_place u ON u.key = s.provider_key AND u.is_provider
                LEFT JOIN audience_provider provider
                       ON provider.practice_id = %(practice)s AND provider.external_id = u.external_id
                WHERE k.chunk = %(chunk)s
            ) c
            LEFT JOIN audience_patient p
                   ON p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = c.external_id""",
        of,
    )


def apply_patients(of: dict[str, Any]) -> Applied:
    """Writes those that are new or differ. Patients must be locked."""
    values = ", ".join(f"c.{name}" for name in COLUMNS)
    written = rows(
        f"""INSERT INTO audience_patient AS p
                (practice_id, source, external_id, {_NAMES}, can_text, can_email,
                 visit_count, total_paid_cents, created_at, updated_at)
            SELECT %(practice)s, %(source)s, c.external_id, {values}, {_CAN_TEXT}, {_CAN_EMAIL},
                   0, 0, trackstat.now(), trackstat.now()
            FROM chunk_patient c WHERE c.id IS NULL OR c.is_changed
            ORDER BY c.id NULLS LAST, c.external_id
            ON CONFLICT (practice_id, source, external_id) DO UPDATE
            SET ({_NAMES}, can_text, can_email, updated_at) =
                ({", ".join(f"excluded.{name}" for name in COLUMNS)}, excluded.can_text, excluded.can_email,
                 trackstat.now())
            RETURNING (p.xmax = 0)""",
        of,
    )
    new = sum(is_new for (is_new,) in written)
    total = rows("SELECT count(*) FROM chunk_patient")[0][0]
    return Applied(new, len(written) - new, total - len(written))


def make_contact_points(of: dict[str, Any]) -> None:
    """Addresses that appear for the first time, with what the ledger says of them: given to the practice for care."""
    run(
        """WITH wanted AS (
               SELECT 'text' AS channel, cell AS address FROM chunk_patient WHERE cell <> ''
               UNION SELECT 'email', email FROM chunk_patient WHERE email <> ''
           ), made AS (
               INSERT INTO audience_contactpoint
                   (practice_id, channel, address, validity, validity_reason, opted_out_by_patient, created_at)
               SELECT %(practice)s, channel, address, 'unknown', '', false, trackstat.now() FROM wanted w
               WHERE NOT EXISTS (SELECT FROM audience_contactpoint cp WHERE cp.practice_id = %(practice)s
                                 AND cp.channel = w.channel AND cp.address = w.address)
               ORDER BY channel, address
               ON CONFLICT (practice_id, channel, address) DO NOTHING
               RETURNING id
           )
           INSERT INTO audience_consentevent (practice_id, contact_point_id, purpose, given, source, wording, at)
           SELECT %(practice)s, id, 'appointment', true, 'ehr', %(wording)s, trackstat.now() FROM made""",
        of | {"wording": "The patient gave it to the practice: it stands in the EHR."},
    )


def lock_contact_points(of: dict[str, Any]) -> None:
    run(
        """SELECT cp.id FROM audience_contactpoint cp
           WHERE cp.practice_id = %(practice)s AND (cp.channel, cp.address) IN (
               SELECT 'text', cell FROM chunk_patient WHERE cell <> '' AND (id IS NULL OR is_changed)
               UNION SELECT 'email', email FROM chunk_patient WHERE email <> '' AND (id IS NULL OR is_changed))
           ORDER BY cp.id FOR SHARE""",
        of,
    )


def lock_patients(of: dict[str, Any]) -> None:
    """Those that will be written: changed themselves, or about to get other appointments and so other rollups."""
    run(
        """SELECT p.id FROM audience_patient p
           WHERE p.practice_id = %(practice)s AND p.id IN (
               SELECT id FROM chunk_patient WHERE is_changed
               UNION SELECT patient_id FROM chunk_appointment WHERE id IS NULL OR is_changed
               UNION SELECT was_patient_id FROM chunk_appointment WHERE is_changed
               UNION SELECT a.patient_id FROM chunk_check_in c JOIN audience_appointment a
                     ON a.practice_id = %(practice)s AND a.id = c.appointment_id)
           ORDER BY p.id FOR NO KEY UPDATE""",
        of,
    )
