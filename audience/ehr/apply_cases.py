"""The cases of one chunk's patients."""

from typing import Any

from audience.ehr.compare import CASE_COLUMNS
from audience.ehr.staging import rows, run

_NAMES = ", ".join(CASE_COLUMNS)


def apply_cases(of: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Writes them; by resource type, how many are new and changed."""
    run(
        """UPDATE chunk_case c SET patient_id = k.id FROM chunk_key k
           WHERE c.patient_id IS NULL AND k.key = c.patient_key"""
    )
    run(
        f"""INSERT INTO audience_case (practice_id, source, external_id, {_NAMES})
            SELECT %(practice)s, %(source)s, external_id, {_NAMES} FROM chunk_case ORDER BY patient_id, external_id
            ON CONFLICT (practice_id, source, external_id) DO UPDATE
            SET ({_NAMES}) = ({", ".join(f"excluded.{name}" for name in CASE_COLUMNS)})""",
        of,
    )
    counted = rows("""
        SELECT resource_type, count(*) FILTER (WHERE id IS NULL), count(*) FILTER (WHERE id IS NOT NULL)
        FROM chunk_case GROUP BY 1""")
    return {kind: {"new": new, "changed": changed} for kind, new, changed in counted}
