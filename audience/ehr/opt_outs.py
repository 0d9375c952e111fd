"""Opt-outs that a list brings over, in the consent ledger: before the patients of the same export can be written to.

An opt-out holds for everyone who shares the address, also for whoever gets it later. What was said since then, by the
patient or by staff, stands: the date decides. A line that the ledger has already says nothing new; of a list without
dates, an address is taken once.
"""

from typing import Any

from audience import consent
from audience.ehr.counts import Counts
from audience.ehr.staging import analyze, rows, run
from audience.models import ConsentEvent
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

# Addresses in one transaction.
_BATCH = 1000
_CAME_BACK = "They asked for messages again since"
_NO_ADDRESS = "The patient has no number or mailbox for it"
_SOURCE = ConsentEvent.Source.FILE.value

# What becomes of a refusal `r` at the contact point `cp`: '' = it is new.
_BECOMES = """CASE
    WHEN EXISTS (SELECT FROM audience_consentevent e
                 WHERE e.practice_id = %(practice)s AND e.contact_point_id = cp.id AND e.purpose = r.purpose
                   AND NOT e.given AND e.source = %(file)s AND (e.at = r.at OR NOT r.is_dated)) THEN 'unchanged'
    WHEN EXISTS (SELECT FROM audience_consentevent e
                 WHERE e.practice_id = %(practice)s AND e.contact_point_id = cp.id AND e.purpose IN (r.purpose, 'all')
                   AND e.given AND e.source <> 'ehr' AND e.at > r.at) THEN 'came back'
    ELSE '' END"""


def settle(of: dict[str, Any]) -> None:
    """`ehr_refusal`: each line's addresses and what becomes of them; strangers are refused. In the practice's scope."""
    run(
        """WITH orphan AS (
               DELETE FROM ehr_opt_out o
               WHERE address = '' AND NOT EXISTS (SELECT FROM ehr_patient s WHERE s.external_id = o.patient_key)
                 AND NOT EXISTS (SELECT FROM audience_patient p WHERE p.practice_id = %(practice)s
                                 AND p.source = %(source)s AND p.external_id = o.patient_key)
               RETURNING file, line, patient_key
           ) INSERT INTO ehr_rejection
             SELECT DISTINCT file, line, 'OptOut', patient_key,
                    'Its patient is neither in this export nor known from an earlier one' FROM orphan""",
        of,
    )
    run("CREATE INDEX ON ehr_opt_out (patient_key)")
    # Where the EHR marks no number as mobile, one of the others may become the cell.
    run(
        """CREATE TEMPORARY TABLE ehr_refusal AS
           SELECT file, line, channel, address, purpose, at, is_dated, wording, '' AS becomes
           FROM ehr_opt_out WHERE address <> ''
           UNION ALL
           SELECT DISTINCT o.file, o.line, o.channel, a.address, o.purpose, o.at, o.is_dated, o.wording, ''
           FROM ehr_opt_out o
           LEFT JOIN ehr_patient s ON s.external_id = o.patient_key
           LEFT JOIN audience_patient known ON known.practice_id = %(practice)s AND known.source = %(source)s
                AND known.external_id = o.patient_key
           LEFT JOIN audience_patient p ON p.practice_id = %(practice)s
                AND p.id = coalesce(known.merged_into_id, known.id)
           CROSS JOIN LATERAL (VALUES
               ('text', coalesce(nullif(s.cell, ''), p.cell)),
               ('text', CASE WHEN coalesce(s.cell, '') = '' THEN coalesce(s.home_phone, p.home_phone) END),
               ('text', CASE WHEN coalesce(s.cell, '') = '' THEN coalesce(s.work_phone, p.work_phone) END),
               ('email', coalesce(s.email, p.email))) a (channel, address)
           WHERE o.address = '' AND a.channel = o.channel AND a.address <> ''""",
        of,
    )
    run("CREATE INDEX ON ehr_refusal (channel, address)")
    analyze("ehr_refusal", "ehr_opt_out")
    run(
        f"""UPDATE ehr_refusal r SET becomes = {_BECOMES} FROM audience_contactpoint cp
            WHERE cp.practice_id = %(practice)s AND cp.channel = r.channel AND cp.address = r.address""",
        of | {"file": _SOURCE},
    )


