"""Files, lines and references, without a database."""

import datetime as dt
import json
from zoneinfo import ZoneInfo

import pytest

from audience.ehr.fhir.folder import Folder
from audience.ehr.reading import Reading
from audience.ehr.records import Rejection, StagedAppointment, StagedPatient
from tests.audience.ehr.exports import appointment, encounter, patient, staged, write

READING = Reading(dt.date(2026, 11, 21), ZoneInfo("America/New_York"))


def read_one(folder, *resources, name="export.ndjson"):
    records, rejections = staged(write(folder, *resources, name=name), READING)
    assert not rejections
    return next(record for record in records if isinstance(record, StagedPatient | StagedAppointment))


def reasons(folder, *lines, **limits):
    _, rejections = staged(write(folder, *lines), READING, **limits)
    return [(one.line, one.resource_type, one.external_id, one.reason) for one in rejections]


@pytest.mark.parametrize("name", ["anything.ndjson", "Patient.000.ndjson.gz", "no-suffix", "x.json", "x.json.gz"])
def test_what_a_file_is_called_and_whether_it_is_compressed_does_not_matter(tmp_path, name):
    folder = write(tmp_path, patient("p1"), patient("p2"), name=name)
    assert [record.external_id for record in staged(folder, READING)[0]] == ["p1", "p2"]


def test_documents_bundles_and_arrays_are_read_like_lines(tmp_path):
    write(tmp_path, json.dumps(patient("single"), indent=2), name="a.json")
    bundle = {"resourceType": "Bundle", "entry": [{"resource": patient("in-bundle")}, {"request": {"method": "GET"}}]}
    write(tmp_path, json.dumps(bundle, indent=2), name="b.json")
    write(tmp_path, bundle | {"entry": [{"fullUrl": "urn:uuid:77", "resource": patient(None)}]}, name="c.ndjson")
    write(tmp_path, json.dumps([patient("in-array")]), name="d.json")
    records, rejections = staged(tmp_path, READING)
    assert [record.external_id for record in records] == ["single", "in-bundle", "77", "in-array"]
    assert not rejections


def test_a_bad_line_is_rejected_with_file_line_and_reason_and_reading_goes_on(tmp_path):
    lines = [
        patient("first"),
        '{"resourceType":"Patient","id":"cut',
        "not json",
        '{"id":"x"}',
        '{"resourceType":"Patient","id":"wrong","name":"Ana"}',
        '{"resourceType":"Patient","id":"wrong","name":[{"given":[3]}]}',
        '{"resourceType":"Patient"}',
        b'{"resourceType":"Patient","id":"\xff"}',
        "",
        '{"resourceType":"Patient","id":"deep","x":' + "[" * 100_000 + "]" * 100_000 + "}",
        appointment("a1", status="lost"),
        appointment("a2", start=None),
        appointment("a3", start="next Tuesday"),
        appointment("a4", patient="Location/1"),
        patient("born", birthDate="1984-13-12"),
        patient("long", name=[{"family": "x" * 5000}]),
        '{"resourceType":"\\u0000","id":"x"}',
        patient("last"),
    ]
    assert reasons(tmp_path, *lines) == [
        (2, "", "", "Not complete JSON: the line is cut off"),
        (3, "", "", "Not JSON"),
        (4, "", "", "Not a FHIR resource: it has no resourceType"),
        (5, "Patient", "wrong", "name is text, expected a list"),
        (6, "Patient", "wrong", "name.given is a whole number, expected text"),
        (7, "Patient", "", "The resource has no id"),
        (8, "", "", "Not UTF-8 text"),
        (10, "Patient", "deep", "Nested too deeply"),
        (11, "Appointment", "a1", "The status is none that FHIR R4 knows"),
        (12, "Appointment", "a2", "The appointment has no start time"),
        (13, "Appointment", "a3", "start is not a date and time"),
        (14, "Appointment", "a4", "It names no patient"),
        (15, "Patient", "born", "birthDate is not a date"),
        (16, "Patient", "long", "last name is 5,000 characters long; at most 100 are kept"),
        (17, "", "", "Not a FHIR resource: its resourceType is no name of a type"),
    ]
    assert [record.external_id for record in staged(tmp_path, READING)[0]] == ["first", "last"]


def test_an_overlong_line_is_skipped_without_being_held(tmp_path):
    long = json.dumps(patient("long", text={"div": "x" * 100_000}))
    assert reasons(tmp_path, long, patient("after"), longest_line=10_000) == [
        (1, "", "", "The line is longer than 10,000 bytes")
    ]


