"""What single rows become, and why they are refused."""

import datetime as dt
from pathlib import Path

import pytest

from audience.models import (
    Appointment,
    Case,
    Coverage,
    Diagnosis,
    ImportRun,
    Patient,
    Payment,
    Service,
)
from tests.audience.ehr.csv.drops import appointment, bring, patient, rejections, write
from tests.audience.ehr.outcome import written
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def practice(northside, clock):
    clock.at(dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC))
    return northside


def test_a_patient_has_everything_that_the_row_says(practice, tmp_path):
    row = patient(**{
        "First Name": "", "Last Name": "", "Patient Name": "Alvarez, Ana M. (Annie)", "Home Phone": "617 555 0122 x4",
        "Phone": "W: 617-555-0133", "Address 1": "5 Elm Street", "Address 2": "Apt 2", "City": "Boston", "State":
        "Massachusetts", "Zip": "021181234", "Provider": "Dr. Delgado", "Attorney": "Lee & Sons",
        "Care Package": "12 visits",
        "Fee Schedule": "Cash", "Referral Source": "A friend", "Do Not Market": "Y", "Case Type": "Auto accident",
        "Primary Insurance": "Aetna", "Secondary Insurance": "self pay", "Insurance Plan": "PPO", "Dx1": "M545", "Dx2":
        "m99.01", "Dx3": "",
    })  # fmt: skip
    run = bring(practice, write(tmp_path, "patients.csv", row))
    assert rejections(practice, run) == []
    with practice_scope(practice):
        found = Patient.objects.get()
        assert (found.first_name, found.preferred_name, found.last_name) == ("Ana", "Annie", "Alvarez")
        assert (found.cell, found.home_phone, found.work_phone) == ("+16175550111", "+16175550122", "+16175550133")
        assert (found.address_line, found.city, found.state, found.postal_code) == (
            "5 Elm Street, Apt 2", "Boston", "MA", "02118-1234",
        )  # fmt: skip
        own = (found.primary_provider, found.attorney, found.care_package, found.fee_schedule, found.referral_source)
        assert [str(one) for one in own] == ["Dr. Delgado", "Lee & Sons", "12 visits", "Cash", "A friend"]
        assert (found.marketing_ok, found.sex, found.birth_date) == (False, "female", dt.date(1984, 3, 12))
        assert [str(one.case_type) for one in Case.objects.filter(is_active=True)] == ["Auto accident"]
        assert list(Coverage.objects.values_list("insurer__name", "plan", "is_active")) == [("Aetna", "PPO", True)]
        codes = Diagnosis.objects.order_by("code__code").values_list("code__system", "code__code")
        assert list(codes) == [("icd10", "M54.5"), ("icd10", "M99.01")]
    fewer = row | {"Primary Insurance": "Cash", "Dx2": "", "Case Type": ""}
    bring(practice, write(tmp_path, "patients.csv", fewer))
    with practice_scope(practice):
        assert (Coverage.objects.count(), Diagnosis.objects.count()) == (0, 1), (
            "what the row says replaces what it said"
        )
        assert not Case.objects.get().is_active


@pytest.mark.parametrize(
    ("columns", "status", "reason"),
    [
        ({"Status": "Active"}, "active", ""), ({"Status": ""}, "active", ""), ({"Active": "Y"}, "active", ""),
        ({"Active": "N"}, "inactive", "inactive"), ({"Status": "Discharged"}, "inactive", "discharged"),
        ({"Inactive": "Yes"}, "inactive", "inactive"), ({"Deceased": "4/5/2025"}, "inactive", "deceased"),
        ({"Deceased": "No", "Status": "Archived"}, "inactive", "archived"), ({"Deceased": "x"}, "inactive", "deceased"),
    ],
)  # fmt: skip
def test_who_is_inactive_and_why(practice, tmp_path, columns, status, reason):
    bring(practice, write(tmp_path, "patients.csv", patient(**columns)))
    with practice_scope(practice):
        assert Patient.objects.values_list("status", "inactive_reason").get() == (status, reason)


