"""One practice with 200,000 patients and 2.7 million appointments among a thousand others, made by the database itself.

Who comes how often is heavy-tailed, bookings lie in the order of their dates (so those of a patient are scattered),
a quarter of the patients has one ahead. Ids are counted, so no look-up is needed: a choice is `practice * 10000 + n`,
a patient `practice * 1000000 + n`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests import cast
from tests.bench.rig import owner
from trackstat.tenancy.models import Practice

# Model's table → how many of them each practice has used.
CHOICES = {
    "provider": 12,
    "insurer": 60,
    "appointmentpurpose": 40,
    "casetype": 5,
    "attorney": 30,
    "carepackage": 10,
    "feeschedule": 6,
    "referralsource": 25,
}
CODES = {"servicecode": ("cpt", 120), "diagnosiscode": ("icd10", 400)}
TAGS = 40


def clinic(patients: int, others: int, patients_of_others: int) -> Practice:
    """The large practice, committed, vacuumed and with right rollups; times are the database's `trackstat.now()`."""
    from audience import rollups

    made = cast._practice("Large Practice", "large", "America/New_York", "Boston", "MA", "02118", "+16175550100")
    with owner() as connection:
        connection.execute("SELECT setseed(0.42)")
        connection.execute("SET work_mem = '256MB'")
        connection.execute(
            "CREATE TEMPORARY TABLE made AS SELECT %s::bigint AS id, %s::int AS patients", [made.pk, patients]
        )
        connection.execute(_OTHERS, {"others": others, "patients": patients_of_others})
        for table, number in CHOICES.items():
            more = ", external_id" if table in {"provider", "insurer"} else ""
            connection.execute(
                f"""INSERT INTO audience_{table} (id, practice_id, name{more})
                    SELECT m.id * 10000 + n, m.id, '{table} ' || n{", '" + table + "/' || n" if more else ""}
                    FROM made m, generate_series(1, {number}) n"""
            )
        for table, (system, number) in CODES.items():
            code = "98000 + n" if system == "cpt" else "'M' || lpad((n / 10)::text, 2, '0') || '.' || n % 10"
            connection.execute(
                f"""INSERT INTO audience_{table} (id, practice_id, system, code, name)
                    SELECT m.id * 10000 + n, m.id, '{system}', {code}, '{system} ' || n
                    FROM made m, generate_series(1, {number}) n"""
            )
        connection.execute(_TAGS)
        for table, statement in _ROWS.items():
            with bare(connection, f"audience_{table}"):
                connection.execute(statement)
        tables = ", ".join(f"audience_{table}" for table in (*_ROWS, *CHOICES, *CODES, "tag"))
        rollups.rebuild(made)
        connection.execute(f"VACUUM ANALYZE {tables}")
    return made


@contextmanager
def bare(connection: psycopg.Connection, table: str) -> Iterator[None]:
    """Without indexes and foreign keys while it is filled: made again in one go, they take a small part of the time."""
    keys = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'",
        [table],
    ).fetchall()
    indexes = connection.execute(
        """SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
           WHERE i.indrelid = %s::regclass
             AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)""",
        [table],
    ).fetchall()
    for name, _ in keys:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        connection.execute(definition)
    for name, definition in keys:
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


_OTHERS = """
WITH new AS (
    INSERT INTO tenancy_practice (name, slug)
    SELECT 'Practice ' || n, 'practice-' || n FROM generate_series(1, %(others)s) n RETURNING id)
INSERT INTO made SELECT id, %(patients)s FROM new
"""
_TAGS = f"""
INSERT INTO audience_tag (id, practice_id, name, always_excluded, reserved)
SELECT m.id * 10000 + n, m.id, CASE n WHEN 1 THEN 'not qualified' ELSE 'tag ' || n END, n = 1, false
  FROM made m, generate_series(1, {TAGS}) n
"""


def _chosen(table: str, share: float = 1.0) -> str:
    """The id of a random choice, the first ones far more often than the last; null for the rest of the `share`."""
    number = CHOICES.get(table) or CODES[table][1]
    one = f"m.id * 10000 + 1 + floor(power(random(), 2) * {number})::bigint"
    return one if share == 1 else f"CASE WHEN random() < {share} THEN {one} END"


