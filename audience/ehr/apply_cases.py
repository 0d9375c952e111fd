"""The cases of one chunk's patients."""

from typing import Any

from audience.ehr.compare import CASE_COLUMNS
from audience.ehr.staging import rows, run

# Patients that this import brings have their ids by now.
_WRITTEN = {name: f"c.{name}" for name in CASE_COLUMNS} | {"patient_id": "k.id"}


def apply_cases(of: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Writes them; by resource type, how many are new and changed."""
    run(
        f"""INSERT INTO audience_case (practice_id, source, external_id, {", ".join(_WRITTEN)})
            SELECT %(practice)s, %(source)s, c.external_id, {", ".join(_WRITTEN.values())}
            FROM chunk_case c JOIN chunk_key k ON k.key = c.patient_key ORDER BY k.id, c.external_id
            ON CONFLICT (practice_id, source, external_id) DO UPDATE
            SET ({", ".join(_WRITTEN)}) = ({", ".join(f"excluded.{name}" for name in _WRITTEN)})""",
        of,
    )
    counted = rows("""
        SELECT resource_type, count(*) FILTER (WHERE id IS NULL), count(*) FILTER (WHERE id IS NOT NULL)
        FROM chunk_case GROUP BY 1""")
    return {kind: {"new": new, "changed": changed} for kind, new, changed in counted}
