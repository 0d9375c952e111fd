"""What is worked out from a patient's appointments, payments, bills, contact points and tags, and kept.

The import keeps the rollups of the patients it touches, and `consent` those of a contact point it changes. All can be
rebuilt for a whole practice at any time, as one statement each, which leaves rows alone that are right already.
"""

from django.db import connection

from audience.consent import reachable
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import current_practice_id, practice_scope

# Of a patient's appointments `a`.
VISITS = """min(a.starts_on) FILTER (WHERE a.status = 'checked_in') AS first_visit_on,
            max(a.starts_on) FILTER (WHERE a.status = 'checked_in') AS last_visit_on,
            min(a.starts_at) FILTER (WHERE a.status = 'scheduled' AND a.starts_at > trackstat.now()) AS next_visit_at,
            count(*) FILTER (WHERE a.status = 'checked_in') AS visit_count"""

_KEPT = """
    UPDATE audience_patient p
    SET first_visit_on = v.first_visit_on, last_visit_on = v.last_visit_on, next_visit_at = v.next_visit_at,
        visit_count = v.visit_count, total_paid_cents = v.total_paid_cents
    FROM (
        SELECT t.id AS patient_id, visits.*, paid.*
        FROM audience_patient t
        CROSS JOIN LATERAL (
            SELECT {visits}
            FROM audience_appointment a WHERE a.practice_id = %(practice)s AND a.patient_id = t.id) visits
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(m.amount_cents), 0)::bigint AS total_paid_cents
            FROM audience_payment m WHERE m.practice_id = %(practice)s AND m.patient_id = t.id) paid
        WHERE t.practice_id = %(practice)s AND {which}
    ) v
    WHERE p.practice_id = %(practice)s AND p.id = v.patient_id
      AND (p.first_visit_on, p.last_visit_on, p.next_visit_at, p.visit_count, p.total_paid_cents)
          IS DISTINCT FROM
          (v.first_visit_on, v.last_visit_on, v.next_visit_at, v.visit_count, v.total_paid_cents)"""

# Where only bills name insurance companies, the newest bill's is the patient's; a record of a coverage says it better.
_BILLED = """
    WITH b AS MATERIALIZED (
        SELECT c.id, max(c.billed_on) OVER patient = c.billed_on AND bool_and(c.billed_on IS NOT NULL) OVER patient
                   AS is_active
        FROM audience_coverage c JOIN audience_patient t ON t.practice_id = c.practice_id AND t.id = c.patient_id
        WHERE c.practice_id = %(practice)s AND {which}
        WINDOW patient AS (PARTITION BY c.patient_id)
    )
    UPDATE audience_coverage c SET is_active = b.is_active FROM b
    WHERE c.practice_id = %(practice)s AND c.id = b.id AND c.billed_on IS NOT NULL
      AND c.is_active IS DISTINCT FROM b.is_active"""

_REACH = f"""
    UPDATE audience_patient p SET can_text = r.can_text, can_email = r.can_email
    FROM (
        SELECT t.id AS patient_id,
               coalesce({reachable("text")}, false) AS can_text,
               coalesce({reachable("mail")}, false) AS can_email
        FROM audience_patient t
        LEFT JOIN audience_contactpoint text
               ON text.practice_id = %(practice)s AND text.channel = 'text' AND text.address = t.cell
        LEFT JOIN audience_contactpoint mail
               ON mail.practice_id = %(practice)s AND mail.channel = 'email' AND mail.address = t.email
        WHERE t.practice_id = %(practice)s AND {{which}}
    ) r
    WHERE p.practice_id = %(practice)s AND p.id = r.patient_id
      AND (p.can_text, p.can_email) IS DISTINCT FROM (r.can_text, r.can_email)"""


# Whoever changes tags keeps it by the database's own triggers.
_KEPT_AWAY = """
    UPDATE audience_patient p SET kept_away = NOT p.kept_away
    WHERE p.practice_id = %(practice)s AND p.kept_away <> EXISTS (
        SELECT FROM audience_patienttag c JOIN audience_tag t ON t.practice_id = c.practice_id AND t.id = c.tag_id
        WHERE c.practice_id = p.practice_id AND c.patient_id = p.id AND t.always_excluded)"""

# As the partial index says it; a merged record has no appointments.
_PASSED = "t.next_visit_at <= trackstat.now() AND t.merged_into_id IS NULL"


def rebuild(practice: Practice) -> int:
    """All rollups of all patients of a practice; answers how many rows were wrong, a row once for each kind."""
    with practice_scope(practice):
        _lock("true")
        return sum(_update(each, "true") for each in (_KEPT, _BILLED, _REACH, _KEPT_AWAY))


def refresh(temporary_table: str) -> None:
    """Visits, total paid and the billed insurance, for the `patient_id`s of a temporary table."""
    for each in (_KEPT, _BILLED):
        # As an array: joined, the planner may work out all patients there are, while it takes them for few.
        _update(each, f"t.id = ANY (ARRAY(SELECT DISTINCT patient_id FROM {temporary_table}))")


def refresh_next_visits(practice: Practice) -> int:
    """Moves on every next visit that has passed, to the next booking where there is one; how many were moved."""
    with practice_scope(practice):
        _lock(_PASSED)
        return _update(_KEPT, _PASSED)


def _lock(which: str) -> None:
    """In the order everyone keeps; the import has locked the patients it touches already."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT FROM audience_patient t WHERE t.practice_id = %(practice)s AND {which}
                ORDER BY t.id FOR NO KEY UPDATE""",
            {"practice": current_practice_id()},
        )


def _update(statement: str, which: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(which=which, visits=VISITS), {"practice": current_practice_id()})
        return cursor.rowcount