def test_patients_that_cannot_be_taken_are_refused_with_the_reason_and_their_id(practice, tmp_path):
    rows = [
        patient(""), patient("p2", **{"Last Name": "", "First Name": ""}), patient("p3", DOB="31/31/2000"),
        patient("p4", Status="Sleeping"), patient("p5" * 80), patient("p6", **{"Last Name": "x" * 101}), patient("p7"),
        patient("p7", **{"First Name": "Anna"}), patient("p8"), patient("p8"),
    ]  # fmt: skip
    run = bring(practice, write(tmp_path, "patients.csv", *rows))
    assert [reason for _, _, reason in rejections(practice, run)] == [
        "The row has no patient id",
        "The patient has no name",
        "The birth date is not a date, month first",
        "“Active or not” says a word that is not mapped yet",
        "The id is 160 characters long; at most 120 are kept",
        "The last name is 101 characters long; at most 100 are kept",
        "The same id came twice with different contents and no date that tells which is newer",
    ]
    assert run.counts["Patient"] == {"read": 10, "new": 2, "repeated": 1, "rejected": 7}


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_rows_with_one_id_one_is_taken_with_all_that_it_says(practice, tmp_path, turned):
    rows = [patient("p1", City=place, Insurance=place, Dx1=code, **{"Case Type": place})
            for place, code in (("Boston", "M54.2"), ("Lynn", "M54.5"))]  # fmt: skip
    cases = [{"Case ID": "k1", "Patient ID": "p1", "Case Type": of, "Insurance": of} for of in ("Auto", "Work")]
    write(tmp_path, "patients.csv", *(rows[::-1] if turned else rows))
    write(tmp_path, "cases.csv", *(cases[::-1] if turned else cases))
    run = bring(practice, tmp_path)
    assert len(rejections(practice, run)) == 2
    with practice_scope(practice):
        city = Patient.objects.get().city
        of_case = str(Case.objects.get(external_id="Case/k1").case_type)
        assert str(Case.objects.get(external_id="Case/~p1").case_type) == city
        insurers = dict(Coverage.objects.values_list("external_id", "insurer__name"))
        assert insurers == {"Coverage/~p1": city, "Coverage/~case k1": of_case}
        assert Diagnosis.objects.get().code.code == {"Boston": "M54.2", "Lynn": "M54.5"}[city]
    assert written(bring(practice, tmp_path)) == 0


def test_of_two_files_the_newer_one_counts_by_the_date_in_its_name_or_in_its_rows(practice, tmp_path):
    write(tmp_path, "patients_11-20-2024.csv", patient("p1", City="New"), patient("p2", City="Old"))
    write(tmp_path, "patients_11-19-2024.csv", patient("p1", City="Old"),
          patient("p2", City="New", **{"Last Modified": "11/20/2024 11:00 PM"}))  # fmt: skip
    run = bring(practice, tmp_path)
    assert rejections(practice, run) == []
    with practice_scope(practice):
        assert set(Patient.objects.values_list("city", flat=True)) == {"New"}


def test_appointments_by_all_words_and_in_the_practices_own_time(practice, tmp_path):
    rows = {
        "came": {"Check In": "9:55 AM", "Duration": "15"}, "here": {"Status": "Scheduled", "Check In": "yes"},
        "missed": {"Status": "No-Show"}, "ahead": {"Status": "Confirmed", "Date": "12/1/2026"},
        "off": {"Status": "CXL", "Time": "", "Date": "10/5/2026 9:00"},
        "blank": {"Status": "", "Check In": "No"}, "none": {"Status": "Deleted"},
    }  # fmt: skip
    write(tmp_path, "patients.csv", patient())
    write(tmp_path, "schedule.csv", *(appointment(id, **columns) for id, columns in rows.items()))
    run = bring(practice, tmp_path)
    assert rejections(practice, run) == []
    assert run.left_out == {"Appointment": {"Its status says that it is none": 1}}
    with practice_scope(practice):
        status = {one.external_id.split("/")[1]: one.status for one in Appointment.objects.all()}
        assert status == {
            "came": "checked_in", "here": "checked_in", "missed": "missed", "ahead": "scheduled", "off": "cancelled",
            "blank": "scheduled",
        }  # fmt: skip
        came = Appointment.objects.get(external_id="Appointment/came")
        assert came.checked_in_at == dt.datetime(2026, 10, 5, 13, 55, tzinfo=dt.UTC)
        assert came.ends_at - came.starts_at == dt.timedelta(minutes=15)
        assert Patient.objects.get().visit_count == 2
    write(tmp_path, "schedule.csv", appointment("came", Status="Deleted"))
    write(tmp_path, "visits.csv", {"Visit ID": "v1", "Patient ID": "p1", "Start": "10/6/2026 9:00", "Status": "Kept"})
    bring(practice, tmp_path)
    with practice_scope(practice):
        assert Appointment.objects.get(external_id="Appointment/came").status == "cancelled"
        assert Appointment.objects.get(external_id="Appointment/v1").starts_at.hour == 13