_NAMES = "['Ana','Ben','Cleo','Dmitri','Eve','Farid','Gwen','Hugo','Iris','Jun','Kofi','Lena','Marco','Nadia','Omar']"
_CITIES = "['Boston','Cambridge','Somerville','Quincy','Newton','Brookline','Medford','Malden','Lynn','Salem','Revere']"
_ROWS = {
    "patient": f"""
INSERT INTO audience_patient (id, practice_id, source, external_id, first_name, last_name, preferred_name, birth_date,
       sex, status, inactive_reason, cell, home_phone, work_phone, email, address_line, city, state, postal_code,
       time_zone, visit_count, total_paid_cents, can_text, can_email, primary_provider_id, attorney_id, care_package_id,
       fee_schedule_id, referral_source_id)
SELECT m.id * 1000000 + n, m.id, 'bench', 'Patient/' || n, (ARRAY{_NAMES})[1 + floor(random() * 15)::int],
       initcap(substr(md5((n / 3)::text), 1, 7)), '',
       CASE WHEN random() < 0.98 THEN DATE '1936-01-01' + floor(random() * 32000)::int END,
       (ARRAY['female', 'male', 'female', 'male', 'other'])[1 + floor(random() * 5)::int],
       CASE WHEN active THEN 'active' ELSE 'inactive' END, CASE WHEN active THEN '' ELSE 'discharged' END,
       CASE WHEN cell THEN '+1' || (2010000000 + m.id * 250000 + CASE WHEN random() < 0.2 THEN n - 1 ELSE n END)
            ELSE '' END, '', '',
       CASE WHEN mail THEN n || '@practice' || m.id || '.example' ELSE '' END,
       n || ' Elm Street', (ARRAY{_CITIES})[1 + floor(power(random(), 2) * 11)::int], 'MA',
       '02' || lpad((100 + floor(random() * 80))::text, 3, '0'), 'America/New_York', 0, 0, cell, mail,
       {_chosen("provider", 0.9)}, {_chosen("attorney", 0.05)}, {_chosen("carepackage", 0.2)},
       {_chosen("feeschedule", 0.8)}, {_chosen("referralsource", 0.6)}
  FROM made m, generate_series(1, m.patients) n,
       LATERAL (SELECT random() < 0.8 AS active, random() < 0.85 AS cell, random() < 0.75 AS mail WHERE n > 0) chance
 ORDER BY random()
""",
    "contactpoint": """
INSERT INTO audience_contactpoint (practice_id, channel, address, validity, validity_reason, announcement_opted_out_at,
       all_opted_out_at, opted_out_by_patient)
SELECT practice_id, channel, address,
       CASE WHEN random() < 0.04 THEN 'landline' WHEN random() < 0.02 THEN 'invalid' ELSE 'ok' END, '',
       CASE WHEN random() < 0.03 THEN now() END, CASE WHEN random() < 0.02 THEN now() END, false
  FROM (SELECT DISTINCT practice_id, 'text' AS channel, cell AS address FROM audience_patient WHERE cell <> ''
        UNION ALL SELECT DISTINCT practice_id, 'email', email FROM audience_patient WHERE email <> '') addresses
""",
    "patienttag": f"""
INSERT INTO audience_patienttag (practice_id, patient_id, tag_id)
SELECT DISTINCT m.id, m.id * 1000000 + n, m.id * 10000 + tag
  FROM made m, generate_series(1, m.patients) n, generate_series(1, 3) k,
       LATERAL (SELECT 1 + floor(power(random(), 2) * {TAGS})::bigint AS tag WHERE k > 0 AND n > 0) chosen
 WHERE random() < CASE tag WHEN 1 THEN 0.1 ELSE 0.5 END
""",
    "case": f"""
INSERT INTO audience_case (practice_id, patient_id, source, external_id, case_type_id, attorney_id, care_package_id,
       fee_schedule_id, is_active, starts_on)
SELECT m.id, m.id * 1000000 + n, 'bench', 'Case/' || n, {_chosen("casetype")}, {_chosen("attorney", 0.05)},
       {_chosen("carepackage", 0.2)}, {_chosen("feeschedule", 0.3)}, random() < 0.15,
       DATE '2026-11-24' - floor(random() * 2000)::int
  FROM made m, generate_series(1, m.patients) n
""",
    "diagnosis": f"""
INSERT INTO audience_diagnosis (practice_id, patient_id, source, external_id, code_id, is_active, since)
SELECT m.id, m.id * 1000000 + n, 'bench', 'Condition/' || n || '-' || k, {_chosen("diagnosiscode")}, random() < 0.9,
       DATE '2026-11-24' - floor(random() * 2000)::int
  FROM made m, generate_series(1, m.patients) n, generate_series(1, 3) k WHERE random() < 0.5
""",
    "coverage": f"""
INSERT INTO audience_coverage (practice_id, patient_id, source, external_id, insurer_id, plan, is_active, ends_on)
SELECT m.id, m.id * 1000000 + n, 'bench', 'Coverage/' || n, {_chosen("insurer")}, '', random() < 0.9,
       CASE WHEN random() < 0.1 THEN DATE '2026-11-24' + floor(random() * 600 - 300)::int END
  FROM made m, generate_series(1, m.patients) n WHERE random() < 0.8
""",
    # Visits lie up to seven years back; who comes more often came last more recently.
    "appointment": f"""
INSERT INTO audience_appointment (practice_id, patient_id, source, external_id, status, starts_at, ends_at, starts_on,
       provider_id, purpose_id)
SELECT practice_id, patient_id, 'bench', 'Appointment/' || row_number() OVER (), status, starts_at,
       starts_at + interval '30 minutes', (starts_at AT TIME ZONE 'America/New_York')::date, provider_id, purpose_id
  FROM (
    SELECT m.id AS practice_id, m.id * 1000000 + n AS patient_id,
           CASE WHEN chance < 0.86 THEN 'checked_in' WHEN chance < 0.92 THEN 'missed' ELSE 'cancelled' END AS status,
           TIMESTAMPTZ '2026-11-24 08:00-05' - last.days * interval '1 day' - k * gap.days * interval '1 day'
               + floor(random() * 40) * interval '15 minutes' AS starts_at,
           {_chosen("provider")} AS provider_id, {_chosen("appointmentpurpose")} AS purpose_id
      FROM made m, generate_series(1, m.patients) n,
           LATERAL (SELECT 1 + floor(power(random(), 2) * 1500)::int AS days WHERE n > 0) last,
           LATERAL (SELECT 2 + floor(random() * 25)::int AS days WHERE n > 0) gap,
           LATERAL (SELECT least(150, floor(5.1 * power(random(), -0.65)))::int AS number WHERE n > 0) visits,
           generate_series(0, visits.number - 1) k, LATERAL (SELECT random() AS chance WHERE k >= 0) chances
     UNION ALL
    SELECT m.id, m.id * 1000000 + n, 'scheduled',
           TIMESTAMPTZ '2026-11-24 14:00-05' + ceil(power(random(), 2) * 90 * 96) * interval '15 minutes',
           {_chosen("provider")}, {_chosen("appointmentpurpose")}
      FROM made m, generate_series(1, m.patients) n WHERE random() < 0.25
  ) booked
 ORDER BY starts_at
""",
    "service": f"""
INSERT INTO audience_service (practice_id, patient_id, source, external_id, code_id, visit_on)
SELECT m.id, a.patient_id, 'bench', 'Claim/' || a.id, {_chosen("servicecode")}, a.starts_on
  FROM audience_appointment a JOIN made m ON m.id = a.practice_id WHERE a.status = 'checked_in' ORDER BY a.id
""",
    "payment": """
INSERT INTO audience_payment (practice_id, patient_id, source, external_id, payer, amount_cents, paid_on)
SELECT m.id, m.id * 1000000 + n, 'bench', 'Payment/' || n || '-' || k, 'patient', floor(power(random(), 4) * 200000),
       DATE '2026-11-24' - floor(random() * 2000)::int
  FROM made m, generate_series(1, m.patients) n, generate_series(1, 4) k WHERE random() < 0.8
""",
}
