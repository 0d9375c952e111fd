"""Which case a diagnosis belongs to, where episodes of care name their diagnoses; whichever of the two came first.

Several may name one: then it is the newest of them, by its first day. A case that an export does not bring keeps what
it has, so a delta with an older case alone moves nothing; one that it brings has only what it names there.
"""

from typing import Any

from audience.ehr.staging import run


def patients() -> str:
    """SQL: keys of those who have a diagnosis to be moved, though nothing else of theirs may have changed."""
    return f"""SELECT p.external_id AS patient_key FROM ({_moves()}) moved
               JOIN audience_patient p ON p.practice_id = %(practice)s AND p.id = moved.patient_id"""


def apply(of: dict[str, Any]) -> None:
    """The chunk's diagnoses, when they and their cases are written."""
    run(
        f"""UPDATE audience_diagnosis d SET case_id = moved.said
            FROM ({_moves("AND c.patient_id = ANY (ARRAY(SELECT id FROM chunk_key))")}) moved
            WHERE d.practice_id = %(practice)s AND d.id = moved.id""",
        of,
    )


def _moves(among: str = "") -> str:
    age = "(coalesce({0}.starts_on, '-infinity'), {0}.id)"
    return f"""
        SELECT newest.diagnosis_id AS id, newest.patient_id, newest.id AS said
        FROM (
            SELECT DISTINCT ON (d.id) d.id AS diagnosis_id, d.patient_id, d.case_id, c.starts_on, c.id
            FROM ehr_case_diagnosis link
            JOIN audience_case c ON c.practice_id = %(practice)s AND c.source = %(source)s
                 AND c.external_id = link.case_key {among}
            JOIN audience_diagnosis d ON d.practice_id = %(practice)s AND d.source = %(source)s
                 AND d.external_id = link.diagnosis_key AND d.patient_id = c.patient_id
            ORDER BY d.id, c.starts_on DESC NULLS LAST, c.id DESC
        ) newest
        LEFT JOIN audience_case kept ON kept.practice_id = %(practice)s AND kept.id = newest.case_id
             AND kept.patient_id = newest.patient_id
             AND NOT EXISTS (SELECT FROM ehr_case s WHERE s.external_id = kept.external_id)
        WHERE newest.case_id IS DISTINCT FROM newest.id
          AND (kept.id IS NULL OR {age.format("newest")} > {age.format("kept")})"""
