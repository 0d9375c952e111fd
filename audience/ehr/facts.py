"""What entries state about patients: diagnoses, services, payments, coverages, all in one way.

What an entry states replaces what the entry of this id stated before: rows of the same key are brought up to date, rows
that it does not state any more are deleted.
"""

from typing import Any, NamedTuple

from audience.ehr.staging import rows, run


class Fact(NamedTuple):
    """`name`: of the tables (`ehr_…` staged, `audience_…` ours). `keys` tell the rows of one entry apart.

    `values`: column → SQL over the staged row `f`, its entry `e`, the row there is `t`, and what `joins` brings.
    """

    name: str
    keys: dict[str, str]
    values: dict[str, str]
    joins: str = ""

    @property
    def columns(self) -> list[str]:
        return ["patient_id", *self.values]


def _code(table: str) -> str:
    return f"JOIN {table} code ON code.practice_id = %(practice)s AND code.system = f.system AND code.code = f.code"


FACTS = (
    Fact(
        "diagnosis",
        {"code_id": "code.id"},
        {"is_active": "f.is_active", "since": "f.since"},
        _code("audience_diagnosiscode"),
    ),
    Fact("service", {"code_id": "code.id", "visit_on": "f.visit_on"}, {}, _code("audience_servicecode")),
    Fact(
        "payment",
        {"payer": "f.payer"},
        {"amount_cents": "f.amount_cents", "paid_on": "f.paid_on", "about": "e.about_key"},
    ),
    Fact(
        "coverage",
        {"insurer_id": "insurer.id"},
        {
            "plan": "f.plan",
            # Which company the newest bill went to is worked out from all bills there are (`rollups`).
            "is_active": "CASE WHEN f.billed_on IS NULL THEN f.is_active ELSE coalesce(t.is_active, true) END",
            "starts_on": "CASE WHEN f.billed_on IS NULL THEN f.starts_on ELSE least(f.starts_on, t.starts_on) END",
            "ends_on": "f.ends_on",
            "billed_on": "CASE WHEN f.billed_on IS NULL THEN NULL ELSE greatest(f.billed_on, t.billed_on) END",
        },
        """JOIN ehr_used_place used ON used.key = f.insurer_key AND used.role = 'insurer'
           JOIN audience_insurer insurer
             ON insurer.practice_id = %(practice)s AND insurer.external_id = used.external_id""",
    ),
)
CHANGES = tuple(f"ehr_{fact.name}_{what}" for fact in FACTS for what in ("change", "surplus"))


def compare_facts(of: dict[str, Any]) -> None:
    """Fills `ehr_…_change` and `ehr_…_surplus`; `patient_id` stays empty where this import brings the patient, too."""
    for fact in FACTS:
        _find_changes(fact, of)
        _find_surplus(fact, of)


def _find_changes(fact: Fact, of: dict[str, Any]) -> None:
    keys = ", ".join(f"{value} AS {name}" for name, value in fact.keys.items())
    values = "".join(f", {value} AS {name}" for name, value in fact.values.items())
    theirs = ", ".join(["t.patient_id", *(f"t.{name}" for name in fact.values)])
    ours = ", ".join(["p.id", *fact.values.values()])
    # Two names of one company in one record are the same company.
    once = f"DISTINCT ON (e.external_id, {', '.join(fact.keys.values())})" if fact.name == "coverage" else ""
    run(
        f"""CREATE TEMPORARY TABLE ehr_{fact.name}_change AS
            SELECT {once} e.resource_type, e.external_id, e.patient_key, p.id AS patient_id,
                   t.patient_id AS was_patient_id, {keys}{values}
            FROM ehr_entry e
            JOIN ehr_{fact.name} f ON f.entry = e.entry
            {fact.joins}
            LEFT JOIN audience_patient p
                   ON p.practice_id = %(practice)s AND p.source = %(source)s AND p.external_id = e.patient_key
            LEFT JOIN audience_{fact.name} t
                   ON t.practice_id = %(practice)s AND t.source = %(source)s AND t.external_id = e.external_id
                      {_same(fact)}
            WHERE t.id IS NULL OR ({theirs}) IS DISTINCT FROM ({ours})""",
        of,
    )


