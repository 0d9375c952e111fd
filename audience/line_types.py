"""Numbers that no EHR calls mobile: which are worth asking the carrier about, and what its answer means."""

from django.db import connection

from audience import consent
from audience.models import Channel, ContactPoint
from trackstat.tenancy.scope import current_practice_id

MOBILE, LANDLINE = "mobile", "landline"

# Home and work numbers of active patients without a cell phone that nobody asked about yet, each once.
_NOT_ASKED = """
    SELECT DISTINCT number FROM audience_patient p
    CROSS JOIN LATERAL unnest(ARRAY[p.home_phone, p.work_phone]) AS number
    WHERE p.practice_id = %(practice)s AND p.status = 'active' AND p.cell = '' AND number <> ''
      AND NOT EXISTS (
          SELECT FROM audience_contactpoint c
          WHERE c.practice_id = p.practice_id AND c.channel = 'text' AND c.address = number AND c.line_type <> '')
    ORDER BY number LIMIT %(most)s"""

# The same as the import does with a number that is known to be mobile (audience.ehr.compare).
_TAKE_AS_CELL = """
    UPDATE audience_patient SET cell = %(number)s
    WHERE practice_id = %(practice)s AND cell = '' AND (home_phone = %(number)s OR work_phone = %(number)s)"""


def not_asked(most: int) -> list[str]:
    """Up to `most` E.164 numbers."""
    with connection.cursor() as cursor:
        cursor.execute(_NOT_ASKED, {"practice": current_practice_id(), "most": most})
        return [number for (number,) in cursor.fetchall()]


def learn(number: str, line_type: str) -> None:
    """Keep what the carrier says a number is; a mobile becomes the cell of the patients who have none."""
    point, _ = ContactPoint.objects.get_or_create(channel=Channel.TEXT, address=number)
    point = ContactPoint.objects.select_for_update(no_key=True).get(pk=point.pk)
    point.line_type = line_type
    point.save(update_fields=["line_type"])
    if line_type == LANDLINE:
        consent.mark_unusable(point, ContactPoint.Validity.LANDLINE, "The carrier says it is a landline")
    if line_type == MOBILE:
        with connection.cursor() as cursor:
            cursor.execute(_TAKE_AS_CELL, {"practice": current_practice_id(), "number": number})
        consent.refresh_contactability([point.pk])
