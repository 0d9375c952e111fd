"""One message a household: who stands for whom, against what it means written a second time, and in words."""

import datetime as dt
import random
from itertools import groupby

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audience.filters import Audience, BadDefinition
from audience.filters.households import channel_of
from audience.households import shared_with, with_stand_ins
from audience.models import ContactPoint, Patient, Tag
from campaigns.models import AudienceRemoval
from tests.audience.filters.reference import matches, reachable
from tests.audience.filters.world import build
from tests.factories import CampaignFactory, PatientFactory
from trackstat.clock import now, today
from trackstat.tenancy.scope import practice_scope

EVERYBODY = {"primary": None, "filters": [{"key": "sex", "mode": "exclude", "value": {"sex": ["other"]}}]}
SOME = [
    EVERYBODY,
    {"primary": None, "filters": [{"key": "age", "mode": "include", "value": {"max": 40}}]},
    {"primary": None, "filters": [{"key": "has_future_appointment", "mode": "include", "value": {"has": "no"}}]},
    {"primary": None, "filters": [{"key": "status", "mode": "include", "value": {"status": "active"}}]},
]
HOME = "+16175550123"


def audience(practice, household="text", require=("cell",), definition=EVERYBODY, **given):
    return Audience(practice, definition, today(practice), require, household=household, **given)


def member(name, born=None, **given):
    return PatientFactory(first_name=name, birth_date=born, **{"cell": HOME, "email": "home@mail.example"} | given)


def family():
    """A mother, her sister, and two children on one phone."""
    born = {"Mother": (1984, 3, 12), "Sister": (1990, 1, 1), "Child": (2016, 5, 5), "Baby": (2025, 1, 1)}
    return [member(name, dt.date(*day)) for name, day in born.items()]


def stand_ins(rows, people, address):
    """Patient id → who stands for them, from plain rows: the eldest of those at an address, unknown ages last."""

    def eldest_first(pk):
        born = rows[pk].birth_date
        return (born is None, born or dt.date.min, pk)

    at = sorted((pk for pk in people if address(rows[pk])), key=lambda pk: address(rows[pk]))
    return {
        pk: min(household, key=eldest_first)
        for _, group in groupby(at, key=lambda pk: address(rows[pk]))
        for household in [list(group)]
        for pk in household
    }


@pytest.mark.parametrize("channel,column", [("text", "cell"), ("email", "email")])
def test_the_household_choice_is_what_it_means_for_every_patient(channel, column, in_northside, clock):
    moment = dt.datetime(2026, 11, 21, 16, 30, tzinfo=dt.UTC)
    rows = build(in_northside, moment, clock, size=150, seed=11)
    with connection.cursor() as cursor:
        # As an import does; a planner that knows nothing compares everybody with everybody.
        cursor.execute("ANALYZE audience_patient, audience_appointment, audience_contactpoint")
    excluded = {tag.pk for tag in Tag.objects.filter(always_excluded=True)}
    day, zone, seen = today(in_northside), in_northside.tz, 0
    for definition in SOME:
        for require in ([], [column], ["cell", "email"]):
            for category in ("announcement", "appointment"):
                found = audience(in_northside, channel, require, definition, category=category)
                otherwise = {
                    pk
                    for pk, row in rows.items()
                    if matches(row, definition, day, now(), zone)
                    and reachable(row, require, category, excluded)
                    and row.reason != "deceased"
                }
                stands = stand_ins(rows, otherwise, lambda row: getattr(row, column))
                expected = {pk for pk in otherwise if stands.get(pk, pk) == pk}
                left_out = {pk: stands[pk] for pk in otherwise - expected}
                seen += len(left_out)
                told = found.breakdown()
                assert set(found.ids()) == set(found.page(size=len(expected) + 1)) == expected
                assert found.count() == found.queryset().count() == told.count == len(expected)
                assert dict(found.same_household().values_list("pk", "stands_id")) == left_out
                assert {each.key: each.count for each in told.left_out}.get("household", 0) == len(left_out)
                assert told.matched - sum(each.count for each in told.left_out) == told.count
                for patient in random.Random(3).sample(list(Patient.objects.all()), 2):
                    assert found.explain(patient).is_in == (patient.pk in expected)
    assert seen > 50, "the generated patients share too little to prove anything"


def test_the_eldest_adult_stands_for_everybody_on_the_phone(in_northside):
    mother, *others = family()
    found = audience(in_northside)
    assert found.ids() == [mother.pk]
    assert [(each.words, each.count) for each in found.breakdown().left_out] == [("same household", 3)]
    rows = with_stand_ins(found.same_household().order_by("pk"), today(in_northside))
    assert [(row.pk, row.stands.pk) for row in rows] == [(other.pk, mother.pk) for other in others]
    assert rows[-1].age < 18 <= rows[-1].stands.age


def test_children_alone_are_stood_for_by_the_eldest_and_unknown_ages_come_last(in_northside):
    unknown, child, twin = member("Unknown"), member("Child", dt.date(2015, 1, 1)), member("Twin", dt.date(2015, 1, 1))
    assert audience(in_northside).ids() == [child.pk]
    child.delete()
    assert audience(in_northside).ids() == [twin.pk]
    twin.delete()
    assert audience(in_northside).ids() == [unknown.pk]