def _find_surplus(fact: Fact, of: dict[str, Any]) -> None:
    """Rows that their entry does not state any more; of bills together (no `resource_type`) nothing is taken back."""
    run(
        f"""CREATE TEMPORARY TABLE ehr_{fact.name}_surplus AS
            SELECT t.id, t.patient_id, p.external_id AS patient_key, e.resource_type, e.external_id
            FROM ehr_entry e
            JOIN audience_{fact.name} t
              ON t.practice_id = %(practice)s AND t.source = %(source)s AND t.external_id = e.external_id
            JOIN audience_patient p ON p.practice_id = %(practice)s AND p.id = t.patient_id
            WHERE e.resource_type <> '' AND NOT EXISTS (
                SELECT FROM ehr_{fact.name} f {fact.joins} WHERE f.entry = e.entry {_same(fact)})""",
        of,
    )


def _same(fact: Fact) -> str:
    return "".join(f" AND t.{name} = {value}" for name, value in fact.keys.items())


def count_entries() -> list[tuple[str, str, str, int]]:
    """Resource type, what becomes of its records (new, changed, unchanged, joined, left_out), why, and how many.

    Only of those that were read: what was made of others stands in no line.
    """
    changes = " UNION ALL ".join(
        [
            *(f"SELECT external_id, was_patient_id IS NOT NULL FROM ehr_{fact.name}_change" for fact in FACTS),
            *(f"SELECT external_id, true FROM ehr_{fact.name}_surplus" for fact in FACTS),
        ]
    )
    stated = " OR ".join(f"EXISTS (SELECT FROM ehr_{fact.name} f WHERE f.entry = e.entry)" for fact in FACTS)
    return rows(f"""
        SELECT e.resource_type,
               CASE WHEN c.is_known THEN 'changed' WHEN c.external_id IS NOT NULL THEN 'new'
                    WHEN e.left_out <> '' THEN 'left_out' WHEN {stated} THEN 'unchanged' ELSE 'joined' END AS became,
               CASE WHEN c.external_id IS NULL THEN e.left_out ELSE '' END AS why, count(*)
        FROM ehr_entry e
        LEFT JOIN (SELECT external_id, bool_or(known) AS is_known FROM ({changes}) of (external_id, known) GROUP BY 1) c
               ON c.external_id = e.external_id
        WHERE e.resource_type <> '' AND e.line > 0 GROUP BY 1, 2, 3""")


def apply_facts(of: dict[str, Any]) -> None:
    """The chunk's facts; `touched` collects the patients whose rollups they change."""
    for fact in FACTS:
        _delete_surplus(fact, of)
        _write(fact, of)


def _delete_surplus(fact: Fact, of: dict[str, Any]) -> None:
    run(
        f"""WITH gone AS (
                DELETE FROM audience_{fact.name} t USING ehr_{fact.name}_surplus s
                WHERE s.patient_key COLLATE "C" BETWEEN %(first)s AND %(last)s
                  AND t.practice_id = %(practice)s AND t.id = s.id
                RETURNING t.patient_id
            ) INSERT INTO touched SELECT DISTINCT patient_id FROM gone""",
        of,
    )


def _write(fact: Fact, of: dict[str, Any]) -> None:
    names = ", ".join([*fact.keys, *fact.values])
    columns = ", ".join(fact.columns)
    run(
        f"""WITH written AS (
                INSERT INTO audience_{fact.name} (practice_id, source, external_id, patient_id, {names})
                SELECT %(practice)s, %(source)s, c.external_id, k.id, {names}
                FROM ehr_{fact.name}_change c JOIN chunk_key k ON k.key = c.patient_key
                WHERE c.patient_key COLLATE "C" BETWEEN %(first)s AND %(last)s
                ORDER BY k.id, c.external_id
                ON CONFLICT (practice_id, source, external_id, {", ".join(fact.keys)}) DO UPDATE
                SET ({columns}) = ROW({", ".join(f"excluded.{name}" for name in fact.columns)})
                RETURNING patient_id
            ), moved AS (
                SELECT was_patient_id FROM ehr_{fact.name}_change
                WHERE patient_key COLLATE "C" BETWEEN %(first)s AND %(last)s AND was_patient_id IS NOT NULL
            ) INSERT INTO touched SELECT patient_id FROM written UNION SELECT was_patient_id FROM moved""",
        of,
    )
