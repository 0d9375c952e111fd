"""`np start`: the tag of whoever was just here for the first time. Only the system puts it on, and only here.

New is who had no visit in our rows before this chunk and has one now, of at most NEW_DAYS ago. The first import of a
connection brings history, so it makes nobody new.
"""

from typing import Any

from audience.ehr.staging import run

TAG = "np start"
NEW_DAYS = 30


def find_unvisited() -> None:
    """`chunk_unvisited`: of the touched patients, those without a visit so far. Before the rollups are refreshed."""
    run("""CREATE TEMPORARY TABLE chunk_unvisited ON COMMIT DROP AS
           SELECT p.id FROM audience_patient p
           WHERE p.id = ANY (ARRAY(SELECT DISTINCT patient_id FROM touched))
             AND (p.first_visit_on IS NULL OR p.id IN (
                 SELECT k.id FROM chunk_key k JOIN chunk_patient c ON c.external_id = k.key WHERE c.id IS NULL))""")


def tag(of: dict[str, Any]) -> None:
    """After the rollups; drops `chunk_unvisited`."""
    run(
        f"""WITH arrived AS MATERIALIZED (
                SELECT p.id FROM chunk_unvisited c
                JOIN audience_patient p ON p.practice_id = %(practice)s AND p.id = c.id AND p.merged_into_id IS NULL
                WHERE p.first_visit_on > (trackstat.now() AT TIME ZONE %(zone)s)::date - {NEW_DAYS}
                  AND EXISTS (SELECT FROM audience_importrun r
                              WHERE r.practice_id = %(practice)s AND r.source = %(source)s AND r.state = 'done'
                                AND r.id < %(run)s)
            ), made AS (
                INSERT INTO audience_tag (practice_id, name, always_excluded, reserved)
                SELECT %(practice)s, '{TAG}', false, true FROM arrived
                WHERE NOT EXISTS (SELECT FROM audience_tag t WHERE t.practice_id = %(practice)s
                                    AND lower(t.name) = '{TAG}') LIMIT 1
                ON CONFLICT DO NOTHING RETURNING id
            )
            INSERT INTO audience_patienttag (practice_id, patient_id, tag_id, tagged_at)
            SELECT %(practice)s, arrived.id, t.id, trackstat.now() FROM arrived, (
                SELECT id FROM made
                UNION ALL SELECT id FROM audience_tag WHERE practice_id = %(practice)s AND lower(name) = '{TAG}') t
            ORDER BY arrived.id ON CONFLICT (practice_id, patient_id, tag_id) DO NOTHING""",
        of,
    )
    run("DROP TABLE chunk_unvisited")
