"""Patients whose records the EHR replaced by others: nobody is doubled and no history is lost.

The old row stays, because what was sent stays with the record it was sent for, but it points to the survivor
(`merged_into`), is archived and has no phone and mailbox any more: it is listed, counted and written to nowhere.
Everything that came from the EHR, and the tags, go over to the survivor, and what later exports say of the old record
is the survivor's. A record that comes back active and unlinked is a patient of its own again; history that went over
stays until the EHR says where it belongs.
"""

from typing import Any

from audience import rollups
from audience.ehr.staging import analyze, rows, run
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

# Pairs in one transaction.
_BATCH = 100
# A record replaced by one that was replaced itself, and so on; also the end of going round in circles.
_LONGEST_CHAIN = 10
_OWNED = ("appointment", "case", "diagnosis", "service", "payment", "coverage")


def follow(of: dict[str, Any]) -> None:
    """`ehr_merged`: each replaced record and its survivor, from this export and earlier ones; staged records follow it.

    In the practice's scope. Records that replace each other, or one nobody knows, are not merged.
    """
    run(
        f"""CREATE TEMPORARY TABLE ehr_merged AS
            WITH RECURSIVE said AS (
                SELECT old_key, min(new_key) AS new_key FROM ehr_merge WHERE old_key <> new_key
                GROUP BY 1 HAVING count(DISTINCT new_key) = 1
            ), known AS (
                SELECT o.external_id AS old_key, n.external_id AS new_key
                FROM audience_patient o
                JOIN audience_patient n ON n.practice_id = %(practice)s AND n.id = o.merged_into_id
                WHERE o.practice_id = %(practice)s AND o.source = %(source)s AND n.source = %(source)s
                  AND o.merged_into_id IS NOT NULL
                  AND NOT EXISTS (SELECT FROM said WHERE said.old_key = o.external_id)
                  AND NOT EXISTS (SELECT FROM ehr_patient s WHERE s.external_id = o.external_id AND s.is_active)
            ), pair AS (SELECT * FROM said UNION ALL SELECT * FROM known
            ), chain AS (
                SELECT old_key, new_key, 1 AS length FROM pair
                UNION ALL SELECT chain.old_key, pair.new_key, length + 1
                FROM chain JOIN pair ON pair.old_key = chain.new_key WHERE length < {_LONGEST_CHAIN}
            )
            SELECT old_key, new_key FROM chain c
            WHERE old_key <> new_key AND NOT EXISTS (SELECT FROM pair WHERE pair.old_key = c.new_key)
              AND (EXISTS (SELECT FROM ehr_patient s WHERE s.external_id = c.new_key)
                   OR EXISTS (SELECT FROM audience_patient p WHERE p.practice_id = %(practice)s
                              AND p.source = %(source)s AND p.external_id = c.new_key))""",
        of,
    )
    run("CREATE INDEX ON ehr_merged (old_key)")
    analyze("ehr_merged")
    for table in ("ehr_appointment", "ehr_case", "ehr_entry"):
        run(f"UPDATE {table} SET patient_key = m.new_key FROM ehr_merged m WHERE m.old_key = {table}.patient_key")


def move(practice: Practice, of: dict[str, Any]) -> int:
    """Moves what the replaced records have to their survivors; how many records were merged. After all chunks."""
    merged = 0
    while True:
        with practice_scope(practice):
            moved = _move_some(of)
        merged += moved
        if moved < _BATCH:
            return merged


def _move_some(of: dict[str, Any]) -> int:
    run(
        f"""CREATE TEMPORARY TABLE chunk_merge ON COMMIT DROP AS
            SELECT o.id AS old_id, n.id AS new_id FROM ehr_merged m
            JOIN audience_patient o ON o.practice_id = %(practice)s AND o.source = %(source)s
                 AND o.external_id = m.old_key
            JOIN audience_patient n ON n.practice_id = %(practice)s AND n.source = %(source)s
                 AND n.external_id = m.new_key
            WHERE o.merged_into_id IS DISTINCT FROM n.id ORDER BY o.id LIMIT {_BATCH}""",
        of,
    )
    run(
        """SELECT p.id FROM audience_patient p
           WHERE p.practice_id = %(practice)s AND (
               p.id IN (SELECT old_id FROM chunk_merge UNION SELECT new_id FROM chunk_merge)
               OR p.merged_into_id IN (SELECT old_id FROM chunk_merge))
           ORDER BY p.id FOR NO KEY UPDATE""",
        of,
    )
    for name in _OWNED:
        run(
            f"""UPDATE audience_{name} mine SET patient_id = m.new_id FROM chunk_merge m
                WHERE mine.practice_id = %(practice)s AND mine.patient_id = m.old_id""",
            of,
        )
    run(
        """INSERT INTO audience_patienttag (practice_id, patient_id, tag_id, tagged_at, tagged_by_id)
           SELECT t.practice_id, m.new_id, t.tag_id, min(t.tagged_at), min(t.tagged_by_id)
           FROM chunk_merge m JOIN audience_patienttag t ON t.practice_id = %(practice)s AND t.patient_id = m.old_id
           GROUP BY 1, 2, 3 ORDER BY 2, 3
           ON CONFLICT (practice_id, patient_id, tag_id) DO NOTHING""",
        of,
    )
    run(
        """DELETE FROM audience_patienttag t USING chunk_merge m
           WHERE t.practice_id = %(practice)s AND t.patient_id = m.old_id""",
        of,
    )
    run(
        """UPDATE audience_patient p
           SET merged_into_id = m.new_id, status = 'inactive', cell = '', email = '', can_text = false,
               can_email = false, updated_at = trackstat.now(),
               inactive_reason = CASE WHEN p.inactive_reason = '' THEN 'archived' ELSE p.inactive_reason END
           FROM chunk_merge m WHERE p.practice_id = %(practice)s AND p.id = m.old_id""",
        of,
    )
    # Whoever was merged into the replaced record before points to the one that is left.
    run(
        """UPDATE audience_patient p SET merged_into_id = m.new_id FROM chunk_merge m
           WHERE p.practice_id = %(practice)s AND p.merged_into_id = m.old_id""",
        of,
    )
    run(
        """CREATE TEMPORARY TABLE touched ON COMMIT DROP AS
           SELECT unnest(ARRAY[old_id, new_id]) AS patient_id FROM chunk_merge"""
    )
    rollups.refresh("touched")
    moved = rows("SELECT count(*) FROM chunk_merge")[0][0]
    run("DROP TABLE chunk_merge, touched")
    return moved
