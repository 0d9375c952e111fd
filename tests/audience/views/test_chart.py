"""What the EHR knows of a patient, on the patient's page."""

import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audience.models import (
    Appointment,
    Attorney,
    CarePackage,
    Case,
    CaseType,
    Coverage,
    Diagnosis,
    DiagnosisCode,
    FeeSchedule,
    Insurer,
    Patient,
    Payment,
    ReferralSource,
    Service,
    ServiceCode,
)
from tests.factories import AppointmentFactory, PatientFactory
from trackstat.tenancy.scope import practice_scope

DAY = dt.date(2026, 3, 2)


@pytest.fixture
def ana(northside):
    with practice_scope(northside):
        ana = PatientFactory(
            referral_source=ReferralSource.objects.create(name="Word of mouth"),
            marketing_ok=False,
            total_paid_cents=128450,
        )
        case = Case.objects.create(
            patient=ana,
            source="test",
            external_id="EpisodeOfCare/1",
            case_type=CaseType.objects.create(name="Personal injury"),
            attorney=Attorney.objects.create(name="Dewey & Howe"),
            care_package=CarePackage.objects.create(name="Gold"),
            fee_schedule=FeeSchedule.objects.create(name="PI 2026"),
            starts_on=DAY,
        )
        AppointmentFactory(patient=ana, case=case)
        AppointmentFactory(patient=ana, case=case, status="missed")
        of = {"patient": ana, "source": "test"}
        neck = DiagnosisCode.objects.create(system="icd10", code="M54.2", name="Cervicalgia")
        back = DiagnosisCode.objects.create(system="icd10", code="M54.5", name="Low back pain")
        for number in (1, 2):
            Diagnosis.objects.create(**of, external_id=f"Condition/{number}", code=neck, case=case, is_active=True)
        Diagnosis.objects.create(**of, external_id="Condition/3", code=back, is_active=False)
        for number, (name, ends) in enumerate((("Aetna", None), ("Cigna", DAY))):
            insurer = Insurer.objects.create(name=name, external_id=f"Organization/{number}")
            Coverage.objects.create(
                **of, external_id=f"Coverage/{number}", insurer=insurer, is_active=True, ends_on=ends, plan=f"{name} 80"
            )
        cpt = ServiceCode.objects.create(system="cpt", code="98941", name="Adjustment, 3-4 regions")
        for number in range(31):
            day = DAY + dt.timedelta(days=number)
            Service.objects.create(**of, external_id=f"Claim/{number}", code=cpt, visit_on=day)
        for payer, cents in (("insurer", 90000), ("patient", 38450)):
            Payment.objects.create(**of, external_id="Invoice/1", payer=payer, amount_cents=cents)
        PatientFactory(external_id="Patient/old-7", merged_into=ana)
    return ana


def page_of(person, patient) -> str:
    client = Client()
    client.force_login(person)
    return client.get(f"/northside/patients/{patient.pk}/").text


def test_cases_diagnoses_insurance_and_services_are_shown_to_everybody_who_sees_patients(people, ana):
    page = page_of(people.fred, ana)
    for words in ("Personal injury", "Dewey &amp; Howe", "Gold", "PI 2026", "Word of mouth", "Refused in the EHR"):
        assert words in page
    assert "<dt>Visits</dt><dd>1</dd>" in page, "a missed appointment is no visit of the case"
    assert page.count("M54.2") == 1, "a code that stands in two records is shown once"
    assert "Other diagnoses" in page and "M54.5" in page and "(over)" in page
    insurance = page.split('aria-label="Insurance"')[1].split("</section>")[0]
    assert insurance.index("Aetna") < insurance.index("Cigna") < insurance.index("Not any more")
    assert "98941" in page and "The latest 30 of 31 are shown" in page
    assert "<b>Patient/old-7</b>" in page


def test_a_case_says_nothing_of_visits_where_the_ehr_does_not_say_whose_they_are(people, ana, northside):
    with practice_scope(northside):
        Appointment.objects.update(case=None)
    cases = page_of(people.fred, ana).split('aria-label="Cases"')[1].split("</section>")[0]
    assert "Personal injury" in cases and "Visits" not in cases


def test_money_is_shown_only_to_those_who_may_see_money(people, ana):
    for person in (people.fred, people.uma):
        assert "$" not in page_of(person, ana).split("<main")[1]
    assert "$1,284.50" in page_of(people.mona, ana) and "insurance $900.00, patient $384.50" in page_of(
        people.mona, ana
    )


def test_the_page_of_somebody_with_a_long_chart_asks_no_more_questions(people, ana, northside):
    with practice_scope(northside):
        bare = PatientFactory()
        assert Patient.objects.count() == 2
    page_of(people.mona, bare)
    with CaptureQueriesContext(connection) as few:
        page_of(people.mona, bare)
    with CaptureQueriesContext(connection) as many:
        page_of(people.mona, ana)
    assert len(many) == len(few)
