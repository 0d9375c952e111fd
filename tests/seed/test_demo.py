"""The demo's practices: consistent with every rule of the product, and made once."""

import datetime as dt
from dataclasses import replace

import pytest
from django.db.models import F, Q

from audience import rollups
from audience.ehr.staging import rows
from audience.filters import REGISTRY
from audience.filters.choices import Rows
from audience.models import ConsentEvent, ContactPoint, Diagnosis, Patient, PatientTag, Tag
from campaigns.models import Campaign, Enrollment
from campaigns.sending import identity_for
from messaging.models import Attempt, InboundMessage, Message
from tests.conftest import truncate
from trackstat.clock import now
from trackstat.seed.cast import CAST, PASSWORD
from trackstat.seed.demo import seed_offices, seed_patients
from trackstat.seed.generator import NORTHSIDE, SOUTHSIDE
from trackstat.tenancy.models import Membership, User
from trackstat.tenancy.scope import practice_scope

PLANS = (replace(NORTHSIDE, patients=250), replace(SOUTHSIDE, patients=60))
TABLES = (
    "tenancy_practice", "tenancy_practicesettings", "tenancy_membership", "audience_patient", "audience_appointment",
    "audience_contactpoint", "audience_patienttag", "audience_consentevent", "campaigns_campaign",
    "campaigns_enrollment", "messaging_message", "messaging_inboundmessage", "messaging_sendingidentity",
)  # fmt: skip


@pytest.fixture(scope="module")
def seeded(django_db_setup, django_db_blocker):
    """Committed, so that it is made once for all; what a test changes goes with the test."""
    with django_db_blocker.unblock():
        practices = seed_offices(PLANS)
        for plan in PLANS:
            seed_patients(plan)
    yield practices
    with django_db_blocker.unblock():
        truncate()


@pytest.fixture
def demo(seeded, db):
    return seeded


@pytest.fixture
def at_northside(demo):
    with practice_scope(demo[0]):
        yield demo[0]


def test_every_list_that_filters_pick_from_has_something_to_pick(demo):
    for practice in demo:
        with practice_scope(practice):
            picked = [
                (each.key, name)
                for each in REGISTRY.values()
                for name, field in each.form.base_fields.items()
                if isinstance(field, Rows) and not field.model.objects.exists()
            ]
            assert picked == []
            assert Patient.objects.filter(total_paid_cents__gt=0).exists()
            assert (
                Diagnosis.objects.filter(is_active=True).exists() and Diagnosis.objects.filter(is_active=False).exists()
            )


def versions(practices):
    found = set()
    for practice in practices:
        with practice_scope(practice):
            for table in TABLES:
                found |= {(table, *row) for row in rows(f"SELECT id, ctid::text, xmin::text FROM {table}")}
    return found


def test_seeding_again_changes_nothing(demo):
    before = versions(demo)
    seed_offices(PLANS)
    for plan in PLANS:
        seed_patients(plan)
    assert versions(demo) == before


def test_everyone_of_the_cast_can_sign_in_and_has_a_place(demo):
    northside, southside = demo
    for person in CAST:
        assert User.objects.get(email=person.email).check_password(PASSWORD)
    with practice_scope(northside):
        roles = dict(Membership.objects.values_list("user__email", "role__name"))
    assert set(roles.values()) == {"Administrator", "Manager", "User Plus", "User"}
    with practice_scope(southside):
        roles = dict(Membership.objects.values_list("user__email", "role__name"))
    assert roles == {"quinn@southside.example": "Administrator", "olive@northside.example": "User"}


def test_both_practices_may_send_at_once(demo):

    for practice in demo:
        with practice_scope(practice):
            assert practice.settings.postal_address
            assert practice.settings.attested_at
            for channel in ("text", "email"):
                identity = identity_for(channel)
                assert identity.may_send
                assert identity.is_sandbox
                assert identity.secret


def test_every_message_has_an_end_that_fits_its_times(at_northside):
    messages = Message.objects.all()
    assert messages.filter(campaign_id__isnull=False).count() > 200
    assert not messages.exclude(state__in=["delivered", "undelivered", "aborted"]).exists()
    assert not messages.filter(done_at=None).exists()
    sent = messages.exclude(state="aborted")
    assert not sent.filter(Q(sent_at=None) | Q(sent_at__lt=F("armed_at")) | Q(done_at__lt=F("sent_at"))).exists()
    assert not sent.filter(done_at__gt=now()).exists()
    assert not messages.filter(state="undelivered", error_code="").exists()
    assert Attempt.objects.count() == sent.count()
    assert not Attempt.objects.exclude(outcome="accepted").exists()


def test_each_campaign_counts_a_message_for_every_enrollment(at_northside):
    campaigns = Campaign.objects.filter(state="sent")
    assert campaigns.count() == 5
    for campaign in campaigns:
        enrolled = Enrollment.objects.filter(campaign=campaign)
        assert enrolled.count() == campaign.loaded_count == Message.objects.filter(campaign_id=campaign.pk).count()
        assert not enrolled.exclude(state="done").exists()
        assert not campaign.is_stale
    assert not Campaign.objects.filter(state__in=Campaign.LIVE).exists(), "nothing leaves before somebody says so"


def test_nobody_was_written_to_after_opting_out(at_northside):
    opted_out = ContactPoint.objects.filter(all_opted_out_at__isnull=False)
    assert opted_out.exists()
    for point in opted_out:
        if point.opted_out_by_patient:
            assert not point.messages.filter(sent_at__gt=point.all_opted_out_at).exists()
        assert ConsentEvent.objects.filter(contact_point=point, purpose="all", given=False).exists()
        assert not Patient.objects.filter(cell=point.address, can_text=True).exists() or point.channel == "email"


def test_one_click_takes_an_address_off_everything(at_northside):
    clicked = ConsentEvent.objects.filter(source="unsubscribe")
    assert clicked.exists()
    for event in clicked.select_related("contact_point"):
        assert event.purpose == "all"
        assert event.contact_point.all_opted_out_at


def test_only_the_first_text_to_a_number_carries_the_opt_out_line(at_northside):
    for point in ContactPoint.objects.filter(introduced_at__isnull=False):
        texts = point.messages.filter(has_opt_out_line=True).exclude(state="aborted").order_by("sent_at")
        assert len({text.campaign_id for text in texts}) == 1, "those who share a phone may get theirs in one go"


def test_replies_belong_to_a_message_and_a_few_wait_for_an_answer(at_northside):
    replies = InboundMessage.objects.all()
    assert replies.exists()
    for reply in replies:
        column = "unsubscribed_at" if reply.keyword == "stop" else "replied_at"
        assert Message.objects.filter(patient=reply.patient, **{column: reply.received_at}).exists()
        assert reply.received_at < now()
    assert not Message.objects.filter(replied_at__isnull=False, unsubscribed_at__isnull=False).exists()
    assert replies.filter(read_at=None).exists()


def test_tags_are_on_patients_and_the_reserved_one_on_new_ones(at_northside):
    assert Tag.objects.get(name="not qualified").always_excluded
    assert PatientTag.objects.filter(tag__name="not qualified").exists()
    today = now().astimezone(at_northside.tz).date()
    for tagged in PatientTag.objects.filter(tag__name="np start").select_related("patient"):
        assert tagged.patient.first_visit_on >= today - dt.timedelta(days=30)


def test_the_rollups_are_right(demo):
    assert [rollups.rebuild(practice) for practice in demo] == [0, 0]
