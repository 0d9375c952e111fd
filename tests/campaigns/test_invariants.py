"""`check_invariants`: a database as the product leaves it passes; each invariant, broken on purpose, is named."""

import datetime as dt
import io
import uuid
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audience import consent
from audience.models import ConsentEvent, ContactPoint
from campaigns import blast, engine, invariants, moves
from campaigns.models import Campaign, Enrollment
from messaging.arm import arm
from messaging.claim import claim
from messaging.models import Attempt, Hold, Message, ProviderEvent
from messaging.outcomes import record_all
from messaging.providers.base import Accepted
from tests.campaigns.conftest import make_blast, make_patients
from tests.conftest import owner_connection
from tests.factories import (
    CampaignFactory,
    EnrollmentFactory,
    MessageFactory,
    PatientFactory,
    StepFactory,
    TextIdentityFactory,
)
from tests.messaging.conftest import NOON
from trackstat.clock import now
from trackstat.seed.demo import seed_offices, seed_patients
from trackstat.seed.generator import NORTHSIDE, SOUTHSIDE
from trackstat.tenancy.scope import practice_scope

MINUTES = dt.timedelta(minutes=10)


def violated(**options):
    """Name of each invariant that does not hold → its violations, as the command prints them."""
    out, failed = io.StringIO(), False
    try:
        call_command("check_invariants", stdout=out, **options)
    except CommandError as error:
        assert error.returncode == 1
        failed = True
    lines = out.getvalue().splitlines()
    found: dict[str, list[str]] = {}
    shown: list[str] = []
    for line in lines[:-1]:
        name, _, verdict = line.partition(": ")
        if line.startswith("  "):
            shown.append(line.strip())
        elif verdict != "fine":
            shown = found[name] = []
    assert lines[-1] == f"{len(invariants.INVARIANTS)} invariants, {len(found)} violated"
    assert failed == bool(found)
    return found


