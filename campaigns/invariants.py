"""What must be true of every practice's rows whatever crashed, came twice or came late; each a set-based SQL statement.

A statement finds the rows that break its invariant, in the practice in scope; it answers with ids only, never with
anything about a patient.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection

from messaging.models import Message
from trackstat.tenancy.models import Practice, PracticeModel
from trackstat.tenancy.operations import composite_foreign_keys
from trackstat.tenancy.scope import practice_scope

# So many violations are shown.
SHOWN = 10
# The time of an opt-out is when its transaction began, and of a hand-over when it was armed: of two that overlapped,
# the clock does not say which was committed first. The races do (tests/chaos/races.py).
OVERLAP_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Invariant:
    name: str
    # What must be true.
    sentence: str
    # Finds what is not; its columns are named after what their ids are ids of.
    sql: str
    # About the schema, not about one practice's rows.
    once: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    invariant: Invariant
    count: int
    # "practice 1: message 12, attempt 13"; the first SHOWN.
    violations: list[str]


def check_all(grace: float) -> Iterator[Finding]:
    """Every invariant over all practices. What a running system may be about to mend is given `grace` seconds."""
    practices = list(Practice.objects.order_by("pk").values_list("pk", flat=True))
    for invariant in INVARIANTS:
        count, violations = 0, list[str]()
        for practice in practices[:1] if invariant.once else practices:
            found, rows = _broken(invariant, practice, grace)
            count += found
            violations += rows[: SHOWN - len(violations)]
        yield Finding(invariant, count, violations)


def _broken(invariant: Invariant, practice_id: int, grace: float) -> tuple[int, list[str]]:
    values: dict[str, Any] = {
        "practice": practice_id,
        "grace": grace,
        "overlap": OVERLAP_SECONDS,
        "states": Message.State.values,
        "tables": [table for table, _, _ in LINKS],
        "columns": [column for _, column, _ in LINKS],
        "targets": [target for _, _, target in LINKS],
    }
    counted = f"SELECT count(*) OVER (), broken.* FROM ({invariant.sql}) AS broken ORDER BY 2 LIMIT {SHOWN}"
    with practice_scope(practice_id), connection.cursor() as cursor:
        cursor.execute(counted, values)
        names = [column.name.replace("_", " ") for column in cursor.description[1:]]
        rows = cursor.fetchall()
    where = "" if invariant.once else f"practice {practice_id}: "
    said = [where + ", ".join(f"{name} {value}" for name, value in zip(names, row[1:], strict=True)) for row in rows]
    return (rows[0][0] if rows else 0), said


def _links() -> list[tuple[str, str, str]]:
    """(table, column, table it points to) of every key between rows of practices."""
    found = [
        (model._meta.db_table, field.column, field.related_model._meta.db_table)
        for model in apps.get_models()
        if issubclass(model, PracticeModel)
        for field in composite_foreign_keys(model)
    ]
    # Plain ids in the models, because imports point one way; keys in the database (campaigns/migrations).
    return [
        *found,
        ("messaging_message", "campaign_id", "campaigns_campaign"),
        ("messaging_message", "step_id", "campaigns_step"),
        ("messaging_message", "enrollment_id", "campaigns_enrollment"),
        ("messaging_hold", "campaign_id", "campaigns_campaign"),
    ]


LINKS = _links()

# Row-level security shows no row of another practice: what points to one points to nothing here.
_POINTS_OUTSIDE = "\nUNION ALL\n".join(
    f"""SELECT '{table}.{column}' AS key, r.id AS row FROM "{table}" r LEFT JOIN "{target}" t ON t.id = r."{column}"
 WHERE r.practice_id = %(practice)s AND r."{column}" IS NOT NULL AND t.practice_id IS DISTINCT FROM r.practice_id"""
    for table, column, target in LINKS
)

INVARIANTS = [
    Invariant(
        "accepted once",
        "A message of a step is accepted by the provider at most once, and once more only where staff sent it again.",
        """
SELECT min(m.id) AS message, count(*) AS accepted_attempts
  FROM messaging_message m
  JOIN messaging_attempt a ON a.practice_id = m.practice_id AND a.message_id = m.id AND a.outcome = 'accepted'
 WHERE m.practice_id = %(practice)s
 GROUP BY m.enrollment_id, m.step_id, m.repeat, CASE WHEN m.enrollment_id IS NULL THEN m.id END
HAVING count(*) > 1 + count(DISTINCT m.id) FILTER (WHERE m.resent_at IS NOT NULL)""",
    ),
    Invariant(
        "one message a step",
        "An enrollment has one message for a step and repeat.",
        """
SELECT enrollment_id AS enrollment, step_id AS step, repeat, count(*) AS messages
  FROM messaging_message WHERE practice_id = %(practice)s AND enrollment_id IS NOT NULL
 GROUP BY enrollment_id, step_id, repeat HAVING count(*) > 1""",
    ),
    Invariant(
        "one message a household",
        "Of a blast that writes once to an address, a step was handed over there for one patient only.",
        """
