"""Ten audiences, from cheap to nasty, of 200,000 patients among a thousand other practices: how many, a page of 50 by
name, all ids, and what each filter does; beside the best hand-written SQL, which no row-level security slows down.
And how long staff wait for the number after a change."""

import datetime as dt
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection

from tests.bench.measure import Cost, Figure, load
from tests.bench.rig import owner, servers

PATIENTS, OTHERS, PATIENTS_OF_OTHERS, ROUNDS = 200_000, 1_000, 200, 15
ON = dt.date(2026, 11, 24)
# What is asked → how many times the limit it may take, and below how many milliseconds nobody asks.
TARGETS = {"count": (2, 5), "page": (1.3, 10), "ids": (1.5, 5), "breakdown": (2, 10)}
SLOWEST_COUNT = 150
# From a change of a filter until its number is there, by the clock: the whole request.
EDIT = 300
# What is kept as the next visit is right until it has passed; then the bookings are asked, by hand, too.
NOW = "'2026-11-24 12:00-05'"
BOOKED = f"""SELECT FROM audience_appointment a WHERE a.practice_id = p.practice_id AND a.patient_id = p.id
    AND a.status = 'scheduled' AND a.starts_at > {NOW}"""
NOT_AHEAD = f"(p.next_visit_at IS NULL OR p.next_visit_at <= {NOW} AND NOT EXISTS ({BOOKED}))"
ALONE = "SET max_parallel_workers_per_gather = 0"


@dataclass(frozen=True)
class Asked:
    """An audience as staff build it, and the same by hand: `sql` holds after the practice's patients `p`.

    `steps` are the conditions of the filters behind the first one, for the breakdown by hand.
    """

    name: str
    filters: list[dict[str, Any]]
    first: str
    steps: list[str] = field(default_factory=list)
    require: tuple[str, ...] = ()
    primary: dict[str, Any] | None = None
    household: str | None = None

    @property
    def definition(self) -> dict[str, Any]:
        return {"primary": self.primary, "filters": self.filters}


def main() -> list[Figure]:
    with servers():
        from tests.bench import clinic, data

        data.noon()
        return measure(clinic.clinic(PATIENTS, OTHERS, PATIENTS_OF_OTHERS))


def measure(made) -> list[Figure]:
    """The figures for a practice of `clinic`; prints the plan of the slowest count."""
    from audience.filters import Audience
    from tests.bench.edit import Desk
    from trackstat.tenancy.scope import current_scope, practice_scope

    desk = Desk(made)
    figures, edits, slowest = [], [], (0.0, None)
    with owner() as by_hand:
        # The time of parallel workers is in no backend's figures.
        by_hand.execute(ALONE)
        with connection.cursor() as cursor:
            cursor.execute(ALONE)
        for asked in audiences(made.pk * 10000):

            def audience(asked=asked) -> Audience:
                # Each is a request of its own, which asks the time once.
                current_scope().moment.at = None
                return Audience(made, asked.definition, ON, asked.require, household=asked.household)

            ours = {
                "count": lambda: audience().count(),
                "page": lambda: audience().page(),
                "ids": lambda: audience().ids(),
                "breakdown": lambda: audience().breakdown(),
            }
            theirs = hand_written(by_hand, made.pk, asked)
            with practice_scope(made):
                number = ours["count"]()
                assert number == theirs["count"](), (asked.name, number, theirs["count"]())
                assert sorted(ours["ids"]()) == sorted(theirs["ids"]()), asked.name
                assert ours["breakdown"]().count == number, asked.name
                for what, (most, floor) in TARGETS.items():
                    cost, limit = _compared(ours[what], theirs[what], by_hand.info.backend_pid)
                    figures.append(
                        Figure(
                            f"{asked.name} ({number:,}): {what}",
                            cost,
                            max(limit, floor / most),
                            "ms",
                            most,
                            most=True,
                            note=f"by hand {limit:.1f} ms",
                        )
                    )
                    if what == "count":
                        slowest = max(slowest, (cost, audience), key=lambda each: each[0])
            edit = desk.opens(asked.definition, asked.require)
            edits.append(statistics.median(edit.milliseconds() for _ in range(ROUNDS)))
    with practice_scope(made):
        print(f"The plan of the slowest count:\n{_plan(slowest[1]())}\n")
    note = f"median of {ROUNDS}, CPU milliseconds of client and PostgreSQL; {load()}"
    return [
        *figures,
        Figure("slowest count", slowest[0], SLOWEST_COUNT, "ms", 1, most=True, note=note),
        Figure("slowest answer to an edit, by the clock", max(edits), EDIT, "ms", 1, most=True),
    ]