def test_who_is_not_in_the_audience_anyway_stands_for_nobody(in_northside):
    mother, sister, child, baby = family()
    Patient.objects.filter(pk=mother.pk).update(status="inactive", inactive_reason="deceased")
    campaign = CampaignFactory()
    AudienceRemoval.objects.create(campaign=campaign, patient=sister)
    found = audience(in_northside, removed=AudienceRemoval.objects.filter(campaign=campaign))
    assert found.ids() == [child.pk]
    women = {"primary": None, "filters": [{"key": "age", "mode": "include", "value": {"max": 5}}]}
    assert audience(in_northside, definition=women).ids() == [baby.pk]


def test_a_household_is_one_of_a_channel(in_northside):
    mother, sister, *_ = family()
    Patient.objects.filter(pk=sister.pk).update(email="sister@mail.example")
    assert sorted(audience(in_northside, "email", ["email"]).ids()) == [mother.pk, sister.pk]
    assert audience(in_northside, "text", ["email"]).ids() == [mother.pk]
    assert audience(in_northside, None, ["email"]).count() == 4


def test_what_the_ehr_changes_is_right_at_once(in_northside):
    mother, sister, *_ = family()
    Patient.objects.filter(pk=mother.pk).update(cell="+16175550999")
    assert sorted(audience(in_northside).ids()) == [mother.pk, sister.pk]
    Patient.objects.filter(pk=mother.pk).update(cell=HOME)
    assert audience(in_northside).ids() == [mother.pk]


def test_patients_without_a_phone_share_none(in_northside):
    for name in ("Ana", "Ben"):
        PatientFactory(first_name=name, cell="")
    assert audience(in_northside, require=[]).count() == 2


def test_the_explanation_names_who_stands_for_whom(in_northside):
    mother, sister, *_ = family()
    alone = PatientFactory()
    Patient.objects.filter(pk=mother.pk).update(birth_date=today(in_northside).replace(year=1984, day=1))
    found = audience(in_northside)

    def why(patient):
        line = found.explain(patient).requirements[-1]
        return line.words, line.passed, line.why

    age = today(in_northside).year - 1984
    assert why(sister) == ("Stands for the household", False, f"Mother Alvarez ({age}) stands for the household")
    assert why(mother) == ("Stands for the household", True, "Stands for 3 others with this cell phone")
    assert why(alone)[1:] == (True, "Nobody else here has this cell phone")


def test_an_opted_out_phone_is_said_so_and_not_called_a_household(in_northside):
    family()
    ContactPoint.objects.filter(address=HOME).update(all_opted_out_at=now())
    Patient.objects.filter(cell=HOME).update(can_text=False)
    told = audience(in_northside).breakdown()
    assert (told.count, [(each.words, each.count) for each in told.left_out]) == (0, [("opted out of texts", 4)])


def test_the_whole_practice_is_counted_in_households_too(in_northside):
    family()
    PatientFactory()
    assert audience(in_northside).contactable() == 2
    assert audience(in_northside, None).contactable() == 5


def test_two_practices_with_the_same_phone_are_two_households(northside, southside):
    with practice_scope(southside):
        member("Elder", dt.date(1950, 1, 1))
    with practice_scope(northside):
        ours = member("Ours", dt.date(2000, 1, 1))
        assert audience(northside).ids() == [ours.pk]
        assert shared_with(ours, today(northside)) == []


def test_the_first_message_decides_the_channel_and_before_there_is_one_the_boxes_do():
    assert channel_of("email", ["cell", "email"]) == "email"
    assert channel_of(None, ["cell", "email"]) == "text"
    assert channel_of(None, ["email"]) == "email"
    assert channel_of(None, ["address"]) is None


def test_an_unknown_field_is_still_refused(in_northside):
    with pytest.raises(BadDefinition):
        audience(in_northside, require=["fax"])


def test_the_household_costs_the_same_statements_for_any_number_of_patients(in_northside):
    numbers, on = [], today(in_northside)
    for _ in range(2):
        for _ in range(3):
            family()
            PatientFactory()
        with CaptureQueriesContext(connection) as queries:
            found = audience(in_northside)
            found.breakdown(), found.page(), with_stand_ins(found.same_household()[:50], on)
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 8


def test_the_patient_page_lists_who_shares_phone_and_mailbox_eldest_first(in_northside, django_assert_num_queries):
    mother, sister, child, baby = family()
    Patient.objects.filter(pk=sister.pk).update(email="sister@mail.example")
    on = today(in_northside)
    with django_assert_num_queries(1):
        shared = shared_with(child, on)
    assert [(row.place, row.address, [each.pk for each in row.others]) for row in shared] == [
        ("cell phone", HOME, [mother.pk, sister.pk, baby.pk]),
        ("email address", "home@mail.example", [mother.pk, baby.pk]),
    ]
    assert shared_with(PatientFactory(cell="", email=""), today(in_northside)) == []
