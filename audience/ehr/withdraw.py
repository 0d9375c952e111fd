"""Appointments that are none any more, or no visit of their own, and cases that are none; taken back at the end."""

from collections import Counter
from typing import Any

from audience import rollups
from audience.ehr.staging import rows, run
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

# Records in one transaction.
_BATCH = 1000

_APPOINTMENTS = """
    SELECT a.id, a.patient_id, s.resource_type, s.left_out FROM ehr_appointment s
    JOIN audience_appointment a ON a.practice_id = %(practice)s AND a.source = %(source)s
         AND a.external_id = s.external_id
    WHERE s.status = '' AND a.status <> 'cancelled'"""
_CASES = """
    SELECT c.id, c.patient_id, s.resource_type, s.left_out FROM ehr_case s
    JOIN audience_case c ON c.practice_id = %(practice)s AND c.source = %(source)s AND c.external_id = s.external_id
    WHERE s.left_out <> '' AND c.is_active"""
_CANCEL = "UPDATE audience_appointment t SET status = 'cancelled', checked_in_at = NULL"
_CLOSE = "UPDATE audience_case t SET is_active = false"


def withdraw(practice: Practice, of: dict[str, Any]) -> Counter[tuple[str, str]]:
    """Cancels such appointments and closes such cases; how many, by resource type and why."""
    withdrawn: Counter[tuple[str, str]] = Counter()
    for which, change in ((_APPOINTMENTS, _CANCEL), (_CASES, _CLOSE)):
        while some := _withdraw_some(practice, of, which, change):
            withdrawn += some
            if some.total() < _BATCH:
                break
    return withdrawn


def expected(of: dict[str, Any]) -> Counter[tuple[str, str]]:
    """What `withdraw` would do. In the practice's scope."""
    found = rows(
        f"""SELECT resource_type, left_out, count(*) FROM ({_APPOINTMENTS} UNION ALL {_CASES}) which
            GROUP BY 1, 2""",
        of,
    )
    return Counter({(kind, why): number for kind, why, number in found})


def _withdraw_some(practice: Practice, of: dict[str, Any], which: str, change: str) -> Counter[tuple[str, str]]:
    with practice_scope(practice):
        run(f"CREATE TEMPORARY TABLE chunk_withdrawn ON COMMIT DROP AS {which} ORDER BY 1 LIMIT {_BATCH}", of)
        run(
            """SELECT id FROM audience_patient WHERE practice_id = %(practice)s
               AND id IN (SELECT patient_id FROM chunk_withdrawn) ORDER BY id FOR NO KEY UPDATE""",
            of,
        )
        run(f"{change} FROM chunk_withdrawn w WHERE t.practice_id = %(practice)s AND t.id = w.id", of)
        rollups.refresh("chunk_withdrawn")
        found = rows("SELECT resource_type, left_out, count(*) FROM chunk_withdrawn GROUP BY 1, 2")
        run("DROP TABLE chunk_withdrawn")
    return Counter({(kind, why): number for kind, why, number in found})