def test_appointments_that_cannot_be_taken_are_refused_with_the_reason(practice, tmp_path):
    rows = [appointment("a1", ""), appointment("a2", "nobody"), appointment("a3", Time=""), appointment("a4", Date=""),
            appointment("a5", Status="Zzz"), appointment("", "p1"), appointment("a7", Time="late")]  # fmt: skip
    write(tmp_path, "patients.csv", patient())
    run = bring(practice, write(tmp_path, "appointments.csv", *rows))
    assert [(line, reason) for _, line, reason in rejections(practice, run)] == [
        (2, "The row has no patient id"),
        (3, "Its patient is neither in this export nor known from an earlier one"),
        (4, "The start has a day and no time"),
        (5, "The appointment has no start"),
        (6, "“Status” says a word that is not mapped yet"),
        (7, "The row has no appointment id"),
        (8, "The start has no time that can be read"),
    ]


def test_cases_diagnoses_services_payments_and_insurance_come_from_files_of_their_own(practice, tmp_path):
    of = {"Patient ID": "p1"}
    write(tmp_path, "patients.csv", patient())
    write(tmp_path, "appointments.csv", appointment(Case="k1"))
    write(tmp_path, "cases.csv", of | {"Case ID": "k1", "Case Type": "Auto accident", "Attorney": "Lee & Sons",
                                       "Opened": "8/1/2026", "Closed": "", "Status": "Open", "Diagnosis": "M54.2"},
          of | {"Case ID": "k2", "Case Type": "Wellness", "Opened": "1/1/2025", "Closed": "6/1/2025"})  # fmt: skip
    write(tmp_path, "diagnoses.csv",
          of | {"Code": "M5450", "Description": "Low back pain", "Onset": "8/1/2026", "Case": "k1"},
          of | {"Code": "724.2", "Resolved": "1/1/2026"})  # fmt: skip
    charges = (("98940", ""), ("98940", ""), ("g0283", "N"), ("97140", "Y"))
    write(tmp_path, "charges.csv", *(of | {"DOS": "10/5/2026", "CPT": code, "Void": void} for code, void in charges))
    paid = (("$40.00", "Cash"), ("$40.00", "Cash"), ("1,200.50", "Insurance"), ("(10.00)", "Check #12"), ("0.00", ""))
    payments = [of | {"Date": "10/6/2026", "Amount": amount, "Paid By": payer} for amount, payer in paid]
    write(tmp_path, "payments.csv", *payments, {"Patient ID": "Total:", "Amount": "1,270.50"})
    write(tmp_path, "insurance.csv", of | {"Insurance Company": "Aetna", "Plan": "PPO", "Effective Date": "1/1/2026"},
          of | {"Insurance Company": "Self Pay"})  # fmt: skip
    run = bring(practice, tmp_path)
    assert rejections(practice, run) == []
    assert {kind: counts["new"] for kind, counts in run.counts.items()} == {
        "Appointment": 1, "Case": 2, "Coverage": 1, "Diagnosis": 3, "Patient": 1, "Payment": 4, "Service": 2,
    }  # fmt: skip
    with practice_scope(practice):
        cases = Case.objects.order_by("external_id").values_list("case_type__name", "attorney__name", "is_active")
        assert list(cases) == [("Auto accident", "Lee & Sons", True), ("Wellness", None, False)]
        diagnoses = Diagnosis.objects.order_by("code__code")
        assert list(diagnoses.values_list("code__system", "code__code", "is_active", "case__external_id")) == [
            ("icd9", "724.2", False, None), ("icd10", "M54.2", True, "Case/k1"), ("icd10", "M54.50", True, "Case/k1"),
        ]  # fmt: skip
        assert Appointment.objects.get().case.external_id == "Case/k1"
        services = Service.objects.order_by("code__code").values_list("code__system", "code__code", "visit_on")
        day = dt.date(2026, 10, 5)
        assert list(services) == [("cpt", "98940", day), ("hcpcs", "G0283", day)]
        assert Patient.objects.get().total_paid_cents == 4000 + 4000 + 120050 - 1000
        assert Payment.objects.filter(payer="insurer").count() == 1
        assert list(Coverage.objects.values_list("insurer__name", "starts_on")) == [("Aetna", dt.date(2026, 1, 1))]
    again = bring(practice, tmp_path)
    assert (again.state, written(again)) == (ImportRun.State.DONE, 0)