@pytest.fixture
def lift(django_db_setup, django_db_blocker):
    """`lift(table, name)` takes a constraint or index away; it comes back after the rows of the test have gone."""
    lifted = []

    def take_away(table, name):
        with owner_connection() as owner:
            key = owner.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s",
                [table, name],
            ).fetchone()
            if key:
                lifted.append(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {key[0]}')
                owner.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
            else:
                lifted.append(owner.execute("SELECT pg_get_indexdef(%s::regclass)", [name]).fetchone()[0])
                owner.execute(f'DROP INDEX "{name}"')

    yield take_away
    with django_db_blocker.unblock(), owner_connection() as owner:
        for statement in lifted:
            owner.execute(statement)


@pytest.fixture
def accepted():
    """`accepted(message)`: an attempt that the carrier took."""

    def make(message, **fields):
        known = {
            "provider": "twilio",
            "provider_id": f"SM{uuid.uuid4().hex}",
            "outcome": "accepted",
            "http_status": 201,
        }
        return Attempt.objects.create(key=uuid.uuid4(), message=message, **known | fields)

    return make


def test_what_the_product_writes_passes_in_every_state(people, in_northside, southside, clock):
    clock.at(NOON)
    sender = TextIdentityFactory()
    make_patients()
    campaign = make_blast(people.uma)
    blast.load(campaign, people.uma)
    moves.enable(campaign, people.uma)
    assert violated() == {}
    engine.work(in_northside.pk)
    token = uuid.uuid4()
    claimed = claim(sender.pk, 2, token)
    armed = arm(claimed[:1], token, "twilio")
    assert {"pending", "claimed", "sending"} == set(Message.objects.values_list("state", flat=True))
    assert violated() == {}
    record_all({armed.outgoing[0].attempt_key: Accepted("SM1", 201)})
    consent.opt_out("text", claimed[1].to_address, "announcement", "reply", "STOP")
    assert arm(claimed[1:], token, "twilio").aborted == 1
    moves.pause(campaign, people.uma)
    assert violated() == {}
    consent.opt_in("text", claimed[1].to_address, "all", "reply", "START")
    moves.stop(campaign, people.uma)
    assert {"sent", "aborted", "cancelled"} == set(Message.objects.values_list("state", flat=True))
    assert violated() == {}


def test_the_demos_past_passes(db):
    plans = (replace(NORTHSIDE, patients=120), replace(SOUTHSIDE, patients=60))
    practices = seed_offices(plans)
    for plan in plans:
        seed_patients(plan)
    for practice in practices:
        with practice_scope(practice):
            assert Message.objects.filter(state="delivered").exists()
    assert violated() == {}


def test_drips_pass_also_after_their_steps_were_turned_round(people, in_northside):
    drip = CampaignFactory(kind="drip", state="enabled", enabled_at=now())
    first, second = StepFactory(campaign=drip), StepFactory(campaign=drip, position=2)
    half = EnrollmentFactory(campaign=drip, occurrence="birthday:2026", next_position=2)
    message = MessageFactory(campaign_id=drip.pk, step_id=first.pk, enrollment_id=half.pk, patient=half.patient)
    assert violated() == {}
    Enrollment.objects.filter(pk=half.pk).update(next_position=1)
    assert violated() == {"steps add up": [place(in_northside, f"step {first.pk}, enrollments 1, add up 0")]}
    Enrollment.objects.filter(pk=half.pk).update(next_position=2)
    moves.disable(drip, people.uma)
    first.position, second.position = 3, 1
    first.save()
    second.save()
    assert violated() == {}
    assert Message.objects.get(pk=message.pk).state == "cancelled"


def test_ids_only_and_no_more_than_ten_are_shown(in_northside, southside):
    for _ in range(12):
        MessageFactory(state="delivered", body="Hi Ana")
    found = violated()
    assert set(found) == {"sent was accepted", "ended says when"}
    first = Message.objects.order_by("pk").first()
    assert found["ended says when"][0] == place(in_northside, f"message {first.pk}")
    assert [len(shown) for shown in found.values()] == [11, 11]  # ten and "…"
    with practice_scope(southside):
        MessageFactory(state="failed")
    assert len(violated()["ended says when"]) == 11


def test_every_practice_is_looked_at(in_northside, southside):
    with practice_scope(southside):
        message = MessageFactory(state="failed")
    assert violated() == {"ended says when": [place(southside, f"message {message.pk}")]}


@pytest.mark.parametrize(
    "accepts, resent, wrong", [(1, False, False), (2, False, True), (2, True, False), (3, True, True)]
)
def test_accepted_twice(people, in_northside, accepted, accepts, resent, wrong):
    fields = {"resent_at": now(), "resent_by": people.mona} if resent else {}
    message = MessageFactory(state="sent", **fields)
    for _ in range(accepts):
        accepted(message)
    expected = {"accepted once": [place(in_northside, f"message {message.pk}, accepted attempts {accepts}")]}
    assert violated() == (expected if wrong else {})


def test_two_messages_for_one_step(lift, transactional_db, northside):
    lift("messaging_message", "message_once")
    with practice_scope(northside):
        enrollment = EnrollmentFactory(next_position=2)
        step = StepFactory(campaign=enrollment.campaign)
        for _ in range(2):
            MessageFactory(
                patient=enrollment.patient, campaign_id=step.campaign_id, step_id=step.pk, enrollment_id=enrollment.pk
            )
    assert violated() == {
        "one message a step": [place(northside, f"enrollment {enrollment.pk}, step {step.pk}, repeat 1, messages 2")]
    }


@pytest.mark.parametrize("state", ["claimed", "sending"])
def test_a_lease_that_nobody_reaped(in_northside, state):
    message = MessageFactory(state=state, lease_token=uuid.uuid4(), lease_until=now() - dt.timedelta(seconds=30))
    if state == "sending":
        Attempt.objects.create(key=uuid.uuid4(), message=message, provider="twilio")
    assert violated() == {}
    assert violated(grace=10) == {"leases": [place(in_northside, f"message {message.pk}")]}


def test_an_accepted_attempt_without_an_id_and_a_refused_one_with_one(in_northside, accepted):
    nameless = accepted(MessageFactory(state="sent"), provider_id=None)
    refused = accepted(MessageFactory(state="failed", done_at=now()), outcome="refused")
    accepted(MessageFactory(state="sent"), provider_id=None, http_status=None)
    assert violated() == {
        "accepted has an id": [
            place(in_northside, f"attempt {attempt.pk}, message {attempt.message_id}")
            for attempt in (nameless, refused)
        ]
    }


def test_one_id_on_two_attempts(lift, transactional_db, northside, accepted):
    lift("messaging_attempt", "attempt_provider_id_once")
    with practice_scope(northside):
        one, other = (accepted(MessageFactory(state="sent"), provider_id="SM7") for _ in range(2))
    assert violated() == {
        "provider's id once": [place(northside, f"attempt {one.pk}, other attempt {other.pk}, attempts 2")]
    }


@pytest.mark.parametrize("state", ["sent", "delivered", "undelivered"])
def test_sent_though_nobody_accepted_it(in_northside, accepted, state):
    done_at = None if state == "sent" else now()
    message = MessageFactory(state=state, done_at=done_at)
    accepted(message, outcome="unknown", provider_id=None)
    assert violated() == {"sent was accepted": [place(in_northside, f"message {message.pk}")]}


@pytest.mark.parametrize("attempts", [0, 2])
def test_handed_over_with_no_or_two_open_attempts(lift, transactional_db, northside, attempts):
    lift("messaging_attempt", "attempt_one_open")
    with practice_scope(northside):
        message = MessageFactory(state="sending", lease_token=uuid.uuid4(), lease_until=now() + MINUTES)
        for _ in range(attempts):
            Attempt.objects.create(key=uuid.uuid4(), message=message, provider="twilio")
    assert violated() == {
        "sending has an attempt": [place(northside, f"message {message.pk}, open attempts {attempts}")]
    }


def test_an_attempt_left_open(in_northside, accepted):
    message = MessageFactory(state="sent")
    accepted(message)
    attempt = accepted(message, outcome="", provider_id=None)
    assert violated() == {}
    Attempt.objects.filter(pk=attempt.pk).update(started_at=now() - MINUTES)
    assert violated() == {
        "open attempt is sending": [place(in_northside, f"attempt {attempt.pk}, message {message.pk}")]
    }


@pytest.mark.parametrize(
    "category, purpose, after, wrong",
    [
        ("announcement", "all", MINUTES, True),
        ("appointment", "all", MINUTES, True),
        ("announcement", "announcement", MINUTES, True),
        ("appointment", "appointment", MINUTES, True),
        ("appointment", "announcement", MINUTES, False),
        ("announcement", "appointment", MINUTES, False),
        ("announcement", "all", dt.timedelta(), False),
        ("announcement", "all", -MINUTES, False),
    ],
)
def test_armed_after_an_opt_out(in_northside, accepted, category, purpose, after, wrong):
    message = MessageFactory(state="sent", category=category)
    consent.opt_out("text", message.to_address, purpose, "reply", "STOP")
    attempt = accepted(message, started_at=now() + after)
    ids = f"attempt {attempt.pk}, message {message.pk}, contact point {message.contact_point_id}"
    assert violated() == ({"opted out": [place(in_northside, ids)]} if wrong else {})
    consent.opt_in("text", message.to_address, purpose, "reply", "START")
    assert violated() == {}


def test_flags_and_ledger_that_differ(in_northside):
    PatientFactory()  # who said nothing
    patients = PatientFactory(), PatientFactory()
    point, other = (ContactPoint.objects.get(channel="text", address=patient.cell) for patient in patients)
    for purpose in ("announcement", "all"):
        consent.opt_out("text", point.address, purpose, "reply", "STOP")
    consent.opt_in("text", point.address, "announcement", "reply", "START")
    assert violated() == {}
    consent.opt_in("text", point.address, "all", "reply", "START")
    ContactPoint.objects.filter(pk=point.pk).update(announcement_opted_out_at=now())
    ConsentEvent.objects.create(contact_point=other, purpose="all", given=False, source="staff")
    assert violated() == {
        "ledger of consent": [
            place(in_northside, f"contact point {point.pk}, purpose announcement"),
            place(in_northside, f"contact point {other.pk}, purpose all"),
        ]
    }


def test_a_key_without_the_practice(lift, transactional_db, northside, southside):
    name = "messaging_message_patient_id_practice_fk"
    lift("messaging_message", name)
    assert violated() == {"keys hold the practice": ["key messaging_message.patient_id"]}
    with owner_connection() as owner:
        for definition in (
            "FOREIGN KEY (patient_id) REFERENCES audience_patient (id)",
            "FOREIGN KEY (practice_id, patient_id) REFERENCES audience_patient (practice_id, id) NOT VALID",
            "FOREIGN KEY (practice_id, patient_id) REFERENCES audience_case (practice_id, id)",
        ):
            owner.execute(f"ALTER TABLE messaging_message ADD CONSTRAINT {name} {definition}")
            try:
                assert violated() == {"keys hold the practice": ["key messaging_message.patient_id"]}, definition
            finally:
                owner.execute(f"ALTER TABLE messaging_message DROP CONSTRAINT {name}")


@pytest.mark.parametrize(
    "link",
    [link for link in invariants.LINKS if link[0] in {"messaging_message", "messaging_attempt", "messaging_hold"}],
)
def test_a_row_that_points_into_another_practice(lift, transactional_db, northside, southside, accepted, link):
    table, column, target = link
    lift(table, f"{table}_{column}_practice_fk")
    strange = _chain(southside, accepted)
    ours = _chain(northside, accepted)
    with owner_connection() as owner:
        owner.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [strange[target], ours[table]])
    found = violated()
    assert found.pop("rows stay in their practice") == [place(northside, f"key {table}.{column}, row {ours[table]}")]
    assert found.pop("keys hold the practice") == [f"key {table}.{column}"]


