"""The EHR's marketing flag, in the ledger: prior opt-outs come with the patients and are not typed in again.

It is one of several voices about an address. A refusal opts the address out of announcements for everyone who shares
it; a later "yes" takes back only what the EHR itself said, and only while nobody who has the address refuses. What
patients and staff said stays, and so does what a list of opt-outs says.
"""

from typing import Any

from audience.ehr.staging import run

_WORDING = {True: "The EHR's marketing flag says yes.", False: "The EHR's marketing flag says no."}


def find_flags(of: dict[str, Any]) -> None:
    """`chunk_marketing`: addresses of which the chunk says something new. Before the patients are written."""
    run(
        """CREATE TEMPORARY TABLE chunk_marketing ON COMMIT DROP AS
           SELECT DISTINCT a.channel, a.address
           FROM chunk_patient c
           LEFT JOIN audience_patient p ON p.practice_id = %(practice)s AND p.id = c.id
           CROSS JOIN LATERAL (VALUES ('text', c.cell, p.cell), ('email', c.email, p.email)) a (channel, address, was)
           WHERE c.marketing_ok IS NOT NULL AND a.address <> ''
             AND (p.id IS NULL OR p.marketing_ok IS DISTINCT FROM c.marketing_ok OR a.was <> a.address)""",
        of,
    )


def write_flags(of: dict[str, Any]) -> None:
    """After the patients are written; their contact points are locked."""
    run(
        """CREATE TEMPORARY TABLE chunk_flag ON COMMIT DROP AS
           SELECT cp.id, bool_and(p.marketing_ok) AS ok, cp.announcement_opted_out_at IS NOT NULL AS is_out,
                  (SELECT e.given FROM audience_consentevent e
                   WHERE e.practice_id = cp.practice_id AND e.contact_point_id = cp.id AND e.purpose = 'announcement'
                     AND e.source = 'ehr' ORDER BY e.at DESC, e.id DESC LIMIT 1) AS ehr_said,
                  EXISTS (SELECT FROM audience_consentevent e
                          WHERE e.practice_id = cp.practice_id AND e.contact_point_id = cp.id
                            AND e.purpose = 'announcement' AND NOT e.given AND e.source <> 'ehr'
                            AND NOT EXISTS (
                                SELECT FROM audience_consentevent g
                                WHERE g.practice_id = cp.practice_id AND g.contact_point_id = cp.id AND g.given
                                  AND g.purpose IN ('announcement', 'all') AND g.source <> 'ehr'
                                  AND (g.at, g.id) > (e.at, e.id))) AS others_refuse
           FROM chunk_marketing m
           JOIN audience_contactpoint cp
             ON cp.practice_id = %(practice)s AND cp.channel = m.channel AND cp.address = m.address
           JOIN audience_patient p ON p.practice_id = %(practice)s AND p.marketing_ok IS NOT NULL
                AND (m.channel = 'text' AND p.cell = m.address OR m.channel = 'email' AND p.email = m.address)
           GROUP BY cp.practice_id, cp.id, cp.announcement_opted_out_at""",
        of,
    )
    run(
        """UPDATE audience_contactpoint cp
           SET announcement_opted_out_at = CASE WHEN f.ok THEN NULL ELSE trackstat.now() END
           FROM chunk_flag f
           WHERE cp.practice_id = %(practice)s AND cp.id = f.id
             AND (NOT f.ok AND NOT f.is_out OR f.ok AND f.is_out AND NOT f.ehr_said AND NOT f.others_refuse)""",
        of,
    )
    run(
        """INSERT INTO audience_consentevent (practice_id, contact_point_id, purpose, given, source, wording, at)
           SELECT %(practice)s, id, 'announcement', ok, 'ehr', CASE WHEN ok THEN %(yes)s ELSE %(no)s END,
                  trackstat.now()
           FROM chunk_flag WHERE ehr_said IS DISTINCT FROM ok ORDER BY id""",
        of | {"yes": _WORDING[True], "no": _WORDING[False]},
    )