SELECT m.contact_point_id AS contact_point, m.step_id AS step, count(*) AS messages
  FROM messaging_message m
  JOIN campaigns_campaign c ON c.practice_id = m.practice_id AND c.id = m.campaign_id
 WHERE m.practice_id = %(practice)s AND m.armed_at IS NOT NULL AND c.kind = 'blast' AND c.one_per_household
 GROUP BY m.contact_point_id, m.step_id HAVING count(DISTINCT m.patient_id) > 1""",
    ),
    Invariant(
        "leases",
        "No message is claimed or being handed over past its lease.",
        """
SELECT id AS message FROM messaging_message
 WHERE practice_id = %(practice)s AND state IN ('claimed', 'sending')
   AND lease_until < trackstat.now() - make_interval(secs => %(grace)s)""",
    ),
    Invariant(
        "accepted has an id",
        "A hand-over that the provider accepted has the provider's id, and no other one has any.",
        # A report without an id may prove it too; the provider's own answer always has one.
        """
SELECT id AS attempt, message_id AS message FROM messaging_attempt
 WHERE practice_id = %(practice)s
   AND CASE WHEN outcome <> 'accepted' THEN provider_id IS NOT NULL
            ELSE provider_id IS NULL AND http_status IS NOT NULL END""",
    ),
    Invariant(
        "provider's id once",
        "A provider's id belongs to one hand-over.",
        """
SELECT min(id) AS attempt, max(id) AS other_attempt, count(*) AS attempts FROM messaging_attempt
 WHERE practice_id = %(practice)s AND provider_id IS NOT NULL
 GROUP BY provider, provider_id HAVING count(*) > 1""",
    ),
    Invariant(
        "sent was accepted",
        "A message that is sent, delivered or undelivered was accepted by its provider.",
        """
SELECT m.id AS message FROM messaging_message m
 WHERE m.practice_id = %(practice)s AND m.state IN ('sent', 'delivered', 'undelivered')
   AND NOT EXISTS (SELECT FROM messaging_attempt a WHERE a.practice_id = m.practice_id AND a.message_id = m.id
                    AND a.outcome = 'accepted')""",
    ),
    Invariant(
        "sending has an attempt",
        "A message that is being handed over has exactly one open attempt.",
        """
SELECT m.id AS message, count(a.id) AS open_attempts FROM messaging_message m
  LEFT JOIN messaging_attempt a ON a.practice_id = m.practice_id AND a.message_id = m.id AND a.outcome = ''
 WHERE m.practice_id = %(practice)s AND m.state = 'sending'
 GROUP BY m.id HAVING count(a.id) <> 1""",
    ),
    Invariant(
        "open attempt is sending",
        "Only a message that is being handed over has an open attempt.",
        # A late report on an earlier hand-over may settle the message while the next one is still under way.
        """
SELECT a.id AS attempt, m.id AS message FROM messaging_attempt a
  JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
 WHERE a.practice_id = %(practice)s AND a.outcome = '' AND m.state <> 'sending'
   AND a.started_at < trackstat.now() - make_interval(secs => %(grace)s)""",
    ),
    Invariant(
        "opted out",
        "Nothing was handed over after an opt-out that is still in force.",
        """
SELECT a.id AS attempt, m.id AS message, c.id AS contact_point FROM messaging_attempt a
  JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
  JOIN audience_contactpoint c ON c.practice_id = m.practice_id AND c.id = m.contact_point_id
 WHERE a.practice_id = %(practice)s
   AND a.started_at > make_interval(secs => %(overlap)s) + least(c.all_opted_out_at, CASE m.category
       WHEN 'announcement' THEN c.announcement_opted_out_at ELSE c.appointment_opted_out_at END)""",
    ),
    Invariant(
        "ledger of consent",
        "A contact point is opted out of what its last word in the ledger of consent says, and of nothing else.",
        # By id: whoever writes holds the contact point, and times are those of the beginning of transactions.
        """
SELECT c.id AS contact_point, said.purpose FROM audience_contactpoint c
 CROSS JOIN LATERAL (VALUES ('all', c.all_opted_out_at), ('announcement', c.announcement_opted_out_at),
       ('appointment', c.appointment_opted_out_at)) AS said (purpose, opted_out_at)
  LEFT JOIN LATERAL (
       SELECT e.given FROM audience_consentevent e
        WHERE e.practice_id = c.practice_id AND e.contact_point_id = c.id
          AND (e.purpose = said.purpose OR e.purpose = 'all' AND e.given)
        ORDER BY e.id DESC LIMIT 1) AS last ON true
 WHERE c.practice_id = %(practice)s AND (said.opted_out_at IS NULL) <> coalesce(last.given, true)""",
    ),
    Invariant(
        "keys hold the practice",
        "Every key between rows of practices is a valid foreign key together with the practice.",
        """
