"""What of a staged export can only be told with the practice's own tables beside it. One transaction, in its scope.

Nothing else changes these rows meanwhile: one import runs at a time for each practice and source.
"""

from typing import Any

from audience.ehr.prepare import ANNOUNCED, FACTS
from audience.ehr.staging import analyze, run

# More than anyone reads; the counts of the run are complete all the same.
MOST_REJECTIONS = 10_000
_UNKNOWN = "Its {} is neither in this export nor known from an earlier one"


def refuse_orphans(of: dict[str, Any]) -> None:
    """What belongs to a patient nobody knows goes to the rejections."""
    _find_billed_before(of)
    for table, counts in (("appointment", "status <> ''"), ("case", "left_out = ''"), ("entry", "left_out = ''")):
        orphan = f"""
            a.{counts}
            AND NOT EXISTS (SELECT FROM ehr_patient s WHERE s.external_id = a.patient_key)
            AND NOT EXISTS (SELECT FROM audience_patient p WHERE p.practice_id = %(practice)s AND p.source = %(source)s
                            AND p.external_id = a.patient_key)"""
        run(
            f"""INSERT INTO ehr_rejection
                SELECT file, line, resource_type, split_part(external_id, '/', 2),
                       CASE WHEN patient_key = '' THEN %(no_bill)s ELSE %(no_patient)s END
                FROM ehr_{table} a WHERE resource_type <> '' AND {orphan}""",
            of | {"no_bill": _UNKNOWN.format("bill"), "no_patient": _UNKNOWN.format("patient")},
        )
        run(f"DELETE FROM ehr_{table} a WHERE {orphan}", of)
    for name in FACTS:
        run(f"DELETE FROM {name} f WHERE NOT EXISTS (SELECT FROM ehr_entry e WHERE e.entry = f.entry)")


def _find_billed_before(of: dict[str, Any]) -> None:
    """A payment notice about a bill of an earlier export has that bill's patient."""
    run(
        """UPDATE ehr_entry n SET patient_key = p.external_id
           FROM (SELECT external_id, patient_id FROM audience_service
                 WHERE practice_id = %(practice)s AND source = %(source)s
                   AND external_id IN (SELECT about_key FROM ehr_entry WHERE patient_key = '' AND about_key <> '')
                 UNION SELECT external_id, patient_id FROM audience_payment
                 WHERE practice_id = %(practice)s AND source = %(source)s
                   AND external_id IN (SELECT about_key FROM ehr_entry WHERE patient_key = '' AND about_key <> '')) bill
           JOIN audience_patient p ON p.practice_id = %(practice)s AND p.id = bill.patient_id
           WHERE n.patient_key = '' AND n.left_out = '' AND n.about_key = bill.external_id""",
        of,
    )


def drop_repeated_facts(of: dict[str, Any]) -> None:
    """What an explanation of benefit repeats of its claim's services and diagnoses, the claim says.

    What a notice announced of a payment, the bill says, whichever of the two came with an earlier export.
    """
    _leave_out_announced(of)
    _take_back_announced(of)
    for name in ("service", "diagnosis"):
        run(
            f"""DELETE FROM ehr_{name} f USING ehr_entry e
                WHERE e.entry = f.entry AND e.resource_type = 'ExplanationOfBenefit' AND e.about_key <> ''
                  AND (EXISTS (SELECT FROM ehr_entry c WHERE c.external_id = e.about_key AND c.left_out = '')
                       OR EXISTS (SELECT FROM audience_service s WHERE s.practice_id = %(practice)s
                                  AND s.source = %(source)s AND s.external_id = e.about_key))""",
            of,
        )
        analyze(f"ehr_{name}")


def _leave_out_announced(of: dict[str, Any]) -> None:
    run(
        """UPDATE ehr_entry n SET left_out = %(announced)s
           FROM audience_patient p
           JOIN audience_payment t ON t.practice_id = %(practice)s AND t.patient_id = p.id
           WHERE n.resource_type = 'PaymentNotice' AND n.left_out = ''
             AND p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = n.patient_key
             AND t.source = %(source)s AND n.about_key IN (t.external_id, t.about)
             AND split_part(t.external_id, '/', 1) <> 'PaymentNotice'
             AND NOT EXISTS (SELECT FROM ehr_entry s WHERE s.external_id = t.external_id)""",
        of | {"announced": ANNOUNCED},
    )
    run("""DELETE FROM ehr_payment f USING ehr_entry n
           WHERE n.entry = f.entry AND n.resource_type = 'PaymentNotice' AND n.left_out <> ''""")


