"""What is worked out from a patient's appointments and contact points and kept on the Patient row.

The import keeps the rollups of the patients it touches, and `consent` those of a contact point it changes. All can be
rebuilt for a whole practice at any time, as one statement each, which leaves rows alone that are right already.
"""

from django.db import connection

from audience.consent import reachable
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import current_practice_id, practice_scope

_VISITS = """
    UPDATE audience_patient p
    SET first_visit_on = v.first_visit_on, last_visit_on = v.last_visit_on, next_visit_at = v.next_visit_at,
        visit_count = v.visit_count
    FROM (
        SELECT t.id AS patient_id,
               min(a.starts_on) FILTER (WHERE a.status = 'checked_in') AS first_visit_on,
               max(a.starts_on) FILTER (WHERE a.status = 'checked_in') AS last_visit_on,
               min(a.starts_at) FILTER (WHERE a.status = 'scheduled' AND a.starts_at > trackstat.now())
                   AS next_visit_at,
               count(*) FILTER (WHERE a.status = 'checked_in') AS visit_count
        FROM audience_patient t
        LEFT JOIN audience_appointment a ON a.practice_id = %(practice)s AND a.patient_id = t.id
        WHERE t.practice_id = %(practice)s AND {which}
        GROUP BY t.id
    ) v
    WHERE p.practice_id = %(practice)s AND p.id = v.patient_id
      AND (p.first_visit_on, p.last_visit_on, p.next_visit_at, p.visit_count)
          IS DISTINCT FROM (v.first_visit_on, v.last_visit_on, v.next_visit_at, v.visit_count)"""

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


def rebuild(practice: Practice) -> int:
    """All rollups of all patients of a practice; answers how many rows were wrong."""
    with practice_scope(practice):
        _lock("true")
        return _update(_VISITS, "true") + _update(_REACH, "true")


def refresh_visits(temporary_table: str) -> int:
    """First, last and next visit and their number, for the `patient_id`s of a temporary table."""
    return _update(_VISITS, f"t.id IN (SELECT patient_id FROM {temporary_table})")


def refresh_next_visits(practice: Practice) -> int:
    """Moves on every next visit that has passed, to the next booking where there is one; how many were moved."""
    with practice_scope(practice):
        _lock("t.next_visit_at <= trackstat.now()")
        return _update(_VISITS, "t.next_visit_at <= trackstat.now()")


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
        cursor.execute(statement.format(which=which), {"practice": current_practice_id()})
        return cursor.rowcount
