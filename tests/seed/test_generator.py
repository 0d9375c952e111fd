"""The made-up exports: the same each time, believable, and nobody's real phone or mailbox."""

import datetime as dt
import gzip
import json
from collections import Counter, defaultdict
from dataclasses import replace
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
import zipcodes

from trackstat.sandbox.numbers import Lines
from trackstat.seed.generator import NORTHSIDE, PRACTICES, write
from trackstat.seed.generator.resources import STATUS_EXTENSION

AT = dt.datetime(2026, 11, 20, 10, 0, tzinfo=ZoneInfo("America/New_York"))
PLAN = replace(NORTHSIDE, patients=600)


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    write(PLAN, folder, AT)
    return folder


@pytest.fixture(scope="module")
def resources(export):
    found = defaultdict(list)
    for file in export.iterdir():
        body = file.read_bytes()
        for line in (gzip.decompress(body) if file.suffix == ".gz" else body).splitlines():
            resource = json.loads(line)
            found[resource["resourceType"]].append(resource)
    return found


def phones(patient):
    return [point["value"] for point in patient["telecom"] if point["system"] == "phone"]


def emails(patient):
    return [point["value"].lower() for point in patient["telecom"] if point["system"] == "email"]


def e164(number):
    return phonenumbers.format_number(phonenumbers.parse(number, "US"), phonenumbers.PhoneNumberFormat.E164)


def test_the_same_day_gives_the_same_files(export, tmp_path):
    write(PLAN, tmp_path, AT)
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == {f.name: f.read_bytes() for f in export.iterdir()}


def test_no_phone_or_mailbox_can_be_anybodys(resources):
    lines = Lines()
    for patient in resources["Patient"]:
        for number in map(e164, phones(patient)):
            assert number[5:8] == "555"
            assert number[2:5] in PLAN.area_codes
            assert lines.fate(number) == ("delivered", None), "an ordinary phone in the sandbox"
            assert number not in (PLAN.phone, PLAN.text_number)
        for address in emails(patient):
            assert address.rpartition(".")[2] == "example" or address.rpartition("@")[2].startswith("example.")


def test_families_share_phones_and_mailboxes(resources):
    cells = Counter(
        e164(p["value"]) for one in resources["Patient"] for p in one["telecom"] if p.get("use") == "mobile"
    )
    mailboxes = Counter(address for one in resources["Patient"] for address in emails(one))
    assert sum(count > 1 for count in cells.values()) > 20
    assert sum(count > 1 for count in mailboxes.values()) > 20


def test_there_is_somebody_for_every_filter(resources):
    patients, today = resources["Patient"], AT.date()
    words = {
        extension["valueString"]
        for one in patients
        for extension in one.get("extension", ())
        if extension["url"] == STATUS_EXTENSION
    }
    assert words == {"Discharged", "Archived", "Inactive", "Deceased"}
    assert len({one["name"][0]["family"] for one in patients}) > 100
    births = [dt.date.fromisoformat(one["birthDate"]) for one in patients]
    for day in (today, today + dt.timedelta(days=1)):
        assert sum((born.month, born.day) == (day.month, day.day) for born in births) >= 2
    assert sum(born > today - dt.timedelta(days=18 * 365) for born in births) > 50
    assert any((born.month, born.day) == (2, 29) for born in births)
    without_cell = sum(not any(p.get("use") == "mobile" for p in one["telecom"]) for one in patients)
    assert 20 < without_cell < 200
    statuses = Counter(one["status"] for one in resources["Appointment"])
    assert all(statuses[status] for status in ("fulfilled", "noshow", "cancelled", "booked", "pending"))
    assert {one["appointmentType"]["text"] for one in resources["Appointment"]} >= {"New Patient Exam", "Adjustment"}


def test_nobody_is_treated_before_they_came_or_pays_for_what_was_not_done(resources):
    came = {
        (reference(one["participant"][0]["actor"]), one["id"].removeprefix("appt-"))
        for one in resources["Appointment"]
        if one["status"] == "fulfilled"
    }
    for one in resources["ChargeItem"]:
        assert (reference(one["subject"]), one["id"].removeprefix("charge-")) in came
    charged = {one["id"].removeprefix("charge-") for one in resources["ChargeItem"]}
    assert {one["id"].removeprefix("inv-") for one in resources["Invoice"]} <= charged
    patients = {patient for patient, _ in came}
    for kind, column in (("EpisodeOfCare", "patient"), ("Condition", "subject"), ("Coverage", "beneficiary")):
        assert {reference(one[column]) for one in resources[kind]} <= patients


def reference(to):
    return to["reference"]


def test_nothing_ahead_has_happened_and_nothing_long_past_is_open(resources):
    for one in resources["Appointment"]:
        start = dt.datetime.fromisoformat(one["start"])
        if start > AT:
            assert one["status"] in ("booked", "pending", "cancelled")
        elif start.astimezone(AT.tzinfo).date() < AT.date():
            assert one["status"] in ("fulfilled", "noshow", "cancelled")


def test_everyone_lives_where_the_postal_code_says(resources):
    for one in resources["Patient"]:
        address = one["address"][0]
        assert any(place["state"] == address["state"] for place in zipcodes.matching(address["postalCode"]))


def test_the_two_practices_lie_in_different_time_zones():
    assert len({plan.zone for plan in PRACTICES}) == 2
    assert [plan.patients for plan in PRACTICES] == [2000, 400]
