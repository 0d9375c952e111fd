"""A practice's own column mapping: proposed, checked and used."""

import pytest

from audience.ehr.csv.fields import KINDS, plain
from audience.ehr.csv.guess import guess
from audience.ehr.csv.mapping import Mapping, Wrong, parse
from tests.audience.ehr.csv.drops import appointment, patient, write


def test_no_heading_is_for_two_fields_of_a_kind():
    for kind in KINDS.values():
        named: dict[str, str] = {}
        for field in kind.fields:
            for synonym in field.synonyms:
                assert named.setdefault(plain(synonym), field.name) == field.name, (kind.name, synonym)


def test_a_proposal_names_files_columns_and_what_nothing_is_read_from(tmp_path):
    write(tmp_path, "PatientList_2026-11-20.csv", patient(Shoe="42"))
    write(tmp_path, "appts.txt", appointment(Status="KPT"), appointment("a2", Status="kpt"), separator="\t")
    write(tmp_path, "notes.txt", "Call Ana about the bill")
    found = guess(tmp_path)
    assert [(file.name, file.kind, file.separator) for file in found.files] == [
        ("PatientList_2026-11-20.csv", "patients", ","),
        ("appts.txt", "appointments", "\t"),
    ]
    patients = found.files[0]
    assert (patients.columns["cell"], patients.unused) == (["Cell Phone"], ["Shoe"])
    assert found.mapping.files["patients"].pattern == "PatientList_*.csv"
    assert found.words == {"appointments.status": {"kpt": 2}}
    assert found.problems == [
        "Appointments: nobody knows what these words of “Status” mean: “kpt” (2)."
        " Rows with them are refused until they are mapped.",
        "No date tells whether the month or the day stands first. They are read month first: March 4 is 3/4/2026;"
        " say so in the mapping if that is wrong.",
    ]
    assert found.doubts == found.problems[1:]
    assert parse(found.mapping.as_json()) == found.mapping, "it can be saved as it is"


@pytest.mark.parametrize(
    ("dates", "order", "doubts"),
    [
        (["3/4/2026", "3/13/2026"], "mdy", 0),
        (["3/4/2026", "13/3/2026"], "dmy", 0),
        (["3/4/2026"], "mdy", 1),
        (["13.3.2026"], "dmy", 0),
        (["3.4.2026"], "mdy", 2),
        (["2026-03-04"], "mdy", 0),
        (["13/3/2026", "3/13/2026", "3/14/2026"], "mdy", 1),
    ],
)
def test_the_order_of_dates_is_told_from_the_rows_or_said_to_be_in_doubt(tmp_path, dates, order, doubts):
    write(tmp_path, "patients.csv", *(patient(str(number), DOB=one) for number, one in enumerate(dates)))
    found = guess(tmp_path)
    assert (found.mapping.dates, len(found.doubts)) == (order, doubts)


def test_amounts_with_a_comma_are_told_from_the_rows(tmp_path):
    row = {"Payment ID": "1", "Patient ID": "p1", "Payment Date": "2026-10-05", "Amount": "1.234,50"}
    write(tmp_path, "payments.csv", row)
    assert guess(tmp_path).mapping.decimal == ","


def test_files_that_cannot_be_used_are_named_with_what_they_lack(tmp_path):
    write(tmp_path, "patients.csv", {"Last Name": "Alvarez", "Cell": "1"})
    write(tmp_path, "list.csv", {"a": "1", "b": "2"})
    write(tmp_path, "sheet.csv", "PK\x03\x04")
    assert guess(tmp_path).problems[:3] == [
        "list.csv: None of its first lines has the headings of a file that is read here.",
        "patients.csv: It has no column for “Patient id”, such as “patient id”, “patient number”, “patient no”:"
        " map the column that has it.",
        "sheet.csv: It is a spreadsheet or an archive, not a CSV file: save it as CSV.",
    ]
    assert guess([]).problems == ["There are no CSV files (.csv, .tsv, .txt) in this folder."]


def test_what_a_saved_mapping_may_say_is_checked_in_sentences():
    said = {
        "files": {
            "patients": {"pattern": "*", "columns": {"first_name": ["First"], "cell": ["A", "B"], "shoe": ["Shoe"]}},
            "pets": {},
        },
        "words": {"appointments.status": {"KPT": "checked_in", "x": "gone"}, "patients.city": {"a": "b"}},
        "dates": "ydm", "encoding": "klingon", "extra": 1,
    }  # fmt: skip
    with pytest.raises(Wrong) as wrong:
        parse(said)
    assert wrong.value.problems == [
        "“extra” is not a part of a mapping.",
        "“dates” is “ydm”; it can be “mdy”, “dmy”, “ymd”.",
        "Patients: “Cell phone” can have one column only.",
        "Patients have no field “shoe”.",
        "Patients need a column for “Patient id”.",
        "Patients need a column for “Last name” or “Whole name”.",
        "There is no kind of file “pets”; there are patients, appointments, cases, diagnoses, services, payments,"
        " coverages, opt_outs.",
        "“x” cannot mean “gone”; it can be “scheduled”, “checked_in”, “missed”, “cancelled”, “none”.",
        "The words of “patients.city” cannot be mapped.",
        "There is no encoding “klingon”.",
    ]
    for nonsense in (None, [], "x", {"files": [1]}, {"files": {"patients": 3}}, {"words": {"cases.status": "x"}}):
        with pytest.raises(Wrong):
            parse(nonsense)
    assert parse({}) == Mapping()


def test_of_two_headings_for_a_field_the_surer_one_is_taken(tmp_path):
    row = {"Id": "1", "Patient": "Alvarez, Ana", "Patient ID": "p1", "Appt ID": "a1", "Date": "10/1/2026"}
    write(tmp_path, "schedule.csv", row | {"Appt Date": "10/5/2026", "Start": "9:00 AM", "Status": "Kept"})
    write(tmp_path, "visits.csv", {"Visit ID": "a2", "Patient ID": "p1", "Start": "10/5/2026 9:00", "Status": "Kept"})
    schedule, visits = guess(tmp_path).files
    assert {name: schedule.columns[name] for name in ("id", "patient", "starts_at", "starts_time")} == {
        "id": ["Appt ID"], "patient": ["Patient ID"], "starts_at": ["Appt Date"], "starts_time": ["Start"],
    }  # fmt: skip
    assert (visits.columns["starts_time"], visits.problems) == (["Start"], [])


def test_patterns_are_of_names_in_any_case_and_there_may_be_several():
    mapping = parse({"files": {"patients": {"pattern": "Pat*.csv; *people*", "columns": {"id": "A", "name": "B"}}}})
    assert (
        mapping.kinds_of("PATIENTS.CSV")
        == mapping.kinds_of("sub/pat.csv")
        == mapping.kinds_of("x people.txt")
        == ["patients"]
    )
    assert mapping.kinds_of("appointments.csv") == []
    assert mapping.files["patients"].columns == {"id": ["A"], "name": ["B"]}