def _take_back_announced(of: dict[str, Any]) -> None:
    """Notices of earlier exports about a bill that says now what was paid: an entry each that states nothing."""
    run(
        """INSERT INTO ehr_entry
           SELECT (SELECT least(min(entry), 0) FROM ehr_entry) - row_number() OVER (), '', 0, NULL, 'PaymentNotice',
                  external_id, patient_key, %(announced)s, about
           FROM (SELECT DISTINCT t.external_id, p.external_id AS patient_key, t.about
                 FROM ehr_entry bill
                 JOIN audience_patient p ON p.practice_id = %(practice)s AND p.source = %(source)s
                      AND p.external_id = bill.patient_key
                 JOIN audience_payment t ON t.practice_id = %(practice)s AND t.patient_id = p.id
                 WHERE bill.resource_type NOT IN ('', 'PaymentNotice') AND bill.left_out = ''
                   AND EXISTS (SELECT FROM ehr_payment f WHERE f.entry = bill.entry)
                   AND t.source = %(source)s AND t.about <> '' AND t.about IN (bill.external_id, bill.about_key)
                   AND split_part(t.external_id, '/', 1) = 'PaymentNotice'
                   AND NOT EXISTS (SELECT FROM ehr_entry s WHERE s.external_id = t.external_id)) known""",
        of | {"announced": ANNOUNCED},
    )


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
    """What is used for the first time, or has a better name now: no choice list has anything else."""
    for role in ("provider", "location", "insurer"):
        table = f"audience_{role}"
        run(
            f"""INSERT INTO {table} AS mine (practice_id, external_id, name)
                SELECT %(practice)s, u.external_id,
                       coalesce(max(nullif(u.name, '')), 'Unnamed ' || split_part(u.external_id, '/', 2))
                FROM ehr_used_place u
                LEFT JOIN {table} known ON known.practice_id = %(practice)s AND known.external_id = u.external_id
                WHERE u.role = '{role}'
                  AND (known.id IS NULL OR (u.is_named AND known.name <> u.name))
                GROUP BY u.external_id ORDER BY u.external_id
                ON CONFLICT (practice_id, external_id) DO UPDATE SET name = excluded.name
                WHERE mine.name <> excluded.name""",
            of,
        )
    for table, used in _NAMES.items():
        run(
            f"""INSERT INTO {table} (practice_id, name)
                SELECT %(practice)s, name FROM ({used}) of (name)
                WHERE name <> '' AND NOT EXISTS (
                    SELECT FROM {table} c WHERE c.practice_id = %(practice)s AND c.name = of.name)
                GROUP BY name ORDER BY name
                ON CONFLICT (practice_id, name) DO NOTHING""",
            of,
        )
    for name in ("service", "diagnosis"):
        table = f"audience_{name}code"
        run(
            f"""INSERT INTO {table} AS mine (practice_id, system, code, name)
                SELECT %(practice)s, f.system, f.code, max(f.name)
                FROM ehr_{name} f
                LEFT JOIN {table} known
                       ON known.practice_id = %(practice)s AND known.system = f.system AND known.code = f.code
                WHERE known.id IS NULL OR (known.name = '' AND f.name <> '')
                GROUP BY f.system, f.code ORDER BY f.system, f.code
                ON CONFLICT (practice_id, system, code) DO UPDATE SET name = excluded.name WHERE mine.name = ''""",
            of,
        )


def _of_patients_and_cases(column: str) -> str:
    return f"SELECT {column} FROM ehr_patient UNION ALL SELECT {column} FROM ehr_case WHERE left_out = ''"


_NAMES = {
    "audience_appointmentpurpose": "SELECT purpose FROM ehr_appointment WHERE status <> ''",
    "audience_casetype": "SELECT case_type FROM ehr_case WHERE left_out = ''",
    "audience_attorney": _of_patients_and_cases("attorney"),
    "audience_carepackage": _of_patients_and_cases("care_package"),
    "audience_feeschedule": _of_patients_and_cases("fee_schedule"),
    "audience_referralsource": "SELECT referral_source FROM ehr_patient",
}


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
