"""Patients the EHR has no more: deleted there, or missing in an export that has everybody. They become inactive."""

from typing import Any

from audience.ehr.staging import rows, run
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

# Patients in one transaction.
_BATCH = 1000

_DELETED = """
    SELECT p.id, 'archived' AS reason FROM ehr_gone g
    JOIN audience_patient p ON p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = g.patient_key
    WHERE p.status = 'active' AND NOT EXISTS (SELECT FROM ehr_patient s WHERE s.external_id = g.patient_key)"""
_ABSENT = """
    SELECT p.id, 'inactive' AS reason FROM audience_patient p
    WHERE p.practice_id = %(practice)s AND p.source = %(source)s AND p.status = 'active'
      AND NOT EXISTS (SELECT FROM ehr_patient s WHERE s.external_id = p.external_id)
      AND NOT EXISTS (SELECT FROM ehr_rejection r
                      WHERE r.resource_type = 'Patient' AND r.external_id = p.external_id)"""


def delete(practice: Practice, of: dict[str, Any]) -> int:
    """How many patients the EHR deleted were still active."""
    return _leave(practice, of, _DELETED)


def absent(practice: Practice, of: dict[str, Any]) -> int:
    """How many active patients a snapshot does not have. A record that was rejected is there, only not readable."""
    return _leave(practice, of, _ABSENT)


def expected(of: dict[str, Any]) -> tuple[int, int]:
    """How many `delete` and `absent` would make inactive. In the practice's scope."""
    deleted = rows(f"SELECT count(*) FROM ({_DELETED}) of", of)[0][0]
    missing = rows(f"SELECT count(*) FROM ({_ABSENT}) of WHERE id NOT IN (SELECT id FROM ({_DELETED}) gone)", of)[0][0]
    return deleted, missing


def missing_in_snapshot() -> str:
    """Why the export cannot tell who is missing; '' when it can. A line that could not be read may be anybody."""
    unreadable = rows(
        "SELECT count(*) FROM ehr_rejection WHERE resource_type = '' OR (resource_type = 'Patient'"
        " AND external_id = '')"
    )[0][0]
    if unreadable:
        return f"Nobody was marked as missing: {unreadable:,} lines could not be read"
    if not rows("SELECT 1 FROM ehr_patient LIMIT 1"):
        return "Nobody was marked as missing: the export has no patients"
    return ""


def _leave(practice: Practice, of: dict[str, Any], who: str) -> int:
    with practice_scope(practice):
        found = rows(f"SELECT id, reason FROM ({who}) of ORDER BY id", of)
    for first in range(0, len(found), _BATCH):
        some = found[first : first + _BATCH]
        with practice_scope(practice):
            run(
                """SELECT id FROM audience_patient WHERE practice_id = %(practice)s AND id = ANY(%(ids)s)
                   ORDER BY id FOR NO KEY UPDATE""",
                of | {"ids": [id for id, _ in some]},
            )
            run(
                """UPDATE audience_patient SET status = 'inactive', inactive_reason = %(reason)s,
                          updated_at = trackstat.now()
                   WHERE practice_id = %(practice)s AND id = ANY(%(ids)s) AND status = 'active'""",
                of | {"ids": [id for id, _ in some], "reason": some[0][1]},
            )
    return len(found)
