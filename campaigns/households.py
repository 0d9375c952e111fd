"""One message an address, decided when messages are written (A13).

Of a blast a step writes to an address once; of a drip once a day, because two of a household may have had their reason
to be written to on days of their own. Who shares an address is looked at now, not at loading: what the EHR changed in
between makes no second text. Only one worker writes a practice's messages at a time (campaigns.engine), and an address
that changes later stops the message when it is armed.
"""

import datetime as dt
from collections import defaultdict
from zoneinfo import ZoneInfo

from audience.filters.households import ELDEST_FIRST
from audience.models import Patient
from campaigns.models import Campaign, Step
from messaging.materialise import Addressed, Spare
from messaging.models import Message
from trackstat.tenancy.models import Practice

# A message that never left keeps nobody else from theirs.
_NEVER_LEFT = (Message.State.ABORTED, Message.State.CANCELLED)

type Place = tuple[int, dt.date | None]


def spare(campaign: Campaign, step: Step, practice: Practice) -> Spare | None:
    """Whom `materialise` leaves out because somebody else at the address gets the step's message; None: nobody."""
    if not campaign.one_per_household:
        return None
    zone = practice.tz if campaign.kind == Campaign.Kind.DRIP else None
    return lambda due: _spared(campaign, step, zone, due)


def _spared(campaign: Campaign, step: Step, zone: ZoneInfo | None, due: list[Addressed]) -> set[int | None]:
    at: dict[Place, list[Addressed]] = defaultdict(list)
    for each in due:
        at[_place(each.contact_point_id, each.due_at, zone)].append(each)
    written = Message.objects.filter(
        campaign_id=campaign.pk, step_id=step.pk, contact_point__in={each.contact_point_id for each in due}
    )
    before = written.exclude(state__in=_NEVER_LEFT).exclude(enrollment_id__in=[each.enrollment_id for each in due])
    served = {_place(point, moment, zone) for point, moment in before.values_list("contact_point_id", "due_at")}
    shared = [each for these in at.values() if len(these) > 1 for each in these]
    eldest = Patient.objects.filter(pk__in={each.patient_id for each in shared}).order_by(*ELDEST_FIRST)
    seniority = {pk: n for n, pk in enumerate(eldest.values_list("pk", flat=True) if shared else ())}
    spared: set[int | None] = set()
    for place, these in at.items():
        these.sort(key=lambda each: (seniority.get(each.patient_id, 0), each.enrollment_id or 0))
        spared |= {each.enrollment_id for each in (these if place in served else these[1:])}
    return spared


def _place(contact_point_id: int, due_at: dt.datetime, zone: ZoneInfo | None) -> Place:
    return contact_point_id, due_at.astimezone(zone).date() if zone else None