def test_a_file_without_a_column_that_it_needs_is_refused_as_a_whole_and_the_others_come(practice, tmp_path):
    write(tmp_path, "patients.csv", patient())
    write(tmp_path, "appointments.csv", {"Patient ID": "p1", "Date": "10/5/2026", "Time": "10:00", "Status": "Kept"})
    run = bring(practice, tmp_path)
    assert rejections(practice, run) == [
        ("appointments.csv", 1, "It has no column for “Appointment id”, such as “appointment id”, “appointment number”,"
         " “appointment no”: map the column that has it"),
    ]  # fmt: skip
    assert run.counts["Patient"]["new"] == 1


def test_the_examples_of_the_documentation_are_read(practice, tmp_path):
    documented = (Path(__file__).parents[4] / "docs" / "ehr.md").read_text(encoding="utf-8")
    section = documented[documented.index("### Files") : documented.index("### Column mapping")]
    examples = section.split("```")[1].strip().split("\n\n")
    for name, example in zip(("patients", "appointments", "cases", "payments", "optouts"), examples, strict=True):
        write(tmp_path, f"{name}.csv", example + "\n")
    run = bring(practice, tmp_path)
    assert rejections(practice, run) == []
    assert {kind: counts["new"] for kind, counts in run.counts.items()} == {
        "Appointment": 1, "Case": 1, "Diagnosis": 1, "OptOut": 1, "Patient": 1, "Payment": 1,
    }  # fmt: skip


def test_a_saved_mapping_is_kept_to(practice, tmp_path):
    mapping = {
        "files": {
            "patients": {"pattern": "kunden*.csv", "columns": {"id": "Nr", "name": "Name", "birth_date": "Geboren",
                                                               "cell": "Handy"}},
            "payments": {"pattern": "zahl*.csv", "columns": {"patient": "Nr", "paid_on": "Tag", "amount": "Betrag"}},
        },
        "dates": "dmy", "decimal": ",",
    }  # fmt: skip
    row = {"Nr": "1", "Name": "Alvarez, Ana", "Geboren": "3.4.1984", "Handy": "617 555 0111"}
    write(tmp_path, "Kunden.csv", row, separator=";", encoding="cp1252")
    write(tmp_path, "Zahlungen.csv", {"Nr": "1", "Tag": "05.10.2026", "Betrag": "1.234,50"}, separator=";")
    write(tmp_path, "others.csv", patient("p9"))
    run = bring(practice, tmp_path, mapping)
    assert rejections(practice, run) == []
    with practice_scope(practice):
        found = Patient.objects.get()
        assert (found.birth_date, found.total_paid_cents) == (dt.date(1984, 4, 3), 123450)
    write(tmp_path, "Kunden.csv", row | {"Handy": "617 555 0199"} | {"Mobil": "1"}, separator=";")
    text = (tmp_path / "Kunden.csv").read_text().replace("Handy", "Phone number")
    (tmp_path / "Kunden.csv").write_text(text)
    assert rejections(practice, bring(practice, tmp_path, mapping)) == [
        ("Kunden.csv", 1, "The column “Handy”, mapped to “Cell phone”, is not in this file: map another column,"
         " or none"),
    ]  # fmt: skip
    with practice_scope(practice):
        assert Patient.objects.get().cell == "+16175550111", "nobody loses a phone because a heading changed"
