"""Tags on the demo's patients, and a few who asked the front desk not to be written to."""

import datetime as dt
from random import Random

from audience import consent
from audience.models import ConsentEvent, ContactPoint, Patient, PatientTag, Tag
from trackstat.tenancy.models import User

# Share of active adults.
_SHARES = {"not qualified": 0.03, "VIP": 0.04, "Workshop": 0.06, "Auto accident": 0.03, "Refer a friend": 0.02}
_NEW = dt.timedelta(days=30)
_ASKED_NOT_TO_BE_TEXTED, _ASKED_FOR_NO_NEWS = 5, 4


def seed_tags(today: dt.date, by: User, random: Random) -> None:
    """Tags for the practice in scope, which has none yet."""
    tags = {tag.name: tag for tag in Tag.objects.all()}
    adults = list(
        Patient.objects.filter(status=Patient.Status.ACTIVE, birth_date__lt=today - dt.timedelta(days=18 * 366))
        .order_by("external_id")
        .values_list("pk", flat=True)
    )
    carried = []
    for name, share in _SHARES.items():
        chosen = random.sample(adults, max(1, round(len(adults) * share)))
        carried += [PatientTag(patient_id=patient, tag=tags[name], tagged_by=by) for patient in chosen]
    new = Patient.objects.filter(first_visit_on__gte=today - _NEW).values_list("pk", flat=True)
    carried += [PatientTag(patient_id=patient, tag=tags["np start"]) for patient in new]
    PatientTag.objects.bulk_create(carried)


def seed_opt_outs(by: User, random: Random) -> None:
    """What the front desk noted on the phone."""
    wishes = (
        ("text", _ASKED_NOT_TO_BE_TEXTED, ConsentEvent.Purpose.EVERYTHING, "Asked on the phone not to be texted"),
        ("email", _ASKED_FOR_NO_NEWS, ConsentEvent.Purpose.ANNOUNCEMENT, "Wants no newsletters"),
    )
    for channel, number, purpose, wording in wishes:
        addresses = list(
            ContactPoint.objects.filter(channel=channel).order_by("address").values_list("address", flat=True)
        )
        for address in sorted(random.sample(addresses, min(number, len(addresses)))):
            consent.opt_out(channel, address, purpose, ConsentEvent.Source.STAFF, wording, by)