def count(counts: Counts) -> None:
    """What became, or would become, of the lines: new with any address to which they say something new."""
    for became, number in rows(
        """SELECT coalesce(r.becomes, 'nothing'), count(*)
           FROM (SELECT DISTINCT file, line FROM ehr_opt_out) o
           LEFT JOIN (SELECT file, line, min(CASE becomes WHEN '' THEN '' WHEN 'unchanged' THEN 'unchanged'
                                             ELSE 'will' END) AS becomes
                      FROM ehr_refusal GROUP BY 1, 2) r USING (file, line) GROUP BY 1"""
    ):
        if became in ("", "unchanged"):
            counts.add("OptOut", became or "new", number)
        else:
            counts.leave_out("OptOut", _CAME_BACK if became == "will" else _NO_ADDRESS, number)


def apply(practice: Practice, of: dict[str, Any]) -> None:
    """Writes what is new, in small transactions: contact points locked by id, then the patients behind them."""
    after = ("", "")
    while True:
        with practice_scope(practice):
            found = rows(
                """SELECT DISTINCT channel, address FROM ehr_refusal
                   WHERE becomes = '' AND (channel, address) > (%(channel)s, %(address)s)
                   ORDER BY 1, 2 LIMIT %(most)s""",
                {"channel": after[0], "address": after[1], "most": _BATCH},
            )
            if not found:
                return
            _apply_some(of | {"channel": after[0], "address": after[1], "to": found[-1][0], "last": found[-1][1]})
        after = found[-1]


def _apply_some(of: dict[str, Any]) -> None:
    some = """(r.channel, r.address) > (%(channel)s, %(address)s) AND (r.channel, r.address) <= (%(to)s, %(last)s)
              AND r.becomes = ''"""
    run(
        f"""INSERT INTO audience_contactpoint
                (practice_id, channel, address, validity, validity_reason, opted_out_by_patient, created_at)
            SELECT DISTINCT %(practice)s, r.channel, r.address, 'unknown', '', false, trackstat.now()
            FROM ehr_refusal r WHERE {some} ORDER BY 2, 3
            ON CONFLICT (practice_id, channel, address) DO NOTHING""",
        of,
    )
    points = [
        id
        for (id,) in rows(
            f"""SELECT cp.id FROM audience_contactpoint cp
                WHERE cp.practice_id = %(practice)s
                  AND (cp.channel, cp.address) IN (SELECT r.channel, r.address FROM ehr_refusal r WHERE {some})
                ORDER BY cp.id FOR NO KEY UPDATE""",
            of,
        )
    ]
    # Once more under the locks: somebody may have come back since the comparison.
    run(
        f"""CREATE TEMPORARY TABLE chunk_refusal ON COMMIT DROP AS
            SELECT cp.id, r.purpose, r.at, min(r.file) AS list, max(r.wording) AS wording
            FROM ehr_refusal r JOIN audience_contactpoint cp
                ON cp.practice_id = %(practice)s AND cp.channel = r.channel AND cp.address = r.address
            WHERE {some} AND {_BECOMES} = ''
            GROUP BY 1, 2, 3""",
        of | {"file": _SOURCE},
    )
    run(
        """UPDATE audience_contactpoint cp
           SET all_opted_out_at = coalesce(cp.all_opted_out_at, r.of_all),
               announcement_opted_out_at = coalesce(cp.announcement_opted_out_at, r.of_announcements),
               appointment_opted_out_at = coalesce(cp.appointment_opted_out_at, r.of_appointments)
           FROM (SELECT id, min(at) FILTER (WHERE purpose = 'all') AS of_all,
                        min(at) FILTER (WHERE purpose = 'announcement') AS of_announcements,
                        min(at) FILTER (WHERE purpose = 'appointment') AS of_appointments
                 FROM chunk_refusal GROUP BY 1) r
           WHERE cp.practice_id = %(practice)s AND cp.id = r.id""",
        of,
    )
    run(
        """INSERT INTO audience_consentevent (practice_id, contact_point_id, purpose, given, source, wording, at)
           SELECT %(practice)s, id, purpose, false, %(file)s,
                  left('From ' || list || CASE WHEN wording = '' THEN '' ELSE ': ' || wording END, 500), at
           FROM chunk_refusal ORDER BY at, id, purpose""",
        of | {"file": _SOURCE},
    )
    consent.refresh_contactability(points)
    run("DROP TABLE chunk_refusal")