def test_a_cut_compressed_file_gives_what_came_before_the_cut(tmp_path):
    write(tmp_path, *(patient(f"p{number}") for number in range(5000)), name="p.ndjson.gz")
    whole = (tmp_path / "p.ndjson.gz").read_bytes()
    (tmp_path / "p.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    records, rejections = staged(tmp_path, READING)
    assert 0 < len(records) < 5000
    assert rejections[-1].reason.startswith("The compressed file is damaged or cut off here")


def test_control_characters_and_lone_surrogates_never_get_through(tmp_path):
    odd = '{"resourceType":"Patient","id":"p1","name":[{"family":"A\\u0000lva\\u0007rez","given":["\\tAna\\u200b"]}]}'
    found = read_one(tmp_path, odd)
    assert (found.first_name, found.last_name) == ("Ana", "A lva rez")
    surrogate = '{"resourceType":"Patient","id":"p2","name":[{"family":"\\ud83d is not a character here at all"}]}'
    assert [one[0] for one in reasons(tmp_path, surrogate)] == [1]


def test_progress_counts_bytes_on_disk(tmp_path):
    folder = Folder(write(tmp_path, *(patient(f"p{number}") for number in range(3000)), name="p.ndjson.gz"))
    seen = [folder.bytes_read for _ in folder.read()]
    assert seen == sorted(seen)
    assert folder.bytes_read == folder.total_bytes


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ({"reference": "Patient/p1"}, "p1"),
        ({"reference": "Patient/p1/_history/3"}, "p1"),
        ({"reference": "https://ehr.example/fhir/r4/Patient/p1"}, "p1"),
        ({"reference": "urn:uuid:0c5a", "type": "Patient"}, "urn:uuid:0c5a"),
        ({"reference": "Patient?identifier=http://mrn.example|M%201"}, "?http://mrn.example|M 1"),
        ({"type": "Patient", "identifier": {"system": "http://mrn.example", "value": "M1"}}, "?http://mrn.example|M1"),
        ({"identifier": {"value": "M1"}}, "?|M1"),
    ],
)
def test_every_shape_of_reference_finds_its_patient(tmp_path, reference, key):
    found = read_one(tmp_path, appointment(participant=[{"actor": reference}]))
    assert found.patient_key == key


def test_phones_are_a_cell_only_where_the_ehr_says_mobile(tmp_path):
    telecom = [
        {"system": "phone", "use": "home", "value": "617-555-0001"},
        {"system": "phone", "value": "617.555.0002"},
        {"system": "phone", "use": "work", "value": "1 617 555 0003 x12"},
        {"system": "phone", "use": "mobile", "value": "(617) 555-0004", "rank": 2},
        {"system": "phone", "use": "mobile", "value": "617-555-0005 / 617-555-0006", "rank": 1},
        {"system": "phone", "use": "old", "value": "617-555-0007"},
        {"system": "email", "use": "work", "value": "Ana.Work@Mailbox.Example"},
        {"system": "email", "use": "home", "value": "none@none.com; ana@mailbox.example"},
    ]
    found = read_one(tmp_path, patient(telecom=telecom))
    assert (found.cell, found.home_phone, found.work_phone) == ("+16175550005", "+16175550001", "+16175550003")
    assert found.email == "ana@mailbox.example"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("617-555-0111", "+16175550111"),
        ("+44 20 7946 0958", "+442079460958"),
        ("617-555-0111 ext. 4", ""),
        ("617-555-0111, ext 4", ""),
        ("555-0111", ""),
        ("(017) 555-0111", ""),
        ("call the office", ""),
        ("617-555-0111 or 617-555-0112", "+16175550111"),
    ],
)
def test_only_possible_numbers_without_extension_are_texted(tmp_path, value, cell):
    found = read_one(tmp_path, patient(telecom=[{"system": "phone", "use": "mobile", "value": value}]))
    assert found.cell == cell


def test_a_contact_point_that_has_ended_is_not_used(tmp_path):
    def phone(value, end):
        return {"system": "phone", "use": "mobile", "value": value, "period": {"end": end}}

    telecom = [phone("617-555-0001", "2026-11-20"), phone("617-555-0002", "2014"), phone("617-555-0003", "2026-11")]
    assert read_one(tmp_path, patient(telecom=telecom)).cell == "+16175550003"