def audiences(first_id: int) -> list[Asked]:
    """`first_id`: what choices' ids count from (`clinic`)."""
    ago = {"range": "ago", "least": 6, "most": 18, "unit": "months"}
    last = {"key": "last_visit", "value": ago}
    by_last = "p.last_visit_on BETWEEN '2025-05-24' AND '2026-05-24'"
    active, is_active = {"key": "status", "value": {"status": "active"}}, "p.status = 'active'"
    tagged = "{}EXISTS (SELECT FROM audience_patienttag t WHERE t.practice_id = p.practice_id AND t.patient_id = p.id AND t.tag_id = {})"  # noqa: E501
    return [
        Asked("last visit 6 to 18 months ago", [], by_last, primary=last),
        Asked("all active, to be texted", [active], is_active, require=("cell",), household="text"),
        Asked(
            "eight filters, to be texted",
            [
                {"key": "has_future_appointment", "value": {"has": "no"}},
                active,
                {"key": "age", "value": {"min": 18, "max": 80}},
                {"key": "visit_count", "value": {"compare": "at_least", "visits": 3}},
                {"key": "insurer", "value": {"which": "now", "insurers": [first_id + n for n in range(1, 9)]}},
                {"key": "tags", "value": {"match": "any", "tags": [first_id + 2, first_id + 3]}},
                {"key": "tags", "mode": "exclude", "value": {"match": "any", "tags": [first_id + 4]}},
            ],
            by_last,
            [
                NOT_AHEAD,
                is_active,
                "p.birth_date <= '2008-11-24' AND p.birth_date > '1945-11-24'",
                "p.visit_count >= 3",
                f"""EXISTS (SELECT FROM audience_coverage c WHERE c.practice_id = p.practice_id AND c.patient_id = p.id
                    AND c.insurer_id BETWEEN {first_id + 1} AND {first_id + 8} AND c.is_active
                    AND coalesce(c.ends_on >= '2026-11-24', true))""",
                f"({tagged.format('', first_id + 2)} OR {tagged.format('', first_id + 3)})",
                tagged.format("NOT ", first_id + 4),
            ],
            require=("cell",),
            primary=last,
            household="text",
        ),
        Asked(
            "a service within 3 months",
            [
                {
                    "key": "service",
                    "value": {"range": "ago", "least": 0, "most": 3, "unit": "months", "codes": [first_id + 9]},
                }
            ],
            f"""p.id IN (SELECT patient_id FROM audience_service s WHERE s.practice_id = {first_id // 10000}
                AND s.code_id = {first_id + 9} AND s.visit_on BETWEEN '2026-08-24' AND '2026-11-24')""",
        ),
        Asked(
            "next visit within 14 days",
            [],
            f"""p.next_visit_at <= '2026-12-08 23:59:59-05' AND (p.next_visit_at > {NOW}
                OR EXISTS ({BOOKED} AND a.starts_at <= '2026-12-08 23:59:59-05'))""",
            primary={"key": "next_visit", "value": {"range": "next", "most": 14, "unit": "days"}},
        ),
        Asked(
            "$2,000 or more paid",
            [{"key": "total_paid", "value": {"min": "2000"}}],
            "p.total_paid_cents >= 200000",
        ),
        Asked(
            "five visits, a diagnosis, active",
            [
                {"key": "visit_count", "value": {"compare": "exactly", "visits": 5}},
                {"key": "diagnosis", "value": {"which": "ever", "codes": [first_id + 3]}},
                active,
            ],
            "p.visit_count = 5",
            [
                f"""EXISTS (SELECT FROM audience_diagnosis d WHERE d.practice_id = p.practice_id
                    AND d.patient_id = p.id AND d.code_id = {first_id + 3})""",
                is_active,
            ],
        ),
        Asked(
            "birthday month, city, sex",
            [
                {"key": "birthday_month", "value": {"months": ["5"]}},
                {"key": "city", "value": {"cities": ["Boston"]}},
                {"key": "sex", "value": {"sex": ["female"]}},
            ],
            "p.birth_md BETWEEN 500 AND 599",
            ["p.city_key = 'BOSTON'", "p.sex = 'female'"],
        ),
        Asked(
            "visits in 2025 of a provider's patients, not of a case type",
            [
                {"key": "provider", "value": {"range": "ever", "which": "primary", "providers": [first_id + 2]}},
                {"key": "case_type", "mode": "exclude", "value": {"which": "open", "types": [first_id + 1]}},
            ],
            f"""p.last_visit_on >= '2025-01-01' AND p.first_visit_on <= '2025-12-31'
                AND (p.last_visit_on <= '2025-12-31' OR p.first_visit_on >= '2025-01-01' OR EXISTS (
                    SELECT FROM audience_appointment a WHERE a.practice_id = {first_id // 10000}
                    AND a.patient_id = p.id AND a.status = 'checked_in'
                    AND a.starts_on BETWEEN '2025-01-01' AND '2025-12-31'))""",
            [
                f"p.primary_provider_id = {first_id + 2}",
                f"""NOT EXISTS (SELECT FROM audience_case c WHERE c.practice_id = p.practice_id
                    AND c.patient_id = p.id AND c.is_active AND c.case_type_id = {first_id + 1})""",
            ],
            primary={
                "key": "visit",
                "value": {"range": "between", "start": "2025-01-01", "end": "2025-12-31"},
            },
        ),
        Asked(
            "no phase of care, some zip codes, to be emailed",
            [
                {"key": "care_phase", "value": {"phases": ["none"]}},
                {"key": "zip", "value": {"zips": ["0211", "02125"]}},
            ],
            f"""{NOT_AHEAD} AND p.care_package_id IS NULL
                AND NOT EXISTS (SELECT FROM audience_case c WHERE c.practice_id = p.practice_id AND c.patient_id = p.id
                                AND c.is_active AND coalesce(c.ends_on >= '2026-11-24', true))""",
            [
                """(p.postal_code >= '0211' AND p.postal_code < '0212'
                    OR p.postal_code = '02125')"""
            ],
            require=("email",),
        ),
    ]


