"""What of a staged export can only be told with the practice's own tables beside it. One transaction, in its scope.

Nothing else changes these rows meanwhile: one import runs at a time for each practice and source.
"""

from typing import Any

from audience.ehr.staging import run

# More than anyone reads; the counts of the run are complete all the same.
MOST_REJECTIONS = 10_000


def refuse_orphans(of: dict[str, Any]) -> None:
    """Appointments of a patient nobody knows go to the rejections."""
    orphan = """
        a.patient_key <> '' AND a.status <> ''
        AND NOT EXISTS (SELECT FROM ehr_patient s WHERE s.external_id = a.patient_key)
        AND NOT EXISTS (SELECT FROM audience_patient p WHERE p.practice_id = %(practice)s AND p.source = %(source)s
                        AND p.external_id = a.patient_key)"""
    run(
        f"""INSERT INTO ehr_rejection
            SELECT file, line, resource_type, split_part(external_id, '/', 2),
                   'Its patient is neither in this export nor known from an earlier one'
            FROM ehr_appointment a WHERE {orphan}""",
        of,
    )
    run(f"DELETE FROM ehr_appointment a WHERE {orphan}", of)


def store_rejections(of: dict[str, Any]) -> None:
    run(
        """INSERT INTO audience_importrejection
               (practice_id, run_id, file, line, resource_type, external_id, reason)
           SELECT %(practice)s, %(run)s, left(file, 200), line, left(resource_type, 60), left(external_id, 200),
                  left(reason, 300)
           FROM ehr_rejection ORDER BY file, line LIMIT %(most)s""",
        of | {"most": MOST_REJECTIONS},
    )


def make_choices(of: dict[str, Any]) -> None:
    """Providers, locations and purposes that are used for the first time, or have a better name now."""
    for table, is_provider in (("audience_provider", True), ("audience_location", False)):
        run(
            f"""INSERT INTO {table} AS mine (practice_id, external_id, name)
                SELECT %(practice)s, u.external_id,
                       coalesce(max(nullif(u.name, '')), 'Unnamed ' || split_part(u.external_id, '/', 2))
                FROM ehr_used_place u
                LEFT JOIN {table} known ON known.practice_id = %(practice)s AND known.external_id = u.external_id
                WHERE u.is_provider = {is_provider}
                  AND (known.id IS NULL OR (u.is_named AND known.name <> u.name))
                GROUP BY u.external_id ORDER BY u.external_id
                ON CONFLICT (practice_id, external_id) DO UPDATE SET name = excluded.name
                WHERE mine.name <> excluded.name""",
            of,
        )
    run(
        """INSERT INTO audience_appointmentpurpose (practice_id, name)
           SELECT %(practice)s, purpose FROM ehr_appointment a
           WHERE purpose <> '' AND status <> '' AND NOT EXISTS (
               SELECT FROM audience_appointmentpurpose p WHERE p.practice_id = %(practice)s AND p.name = a.purpose)
           GROUP BY purpose ORDER BY purpose
           ON CONFLICT (practice_id, name) DO NOTHING""",
        of,
    )


def join_encounters(of: dict[str, Any]) -> None:
    """An encounter whose appointment is known is no visit of its own: it is told from real ones by its empty status.

    Those of this export gave the appointment their check-in already (`prepare`); those of an earlier one do so when the
    patient's chunk is applied. Where the EHR cancelled the appointment, the patient was seen all the same.
    """
    run(
        """UPDATE ehr_appointment e SET status = ''
           WHERE appointment_key <> '' AND status <> '' AND (
               EXISTS (SELECT FROM ehr_appointment s
                       WHERE s.external_id = e.appointment_key AND s.patient_key = e.patient_key
                         AND s.status NOT IN ('', 'cancelled'))
               OR (EXISTS (SELECT FROM audience_appointment a
                           JOIN audience_patient p ON p.practice_id = %(practice)s AND p.id = a.patient_id
                                AND p.external_id = e.patient_key
                           WHERE a.practice_id = %(practice)s AND a.source = %(source)s
                             AND a.external_id = e.appointment_key AND a.status <> 'cancelled')
                   AND NOT EXISTS (SELECT FROM ehr_appointment s WHERE s.external_id = e.appointment_key)))""",
        of,
    )
