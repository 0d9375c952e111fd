"""The audience of a blast: loaded, seen, corrected by hand, sent to as seen."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audience.models import Patient
from campaigns import blast, drafts, engine, moves
from campaigns.models import AudienceMember, Campaign, Enrollment
from campaigns.moves import Blocked, NeedsConfirmation
from messaging.models import Message
from tests.campaigns.conftest import MEN, make_blast
from tests.factories import PatientFactory
from trackstat.clock import now


def _names(campaign):
    return sorted(campaign.members.values_list("patient__first_name", flat=True))


def test_loading_freezes_who_the_filters_describe(draft, people):
    assert blast.load(draft, people.uma) == 3
    assert _names(draft) == ["Ana0", "Ana1", "Ana2"]
    assert (draft.loaded_count, draft.is_stale) == (3, False)
    PatientFactory(first_name="Late")
    assert _names(draft) == ["Ana0", "Ana1", "Ana2"]
    assert blast.load(draft, people.uma) == 4
    assert AudienceMember.objects.count() == 4


def test_changed_filters_boxes_and_channels_make_the_audience_stale(draft, people):
    blast.load(draft, people.uma)
    drafts.save_definition(draft, MEN, None, draft.version, people.uma)
    assert draft.is_stale
    blast.load(draft, people.uma)
    assert not draft.is_stale
    drafts.save_definition(draft, MEN, ["address", "cell"], draft.version, people.uma)
    assert draft.is_stale
    drafts.save_definition(draft, MEN, None, draft.version, people.uma)
    assert not draft.is_stale, "back to what was loaded"
    drafts.save_step(draft, "email", "S", "B", "now", None, 0, draft.version, people.uma, position=1)
    assert draft.is_stale, "an email needs other people than a text"


def test_a_removal_survives_every_reload_until_undone(draft, people):
    blast.load(draft, people.uma)
    ana = Patient.objects.get(first_name="Ana1")
    assert blast.remove(draft, ana, people.uma) == 2
    assert blast.remove(draft, ana, people.uma) == 2
    assert blast.load(draft, people.uma) == 2
    assert _names(draft) == ["Ana0", "Ana2"]
    assert draft.removals.get().removed_by == people.uma
    assert blast.undo_removal(draft, ana, people.uma) == 3
    assert _names(draft) == ["Ana0", "Ana1", "Ana2"]
    assert draft.loaded_count == 3


def test_undoing_the_removal_of_someone_who_does_not_match_brings_nobody_in(draft, people):
    blast.load(draft, people.uma)
    ana = Patient.objects.get(first_name="Ana1")
    blast.remove(draft, ana, people.uma)
    Patient.objects.filter(pk=ana.pk).update(sex="male")
    assert blast.undo_removal(draft, ana, people.uma) == 2


def test_a_patient_without_a_cell_phone_is_left_out_of_a_text(draft, people):
    Patient.objects.filter(first_name="Ana0").update(cell="", can_text=False)
    assert blast.load(draft, people.uma) == 2


def test_enabling_without_loading_loads_and_asks_to_confirm_the_number(draft, people):
    with pytest.raises(NeedsConfirmation) as asked:
        moves.enable(draft, people.uma)
    assert asked.value.count == 3
    draft.refresh_from_db()
    assert (draft.state, draft.loaded_count) == ("draft", 3), "loaded for review, not sent"
    assert not Enrollment.objects.exists()
    assert moves.enable(draft, people.uma, confirmed_count=3)
    assert Enrollment.objects.filter(campaign=draft, occurrence="launch").count() == 3


def test_enabling_with_a_stale_audience_asks_again(draft, people):
    blast.load(draft, people.uma)
    PatientFactory(sex="male", first_name="Ben3")
    drafts.save_definition(draft, MEN, None, draft.version, people.uma)
    with pytest.raises(NeedsConfirmation) as asked:
        moves.enable(draft, people.uma, confirmed_count=3)
    assert asked.value.count == 4
    assert moves.enable(draft, people.uma, confirmed_count=4)


def test_nothing_goes_to_a_list_that_nobody_saw(draft, people):
    blast.load(draft, people.uma)
    Patient.objects.filter(first_name="Ana0").update(sex="male")
    PatientFactory(first_name="New")
    with pytest.raises(NeedsConfirmation) as asked:
        moves.enable(draft, people.uma, confirmed_count=3)
    changes = asked.value.changes
    assert (asked.value.count, changes.added, changes.left) == (3, 1, 1)
    with pytest.raises(NeedsConfirmation):
        moves.enable(draft, people.uma, confirmed_count=2)
    assert moves.enable(draft, people.uma, confirmed_count=3)
    assert set(Enrollment.objects.values_list("patient__first_name", flat=True)) == {"Ana1", "Ana2", "New"}


def test_a_freshly_loaded_audience_needs_no_confirmation(draft, people):
    blast.load(draft, people.uma)
    assert moves.enable(draft, people.uma)


def test_an_empty_audience_blocks(draft, people):
    Patient.objects.filter(sex="female").update(sex="unknown")
    with pytest.raises(Blocked, match="Nobody is in the audience"):
        moves.enable(draft, people.uma)


def test_loading_takes_the_same_few_queries_for_any_number_of_patients(draft, people):
    numbers = []
    now()  # It is asked once a transaction.
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            blast.load(draft, people.uma)
        numbers.append(len(queries))
        for _ in range(20):
            PatientFactory()
    assert numbers[0] == numbers[1] <= 16


def test_one_practices_load_sees_nothing_of_the_other(people, in_northside, southside, senders):
    from trackstat.tenancy.scope import practice_scope

    with practice_scope(southside):
        PatientFactory(first_name="ZZSOUTHSIDE")
    campaign = make_blast(people.uma)
    PatientFactory(first_name="Ours")
    blast.load(campaign, people.uma)
    assert _names(campaign) == ["Ours"]


def test_who_no_longer_matches_when_a_scheduled_blast_goes_out_is_left_out_and_says_why(draft, people, clock):
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    wall = tomorrow.astimezone(engine.practice_in_scope().tz).replace(tzinfo=None, second=0, microsecond=0)
    drafts.save_step(draft, "text", "", "Hello", "at", wall, 0, draft.version, people.uma, position=1)
    blast.load(draft, people.uma)
    assert moves.enable(draft, people.uma)
    practice = draft.practice_id
    assert engine.work(practice) == 0, "not due yet"
    Patient.objects.filter(first_name="Ana0").update(sex="unknown")
    Patient.objects.filter(first_name="Ana1").update(cell="", can_text=False)
    clock.at(tomorrow + dt.timedelta(minutes=1))
    assert engine.work(practice) == 2
    left_out = Enrollment.objects.get(state="stopped")
    assert (left_out.patient.first_name, left_out.reason) == ("Ana0", Message.Reason.NO_LONGER_MATCHES)
    by_name = dict(Message.objects.values_list("patient__first_name", "reason"))
    assert by_name == {"Ana1": Message.Reason.NO_ADDRESS, "Ana2": ""}
    assert Campaign.objects.get().state == "sending"