def _chain(practice, accepted):
    """Id of one row in each table of a paused campaign's chain."""
    with practice_scope(practice):
        campaign = CampaignFactory(state="paused")
        step = StepFactory(campaign=campaign)
        enrollment = EnrollmentFactory(campaign=campaign, next_position=2)
        message = MessageFactory(
            patient=enrollment.patient,
            campaign_id=campaign.pk,
            step_id=step.pk,
            enrollment_id=enrollment.pk,
            content=step.content,
            state="sent",
        )
        return {
            "campaigns_campaign": campaign.pk,
            "campaigns_step": step.pk,
            "campaigns_enrollment": enrollment.pk,
            "audience_patient": message.patient_id,
            "audience_contactpoint": message.contact_point_id,
            "messaging_sendingidentity": message.identity_id,
            "messaging_content": message.content_id,
            "messaging_message": message.pk,
            "messaging_attempt": accepted(message).pk,
            "messaging_hold": Hold.objects.create(campaign_id=campaign.pk).pk,
        }


@pytest.mark.parametrize("wrong", ["patient", "campaign", "step", "channel", "content", "address"])
def test_a_message_that_is_not_about_what_its_enrollment_is_about(in_northside, wrong):
    enrollment = EnrollmentFactory(next_position=2)
    campaign = enrollment.campaign
    step, strange = StepFactory(campaign=campaign), StepFactory(content__channel="email", channel="email")
    message = MessageFactory(
        patient=enrollment.patient, campaign_id=campaign.pk, step_id=step.pk, enrollment_id=enrollment.pk
    )
    assert violated() == {}
    other = {
        "patient": {"patient": PatientFactory()},
        "campaign": {"campaign_id": strange.campaign_id},
        "step": {"step_id": strange.pk},
        "channel": {"channel": "email"},
        "content": {"content": strange.content},
        "address": {"to_address": "+16175550000"},
    }[wrong]
    Message.objects.filter(pk=message.pk).update(**other)
    assert violated()["chains agree"] == [place(in_northside, f"message {message.pk}")]


