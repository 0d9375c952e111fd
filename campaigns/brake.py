"""Pauses a campaign by itself when too much of it goes wrong: errors, opt-outs, messages carriers take for spam (M15).

Counted is what was handed over since somebody switched the campaign on or last resumed it, so that whoever resumes it
after looking gives it a new start; of a drip, which runs for years, only the last days.
"""

import datetime as dt
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from django.db import connection

from campaigns import moves
from campaigns.models import Campaign
from campaigns.standing import stop_preview
from messaging.errors import Effect, codes, effect
from trackstat.formats import number, share
from trackstat.tenancy.scope import current_practice_id, practice_scope

# Fewer hand-overs say too little.
AFTER = 50
# More than so many of a hundred.
ERRORS, OPT_OUTS, FILTERED = 10, 2, 2
DRIPS_LOOK_BACK = dt.timedelta(days=7)

_FILTERED_CODES = [code for code in codes() if effect(code) == Effect.FILTERED]


class Counts(NamedTuple):
    errors: int
    filtered: int
    opt_outs: int
    # Exact while one of the limits is passed, else only known to be large enough that none is.
    handed_over: int

    def why(self, kind: str) -> list[str]:
        """The limits that are passed, in sentences."""
        errors, filtered, opt_outs, n = self
        if n < AFTER:
            return []
        found = []
        if errors * 100 > ERRORS * n:
            found.append(f"{number(errors)} of {number(n)} {kind} failed ({share(errors, n)}).")
        if opt_outs * 100 > OPT_OUTS * n:
            patients = "patient" if opt_outs == 1 else "patients"
            found.append(f"{number(opt_outs)} {patients} opted out after {number(n)} {kind} ({share(opt_outs, n)}).")
        if filtered * 100 > FILTERED * n:
            found.append(f"Carriers took {number(filtered)} of {number(n)} {kind} for spam ({share(filtered, n)}).")
        return found


def look(campaign: Campaign) -> bool:
    """Pause the campaign in scope if too much went wrong; whether this did it.

    A blast of which nothing is left to send is not paused: nothing would be held.
    """
    if not campaign.is_live:
        return False
    found = _count([campaign.pk])[campaign.pk]
    if not found.why(""):
        return False
    if campaign.kind == Campaign.Kind.BLAST and not stop_preview(campaign).will_not_be_sent:
        return False
    why = [*found.why(_kind(campaign)), "Look at the report for the reasons before you resume."]
    # Somebody may have stopped it this moment.
    with suppress(moves.Blocked):
        return moves.pause(campaign, None, why=" ".join(why))
    return False


def look_at_all(practice_id: int) -> list[int]:
    """Look at every live campaign of a practice; the ids of those paused now. One statement while all is well."""
    with practice_scope(practice_id):
        live = Campaign.objects.filter(state__in=Campaign.LIVE)
        wrong = [pk for pk, found in _count(live.values_list("pk", flat=True)).items() if found.why("")]
        return [campaign.pk for campaign in live.filter(pk__in=wrong).order_by("pk") if look(campaign)] if wrong else []


def _count(campaign_ids: Iterable[int]) -> dict[int, Counts]:
    known: dict[str, Any] = {
        "practice": current_practice_id(),
        "campaigns": list(campaign_ids),
        "type": Campaign._meta.label_lower,
        "look_back": DRIPS_LOOK_BACK,
        "filtered": _FILTERED_CODES,
        "after": AFTER,
        "error_share": ERRORS,
        "opt_out_share": OPT_OUTS,
        "filtered_share": FILTERED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, known)
        return {row[0]: Counts(*row[1:]) for row in cursor.fetchall()}


def _kind(campaign: Campaign) -> str:
    channels = {step.channel for step in campaign.steps.all()}
    return {frozenset({"text"}): "texts", frozenset({"email"}): "emails"}.get(frozenset(channels), "messages")


# What went wrong is little and found by an index. All hand-overs are counted only while they could be too few for it,
# and only so far.
_COUNT = """
SELECT c.id, errors, filtered, opt_outs,
       CASE WHEN enough.n > %(after)s THEN (
           SELECT count(*) FROM (
               SELECT FROM messaging_message m
                WHERE m.practice_id = c.practice_id AND m.campaign_id = c.id AND m.armed_at >= since.at
                  AND m.state IN ('sent', 'delivered', 'undelivered', 'failed', 'unknown')
                LIMIT enough.n) AS counted) ELSE %(after)s END
  FROM campaigns_campaign c
 CROSS JOIN LATERAL (
    SELECT greatest(coalesce(max(e.at), c.enabled_at),
                    CASE c.kind WHEN 'drip' THEN trackstat.now() - %(look_back)s::interval END) AS at
      FROM tenancy_auditevent e
     WHERE e.practice_id = c.practice_id AND e.object_type = %(type)s AND e.object_id = c.id
       AND e.action IN ('campaign.enabled', 'campaign.resumed')) AS since
 CROSS JOIN LATERAL (
    SELECT count(*) AS errors, count(*) FILTER (WHERE m.error_code = ANY(%(filtered)s)) AS filtered
      FROM messaging_message m
     WHERE m.practice_id = c.practice_id AND m.campaign_id = c.id AND m.state IN ('undelivered', 'failed')
       AND m.armed_at >= since.at) AS wrong
 CROSS JOIN LATERAL (
    SELECT count(DISTINCT m.patient_id) AS opt_outs FROM messaging_message m
     WHERE m.practice_id = c.practice_id AND m.campaign_id = c.id AND m.armed_at >= since.at
       AND (m.unsubscribed_at IS NOT NULL OR m.complained_at IS NOT NULL)) AS gone
 CROSS JOIN LATERAL (
    SELECT greatest(errors * 100 / %(error_share)s, filtered * 100 / %(filtered_share)s,
                    opt_outs * 100 / %(opt_out_share)s) AS n) AS enough
 WHERE c.practice_id = %(practice)s AND c.id = ANY(%(campaigns)s)
"""
