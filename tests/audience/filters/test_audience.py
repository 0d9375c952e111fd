"""Requirements, breakdown and explanation in the words staff read."""

import datetime as dt

import pytest

from audience.filters import Audience
from audience.models import Appointment, ContactPoint, Patient, PatientTag
from campaigns.models import AudienceRemoval
from tests.factories import AppointmentFactory, CampaignFactory, PatientFactory, TagFactory
from trackstat.clock import now, today
from trackstat.tenancy.scope import practice_scope

ADULTS = {"primary": None, "filters": [{"key": "age", "mode": "include", "value": {"min": 18}}]}
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def audience(practice, definition=ADULTS, **given):
    return Audience(practice, definition, today(practice), **given)


def opt_out(patient, channel="text", **flags):
    ContactPoint.objects.filter(channel=channel, address=patient.address_for(channel)).update(**flags)
    if "announcement_opted_out_at" not in flags:
        Patient.objects.filter(pk=patient.pk).update(**{f"can_{channel}": False})


def test_the_breakdown_says_who_is_left_out_and_why(in_northside):
    stays, removed = PatientFactory(), PatientFactory()
    PatientFactory(cell="")
    opt_out(PatientFactory(), all_opted_out_at=LONG_AGO)
    opt_out(PatientFactory(), announcement_opted_out_at=LONG_AGO)
    opt_out(PatientFactory(), validity="landline")
    opt_out(PatientFactory(), validity="invalid")
    PatientFactory(status="inactive", inactive_reason="deceased")
    PatientTag.objects.create(patient=PatientFactory(), tag=TagFactory(name="not qualified", always_excluded=True))
    PatientFactory(birth_date=dt.date(2020, 1, 1))
    campaign = CampaignFactory()
    AudienceRemoval.objects.create(campaign=campaign, patient=removed)

    found = audience(in_northside, require=["cell"], removed=AudienceRemoval.objects.filter(campaign=campaign))
    told = found.breakdown()

    assert found.ids() == found.page() == [stays.pk]
    assert (told.everyone, told.matched, told.count) == (10, 9, 1)
    assert [(effect.words, effect.remaining, effect.removed) for effect in told.effects] == [("age 18 or older", 9, 1)]
    assert {each.words: each.count for each in told.left_out} == {
        "removed by hand": 1,
        "not qualified (tag)": 1,
        "deceased": 1,
        "no cell phone": 1,
        "opted out of texts": 2,
        "landline": 1,
        "number not in service": 1,
    }


def test_an_opt_out_of_announcements_does_not_hold_appointment_messages(in_northside):
    patient = PatientFactory()
    opt_out(patient, announcement_opted_out_at=LONG_AGO)
    PatientTag.objects.create(patient=patient, tag=TagFactory(name="not qualified", always_excluded=True))
    assert audience(in_northside, require=["cell"]).count() == 0
    assert audience(in_northside, require=["cell"], category="appointment").count() == 1


def test_without_a_ticked_box_everyone_is_shown_reachable_or_not(in_northside):
    PatientFactory(cell="", email="", address_line="")
    opt_out(PatientFactory(), all_opted_out_at=LONG_AGO)
    assert audience(in_northside).count() == 2


@pytest.mark.parametrize("box,without", [("cell", {"cell": ""}), ("email", {"email": ""}), ("address", {"city": ""})])
def test_a_ticked_box_requires_that_field(box, without, in_northside):
    PatientFactory(**without)
    kept = PatientFactory()
    assert audience(in_northside, require=[box]).ids() == [kept.pk]


def test_the_explanation_names_the_value_that_decided(in_northside):
    ana = PatientFactory(birth_date=dt.date(2020, 1, 1), cell="")
    told = audience(in_northside, require=["cell"]).explain(ana)
    assert not told.is_in
    assert [(line.words, line.passed, line.why) for line in told.filters] == [
        ("age 18 or older", False, f"Age {today(in_northside).year - 2020}")
    ]
    assert ("Has a cell phone", False, "No cell phone") in [
        (line.words, line.passed, line.why) for line in told.requirements
    ]


def test_someone_whose_next_visit_has_just_passed_still_has_the_one_after_it(in_northside):
    """The rollup is renewed once a day; until then the appointments themselves are asked."""
    ana = PatientFactory(next_visit_at=now() - dt.timedelta(hours=1))
    AppointmentFactory(patient=ana, status=Appointment.Status.SCHEDULED, starts_at=now() + dt.timedelta(days=3))
    PatientFactory(next_visit_at=now() - dt.timedelta(hours=1))

    def found(key, value):
        definition = {"primary": None, "filters": [{"key": key, "mode": "include", "value": value}]}
        return audience(in_northside, definition).ids()

    assert found("has_future_appointment", {"has": "yes"}) == [ana.pk]
    assert found("next_visit", {"range": "next", "most": 7, "unit": "days"}) == [ana.pk]
    assert found("next_visit", {"range": "today"}) == []


def test_contactable_counts_the_whole_practice_by_the_same_requirements(in_northside):
    PatientFactory(), PatientFactory(birth_date=dt.date(2020, 1, 1)), PatientFactory(cell="")
    assert audience(in_northside, require=["cell"]).contactable() == 2


def test_nobody_of_another_practice_is_found(northside, southside):
    with practice_scope(southside):
        PatientFactory()
    with practice_scope(northside):
        mine = PatientFactory()
        assert audience(northside).ids() == [mine.pk]
        assert audience(northside).breakdown().everyone == 1
