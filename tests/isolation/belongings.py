"""One of everything a practice can have, with a word of its own in every text, for the table of doors."""

import datetime as dt

from audience import consent, saved, tagging
from audience.ehr.live.keys import give_key
from audience.models import EhrConnection, EhrSync, ImportRejection, ImportRun, OptOutList, Patient
from campaigns.models import AudienceRemoval
from messaging.models import InboundMessage
from tests.factories import (
    AppointmentFactory,
    CampaignFactory,
    ContentFactory,
    EmailIdentityFactory,
    EnrollmentFactory,
    MessageFactory,
    PatientFactory,
    StepFactory,
    TagFactory,
    TextIdentityFactory,
)
from trackstat.clock import now

LAPSED = {
    "primary": {"key": "last_visit", "value": {"range": "more_than_ago", "least": 6, "unit": "months"}},
    "filters": [],
}


def belongings(word: str) -> dict[str, int]:
    """Ids by kind, for the arguments of URLs."""
    patient = PatientFactory(first_name=word, last_name=word, email=f"{word.lower()}@mail.example", city=word)
    AppointmentFactory(patient=patient, starts_at=now() - dt.timedelta(days=200))
    tag = TagFactory(name=f"{word} tag")
    loose_tag = TagFactory(name=f"{word} loose tag")
    tag_job = tagging.start(tag, "put_on", Patient.objects.all(), f"All of {word}", None)
    text, _email = TextIdentityFactory(label=word), EmailIdentityFactory(label=word)
    content = ContentFactory(body=f"Hello from {word}")
    campaign = CampaignFactory(name=f"{word} campaign", definition=LAPSED)
    step = StepFactory(campaign=campaign, content=content)
    letter = CampaignFactory(name=f"{word} letter")
    StepFactory(campaign=letter, channel="email", content=ContentFactory(channel="email", subject=word, body=word))
    drip = CampaignFactory(name=f"{word} drip", kind="drip", trigger="birthday")
    StepFactory(campaign=drip, content=content)
    enrollment = EnrollmentFactory(campaign=campaign, patient=patient)
    message = MessageFactory(
        patient=patient,
        identity=text,
        content=content,
        campaign_id=campaign.pk,
        step_id=step.pk,
        enrollment_id=enrollment.pk,
        body=f"Hello from {word}",
    )
    InboundMessage.objects.create(
        channel="text",
        identity=text,
        contact_point=message.contact_point,
        patient=patient,
        provider_id=f"SM{word}",
        body=f"Answer from {word}",
    )
    AudienceRemoval.objects.create(campaign=campaign, patient=PatientFactory(first_name=word, last_name="Removed"))
    connection, sync = _connection(word)
    consent.opt_out("email", patient.email, "announcement", "staff", wording=f"Told {word}")
    audience = saved.create(f"{word} audience", f"Of {word}", LAPSED, None, None)
    return {
        "patient": patient.pk,
        "audience": audience.pk,
        "tag": tag.pk,
        "loose_tag": loose_tag.pk,
        "tag_job": tag_job.pk,
        "campaign": campaign.pk,
        "step": step.pk,
        "letter": letter.pk,
        "drip": drip.pk,
        "enrollment": enrollment.pk,
        "message": message.pk,
        "connection": connection.pk,
        "sync": sync.pk,
        "opt_out_list": OptOutList.objects.create(name=f"{word}.csv", scope="all").pk,
        "drop": EhrConnection.objects.create(kind="csv", name=f"{word} files", source=f"{word.lower()}-files").pk,
    }


def _connection(word: str) -> tuple[EhrConnection, EhrSync]:
    """One that does not work, with a run that rejected something."""
    connection = EhrConnection(
        kind="fhir",
        name=f"{word} EHR",
        source=f"{word.lower()}-ehr",
        base_url=f"https://{word.lower()}.example/fhir",
        algorithm="ES384",
        state=EhrConnection.State.FAILING,
        problem=f"{word}.example does not answer (ConnectTimeout)",
    )
    give_key(connection)
    connection.save()
    run = ImportRun.objects.create(source=connection.source, state="done", counts={"Patient": {"rejected": 1}})
    ImportRejection.objects.create(run=run, file=f"{word}.ndjson", line=3, reason=f"{word} is no patient")
    sync = EhrSync.objects.create(connection=connection, state="done", finished_at=now(), import_run=run)
    return connection, sync