def hand_written(by_hand: psycopg.Connection, practice: int, asked: Asked) -> dict[str, Callable[[], Any]]:
    """The same questions as one would write them for these audiences alone, with all that holds outside the filters."""
    required = {"cell": ("cell", "text"), "email": ("email", "email")}
    outside = ["NOT p.kept_away"]
    for each in asked.require:
        column, channel = required[each]
        outside.append(
            f"""p.can_{channel} AND p.inactive_reason <> 'deceased' AND p.{column} NOT IN (
                SELECT address FROM audience_contactpoint c WHERE c.practice_id = {practice}
                AND c.channel = '{channel}' AND c.announcement_opted_out_at IS NOT NULL)"""
        )
    whole = f"p.practice_id = {practice} AND p.merged_into_id IS NULL"
    where = " AND ".join([whole, f"({asked.first})", *asked.steps, *outside])
    one = {"text": "cell", "email": "email"}.get(asked.household or "")
    count = f"SELECT count({f'DISTINCT p.{one}' if one else '*'}) FROM audience_patient p WHERE {where}"
    ids = f"SELECT p.id FROM audience_patient p WHERE {where}"
    page = f"{ids} ORDER BY p.last_name, p.first_name, p.id LIMIT 50"
    if one:
        elder = f"""NOT EXISTS (SELECT FROM audience_patient o WHERE {where.replace("p.", "o.")} AND o.{one} = p.{one}
                    AND (coalesce(o.birth_date, 'infinity'), o.id) < (coalesce(p.birth_date, 'infinity'), p.id))"""
        page = f"{ids} AND {elder} ORDER BY p.last_name, p.first_name, p.id LIMIT 50"
        ids = f"""SELECT DISTINCT ON (p.{one}) p.id FROM audience_patient p WHERE {where}
                  ORDER BY p.{one}, p.birth_date NULLS LAST, p.id"""
    stages = " ".join(
        f"WHEN NOT coalesce({each}, false) THEN {n}" for n, each in enumerate([*asked.steps, *outside], start=1)
    )
    breakdown = f"""SELECT CASE {stages} ELSE 0 END, count({f"DISTINCT p.{one}" if one else "*"})
                    FROM audience_patient p WHERE {whole} AND ({asked.first}) GROUP BY 1"""
    everyone = f"SELECT count(*) FROM audience_patient p WHERE {whole}"
    fetch = lambda sql: by_hand.execute(sql, binary=True).fetchall()  # noqa: E731
    return {
        "count": lambda: fetch(count)[0][0],
        "page": lambda: [row[0] for row in fetch(page)],
        "ids": lambda: [row[0] for row in fetch(ids)],
        "breakdown": lambda: (fetch(everyone), fetch(breakdown)),
    }


def _compared(ours: Callable, theirs: Callable, backend: int) -> tuple[float, float]:
    """Milliseconds of CPU, median of rounds in which the two take turns."""
    costs: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for place, (what, watched) in enumerate(((ours, None), (theirs, backend))):
            with Cost(watched) as cost:
                what()
            costs[place].append(cost.cpu * 1000)
    return statistics.median(costs[0]), statistics.median(costs[1])


def _plan(audience) -> str:
    """Of the very statement that counts."""
    asked: list[tuple[str, Any]] = []

    def note(execute, sql, params, many, context):
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        audience.count()
    sql, params = asked[-1]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) {sql}", params)
        return "\n".join(line for (line,) in cursor.fetchall())