SELECT link.name || '.' || link.to_column AS key
  FROM unnest(%(tables)s::text[], %(columns)s::text[], %(targets)s::text[]) AS link (name, to_column, target)
 WHERE NOT EXISTS (
       SELECT FROM pg_constraint k
        WHERE k.contype = 'f' AND k.convalidated
          AND k.conrelid = to_regclass(link.name) AND k.confrelid = to_regclass(link.target)
          AND ARRAY(SELECT c.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (n, place)
                      JOIN pg_attribute c ON c.attrelid = k.conrelid AND c.attnum = u.n ORDER BY u.place)
              = ARRAY['practice_id', link.to_column]
          AND ARRAY(SELECT c.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (n, place)
                      JOIN pg_attribute c ON c.attrelid = k.confrelid AND c.attnum = u.n ORDER BY u.place)
              = ARRAY['practice_id', 'id'])""",
        once=True,
    ),
    Invariant("rows stay in their practice", "No row points to a row of another practice.", _POINTS_OUTSIDE),
    Invariant(
        "chains agree",
        "A message, its enrollment, step, sender, words and contact point are about the same patient, campaign,"
        " channel and address.",
        """
SELECT m.id AS message FROM messaging_message m
  JOIN messaging_sendingidentity i ON i.practice_id = m.practice_id AND i.id = m.identity_id
  JOIN messaging_content w ON w.practice_id = m.practice_id AND w.id = m.content_id
  LEFT JOIN audience_contactpoint c ON c.practice_id = m.practice_id AND c.id = m.contact_point_id
  LEFT JOIN campaigns_enrollment e ON e.practice_id = m.practice_id AND e.id = m.enrollment_id
  LEFT JOIN campaigns_step s ON s.practice_id = m.practice_id AND s.id = m.step_id
 WHERE m.practice_id = %(practice)s
   AND ((i.channel, w.channel) <> (m.channel, m.channel)
        OR (c.channel, c.address) <> (m.channel, m.to_address)
        OR e.patient_id <> m.patient_id
        OR e.campaign_id <> coalesce(m.campaign_id, 0)
        OR s.campaign_id <> coalesce(m.campaign_id, 0))""",
    ),
    Invariant(
        "reports name our attempts",
        "A report that names a hand-over names one of the sender it came for.",
        """
SELECT v.id AS event FROM messaging_providerevent v
  LEFT JOIN messaging_attempt a ON a.practice_id = v.practice_id AND a.key = v.attempt_key
  LEFT JOIN messaging_message m ON m.practice_id = a.practice_id AND m.id = a.message_id
 WHERE v.practice_id = %(practice)s AND v.attempt_key IS NOT NULL AND m.identity_id IS DISTINCT FROM v.identity_id""",
    ),
    Invariant(
        "steps add up",
        "Whoever is enrolled has a message for each step they came to, in one of its states, and none for the others.",
        # The place of those who ended in a drip before it was last switched on is one among the steps of that time.
        """
SELECT s.id AS step, count(*) AS enrollments, count(*) FILTER (WHERE came.it = (m.id IS NOT NULL)) AS add_up
  FROM campaigns_step s
  JOIN campaigns_campaign c ON c.practice_id = s.practice_id AND c.id = s.campaign_id
  JOIN campaigns_enrollment e ON e.practice_id = c.practice_id AND e.campaign_id = c.id
   AND (c.kind = 'blast' OR e.state = 'active' OR e.enrolled_at >= c.enabled_at)
 CROSS JOIN LATERAL (SELECT CASE e.state WHEN 'done' THEN e.next_position >= s.position
                                         ELSE e.next_position > s.position END) AS came (it)
  LEFT JOIN messaging_message m ON m.practice_id = e.practice_id AND m.enrollment_id = e.id AND m.step_id = s.id
   AND m.repeat = 1 AND m.state = ANY(%(states)s::text[])
 WHERE s.practice_id = %(practice)s
 GROUP BY s.id HAVING bool_or(came.it <> (m.id IS NOT NULL))""",
    ),
    Invariant(
        "aborted says why",
        "A message that was not sent has a reason.",
        """
SELECT id AS message FROM messaging_message WHERE practice_id = %(practice)s AND state = 'aborted' AND reason = ''""",
    ),
    Invariant(
        "ended says when",
        "A message that has had its last word says when.",
        """
SELECT id AS message FROM messaging_message
 WHERE practice_id = %(practice)s AND done_at IS NULL
   AND state IN ('delivered', 'undelivered', 'failed', 'aborted', 'cancelled')""",
    ),
    Invariant(
        "holds are pauses",
        "A campaign is held exactly while it is paused.",
        """
SELECT c.id AS campaign FROM campaigns_campaign c
  LEFT JOIN messaging_hold h ON h.practice_id = c.practice_id AND h.campaign_id = c.id
 WHERE c.practice_id = %(practice)s AND (c.state = 'paused') <> (h.id IS NOT NULL)""",
    ),
]