def test_names_take_the_official_one_and_keep_a_nickname(tmp_path):
    names = [
        {"use": "maiden", "family": "Stone", "given": ["Margaret"]},
        {"use": "nickname", "given": ["Peggy"]},
        {"use": "official", "family": "O’Brien", "given": ["Margaret", None, "Ann"]},
    ]
    found = read_one(tmp_path, patient(name=names))
    assert (found.first_name, found.preferred_name, found.last_name) == ("Margaret", "Peggy", "O’Brien")
    only_text = read_one(tmp_path, patient(name=[{"text": "Ana María Alvarez"}]))
    assert (only_text.first_name, only_text.last_name) == ("Ana María", "Alvarez")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"active": True}, ""),
        ({"active": False}, "inactive"),
        ({"active": True, "deceasedBoolean": True}, "deceased"),
        ({"deceasedDateTime": "2015-02-14T13:42:00+10:00"}, "deceased"),
        ({"deceasedBoolean": False}, ""),
        ({"extension": [{"url": "https://ehr.example/x/patient-status", "valueString": " Discharged"}]}, "discharged"),
        ({"extension": [{"url": "https://ehr.example/PatientStatus", "valueCode": "ARCHIVED"}]}, "archived"),
        ({"extension": [{"url": "https://ehr.example/x/patient-status", "valueString": "Frequent flyer"}]}, ""),
        ({"extension": [{"url": "https://ehr.example/x/race", "valueString": "Discharged"}]}, ""),
        ({"link": [{"type": "replaced-by", "other": {"reference": "Patient/p2"}}]}, "archived"),
    ],
)
def test_each_word_for_inactive_is_told_apart(tmp_path, fields, reason):
    found = read_one(tmp_path, patient(**fields))
    assert (found.is_active, found.inactive_reason) == (not reason, reason)


def test_addresses_are_normalised(tmp_path):
    address = {"city": "Boston", "state": "Massachusetts", "postalCode": "668391105", "country": "U.S.A."}
    found = read_one(tmp_path, patient(address=[{"use": "old", "city": "Rome"}, address]))
    assert (found.city, found.state, found.postal_code, found.country) == ("Boston", "MA", "66839-1105", "US")


@pytest.mark.parametrize(
    ("ehr", "status"),
    [
        ("booked", "scheduled"), ("pending", "scheduled"), ("arrived", "checked_in"), ("checked-in", "checked_in"),
        ("fulfilled", "checked_in"), ("noshow", "missed"), ("cancelled", "cancelled"), ("entered-in-error", ""),
        ("proposed", ""), ("waitlist", ""),
    ],
)  # fmt: skip
def test_every_status_of_an_appointment_is_mapped(tmp_path, ehr, status):
    assert read_one(tmp_path, appointment(status=ehr)).status == status


def test_a_long_reason_is_cut_and_does_not_lose_the_visit(tmp_path):
    found = read_one(tmp_path, appointment(appointmentType={"text": "Because " + "of this " * 100}))
    assert found.purpose.startswith("Because of this")
    assert len(found.purpose) == 200


def test_times_without_an_offset_are_the_practices_own(tmp_path):
    def start(value):
        return read_one(tmp_path, appointment(start=value)).starts_at

    at = dt.datetime(2026, 10, 5, 14, 0, tzinfo=dt.UTC)
    assert start("2026-10-05T14:00:00.123456789Z") == at.replace(microsecond=123456)
    assert start("2026-10-05T10:00:00-04:00") == start("2026-10-05T10:00:00") == at


def test_an_end_comes_from_minutes_and_a_slip_is_no_end(tmp_path):
    found = read_one(tmp_path, appointment(minutesDuration=15))
    assert found.ends_at - found.starts_at == dt.timedelta(minutes=15)
    assert read_one(tmp_path, appointment(end="2026-10-04T14:00:00Z")).ends_at is None
    assert read_one(tmp_path, appointment(end="2027-10-05T14:00:00Z")).ends_at is None


def test_purpose_provider_and_place_come_from_what_the_ehr_filled_in(tmp_path):
    found = read_one(
        tmp_path,
        appointment(
            appointmentType={"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0276", "code": "WALKIN"}]},
            contained=[{"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Okafor", "prefix": ["Dr."]}]}],
            participant=[
                {"actor": {"reference": "Patient/p1"}},
                {"actor": {"reference": "#dr", "type": "Practitioner"}},
                {"actor": {"reference": "Location/l1", "display": "Main office"}},
            ],
        ),
    )
    assert (found.purpose, found.provider_key, found.provider_name) == ("Walk-in", "", "Dr. Okafor")
    assert (found.location_key, found.location_name) == ("Location/l1", "Main office")


def test_an_encounter_is_a_visit_that_was_checked_in_when_it_began(tmp_path):
    found = read_one(tmp_path, encounter(appointment=[{"reference": "Appointment/a1"}], type=[{"text": "Adjustment"}]))
    assert (found.external_id, found.appointment_key) == ("Encounter/e1", "Appointment/a1")
    assert (found.status, found.checked_in_at, found.purpose) == ("checked_in", found.starts_at, "Adjustment")
    assert read_one(tmp_path, encounter(status="planned")).status == ""


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        Folder(tmp_path / "nowhere")


def test_rejections_never_repeat_a_patients_data(tmp_path):
    lines = [patient("p1", birthDate="Smith"), appointment("a1", start="Smith"), patient("p2", gender=["Smith"])]
    assert all("Smith" not in one[3] for one in reasons(tmp_path, *lines))
    assert isinstance(staged(tmp_path, READING)[1][0], Rejection)