def test_a_report_that_came_for_another_sender(in_northside, accepted):
    attempt = accepted(MessageFactory(state="sent"))
    known = {"kind": "status", "payload": {}, "applied_at": now()}
    ProviderEvent.objects.create(identity=attempt.message.identity, event_key="1", attempt_key=attempt.key, **known)
    assert violated() == {}
    strange = [
        ProviderEvent.objects.create(identity=TextIdentityFactory(), event_key="2", attempt_key=attempt.key, **known),
        ProviderEvent.objects.create(
            identity=attempt.message.identity, event_key="3", attempt_key=uuid.uuid4(), **known
        ),
    ]
    assert violated() == {"reports name our attempts": [place(in_northside, f"event {event.pk}") for event in strange]}


@pytest.mark.parametrize(
    "state, next_position, messages, wrong",
    [
        ("active", 1, 0, False),
        ("active", 1, 1, True),
        ("active", 2, 0, True),
        ("active", 2, 1, False),
        ("stopped", 1, 0, False),
        ("stopped", 2, 0, True),
        ("done", 1, 0, True),
        ("done", 1, 1, False),
    ],
)
def test_a_step_whose_messages_do_not_add_up(in_northside, state, next_position, messages, wrong):
    enrollment = EnrollmentFactory(state=state, next_position=next_position)
    step = StepFactory(campaign=enrollment.campaign)
    EnrollmentFactory(campaign=enrollment.campaign)  # not come to any step yet
    for _ in range(messages):
        MessageFactory(
            patient=enrollment.patient, campaign_id=step.campaign_id, step_id=step.pk, enrollment_id=enrollment.pk
        )
    expected = {"steps add up": [place(in_northside, f"step {step.pk}, enrollments 2, add up 1")]}
    assert violated() == (expected if wrong else {})


def test_a_message_in_a_state_there_is_not_adds_up_to_nothing(in_northside):
    enrollment = EnrollmentFactory(next_position=2)
    step = StepFactory(campaign=enrollment.campaign)
    message = MessageFactory(
        patient=enrollment.patient, campaign_id=step.campaign_id, step_id=step.pk, enrollment_id=enrollment.pk
    )
    Message.objects.filter(pk=message.pk).update(state="lost")
    assert set(violated()) == {"steps add up"}


def test_aborted_without_a_reason_or_an_end(lift, transactional_db, northside):
    lift("messaging_message", "message_aborted_has_reason")
    with practice_scope(northside):
        message = MessageFactory(state="aborted")
    ids = [place(northside, f"message {message.pk}")]
    assert violated() == {"aborted says why": ids, "ended says when": ids}


def test_a_pause_without_a_hold_and_a_hold_without_a_pause(in_northside):
    paused, running, fine = (CampaignFactory(state=state) for state in ("paused", "sending", "paused"))
    for campaign in (running, fine):
        Hold.objects.create(campaign_id=campaign.pk)
    assert violated() == {"holds are pauses": [place(in_northside, f"campaign {c.pk}") for c in (paused, running)]}
    assert Campaign.objects.count() == 3


def place(practice, ids):
    return f"practice {practice.pk}: {ids}"


def test_the_check_reads_as_the_restricted_role(in_northside):
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)
