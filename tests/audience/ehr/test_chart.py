"""Cases, diagnoses, services, payments and insurance, from the resources that carry them."""

import datetime as dt

import pytest

from audience.ehr.run import import_folder
from audience.ehr.staging import rows
from audience.models import (
    Appointment,
    Attorney,
    Case,
    CaseType,
    Coverage,
    Diagnosis,
    DiagnosisCode,
    ImportRejection,
    Insurer,
    Patient,
    Payment,
    Service,
    ServiceCode,
)
from tests.audience.ehr.exports import (
    CPT,
    ICD10,
    SNOMED,
    appointment,
    benefit,
    claim,
    code,
    condition,
    coverage,
    encounter,
    episode,
    own,
    patient,
    write,
)
from tests.audience.ehr.outcome import state, written
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def export(tmp_path):
    return tmp_path / "export"


@pytest.fixture
def bring(northside, export):
    """Imports these resources, with the patient p1, and again: the second time nothing may change."""

    def bring(*resources):
        run = import_folder(northside, write(export, patient(), *resources))
        assert written(import_folder(northside, export)) == 0
        return run

    return bring


def test_a_case_comes_with_type_attorney_package_days_its_visits_and_its_diagnoses(northside, bring):
    extensions = [own("attorney", "Ruiz & Lee"), own("care-package", "Gold 24"), own("fee-schedule", "PI 2026")]
    seen = encounter(episodeOfCare=[{"reference": "EpisodeOfCare/k1"}])
    booked = appointment(supportingInformation=[{"reference": "EpisodeOfCare/k1"}])
    diagnosed = [{"condition": {"reference": "Condition/c1"}}, {"condition": {"reference": "Condition/elsewhere"}}]
    bring(condition(), condition("c2"), seen, booked, episode(extension=extensions, diagnosis=diagnosed))
    with practice_scope(northside):
        case = Case.objects.select_related("case_type", "attorney", "care_package", "fee_schedule").get()
        assert [str(one) for one in (case, case.attorney, case.care_package, case.fee_schedule)] == [
            "Auto accident", "Ruiz & Lee", "Gold 24", "PI 2026",
        ]  # fmt: skip
        assert (case.is_active, case.starts_on, case.ends_on) == (True, dt.date(2026, 8, 1), None)
        assert set(Appointment.objects.values_list("case", flat=True)) == {case.pk}
        assert dict(Diagnosis.objects.values_list("external_id", "case")) == {
            "Condition/c1": case.pk,
            "Condition/c2": None,
        }


def test_a_visit_and_a_diagnosis_keep_their_case_when_they_come_alone_and_get_it_when_it_comes_later(
    northside, export, bring
):
    seen = encounter(episodeOfCare=[{"reference": "EpisodeOfCare/k1"}])
    bring(seen, condition())
    with practice_scope(northside):
        assert Appointment.objects.get().case is None
    of_case = episode(diagnosis=[{"condition": {"reference": "Condition/c1"}}])
    import_folder(northside, write(export, of_case))
    with practice_scope(northside):
        assert Diagnosis.objects.get().case == Case.objects.get()
    bring(seen)
    bring(encounter(start="2026-10-05T13:50:00Z"), condition(status="resolved"))
    with practice_scope(northside):
        assert Appointment.objects.get().case == Diagnosis.objects.get().case == Case.objects.get()
        assert not Diagnosis.objects.get().is_active


def test_a_diagnosis_of_several_cases_belongs_to_the_newest_and_stays_there(northside, export, bring):
    of_case = {"diagnosis": [{"condition": {"reference": "Condition/c1"}}]}
    older = episode("k9", **of_case, period={"start": "2020-03-01"})
    newer = episode("k10", **of_case, period={"start": "2026-02-01"})
    bring(condition(), older, newer)
    assert _case_of(northside) == ("EpisodeOfCare/k10", version := _version(northside))
    bring(newer, older, condition())
    import_folder(northside, write(export, older))
    assert _case_of(northside) == ("EpisodeOfCare/k10", version), "not written again, nor moved by the older one alone"
    bring(condition(), older, newer, episode("k11", **of_case, period={"start": "2026-09-01"}))
    assert _case_of(northside)[0] == "EpisodeOfCare/k11"


@pytest.mark.parametrize("change", [{"diagnosis": None}, {"status": "entered-in-error"}])
def test_a_diagnosis_leaves_a_case_that_does_not_name_it_any_more_for_the_one_that_does(northside, bring, change):
    of_case = {"diagnosis": [{"condition": {"reference": "Condition/c1"}}]}
    older = episode("k1", **of_case, period={"start": "2020-03-01"})
    newer = of_case | {"period": {"start": "2026-02-01"}}
    bring(condition(), older, episode("k2", **newer))
    bring(condition(), older, episode("k2", **(newer | change)))
    assert _case_of(northside)[0] == "EpisodeOfCare/k1"


def _case_of(practice) -> tuple[str, str]:
    with practice_scope(practice):
        return Diagnosis.objects.get().case.external_id, _version(practice)


def _version(practice) -> str:
    """Of the only diagnosis: which transaction wrote it last."""
    with practice_scope(practice):
        return rows("SELECT xmin::text FROM audience_diagnosis")[0][0]


@pytest.mark.parametrize(("status", "is_active"), [("planned", True), ("onhold", True), ("finished", False)])
def test_a_case_is_open_until_it_is_finished(northside, bring, status, is_active):
    bring(episode(status=status))
    with practice_scope(northside):
        assert Case.objects.get().is_active is is_active


def test_a_case_taken_back_is_closed_and_one_never_made_is_not_there(northside, export, bring):
    bring(episode())
    run = import_folder(northside, write(export, episode(status="entered-in-error"), episode("k2", status="waitlist")))
    assert run.counts["EpisodeOfCare"] == {"read": 2, "changed": 1, "left_out": 1}
    assert run.left_out == {"EpisodeOfCare": {"It is on a waiting list": 1}}
    with practice_scope(northside):
        assert list(Case.objects.values_list("external_id", "is_active")) == [("EpisodeOfCare/k1", False)]


def account(id, **fields):
    return {"resourceType": "Account", "id": id, "status": "active", "subject": [{"reference": "Patient/p1"}]} | fields


def test_an_account_is_a_case_where_it_is_of_a_kind_of_its_own_and_no_episode_is_behind_it(northside, bring):
    run = bring(
        account("own", type={"text": "Workers' compensation"}),
        account("vendor", extension=[own("case-type", "Wellness")]),
        account("money", type=code("http://terminology.hl7.org/CodeSystem/v3-ActCode", "PBILLACCT")),
        account("same", type={"text": "Auto accident"}),
        episode(account=[{"reference": "Account/same"}]),
        encounter(account=[{"reference": "Account/same"}]),
    )
    assert run.counts["Account"] == {"read": 4, "new": 2, "left_out": 2}
    with practice_scope(northside):
        assert set(Case.objects.values_list("external_id", "case_type__name")) == {
            ("Account/own", "Workers' compensation"),
            ("Account/vendor", "Wellness"),
            ("EpisodeOfCare/k1", "Auto accident"),
        }
        assert Appointment.objects.get().case.external_id == "EpisodeOfCare/k1"
        assert "It is an account for money and no case" in run.left_out["Account"]


def test_a_diagnosis_in_two_systems_is_two_and_icd_codes_are_written_one_way(northside, bring):
    both = {"coding": [{"system": ICD10, "code": "m545"}, {"system": SNOMED, "code": "279039007", "display": "Back"}]}
    bring(condition("c1", code=both), condition("c2", "Patient/p1", "active", "M54.5"))
    with practice_scope(northside):
        codes = {(one.system, one.code, one.name) for one in DiagnosisCode.objects.all()}
        assert codes == {("icd10", "M54.5", ""), ("snomed", "279039007", "Back")}
        assert Diagnosis.objects.count() == 3


def test_the_same_code_in_two_systems_is_kept_apart(northside, bring):
    items = [{"productOrService": code(system, "98940"), "servicedDate": "2026-10-05"} for system in (CPT, SNOMED)]
    bring(claim(item=items))
    with practice_scope(northside):
        assert set(ServiceCode.objects.values_list("system", "code")) == {("cpt", "98940"), ("snomed", "98940")}


def test_what_was_refuted_or_entered_in_error_is_left_out_and_taken_back(northside, export, bring):
    bring(condition(), claim())
    refuted = condition(verificationStatus=code("…", "refuted"))
    run = import_folder(northside, write(export, refuted, claim(status="cancelled"), claim("b2", status="draft")))
    assert run.counts["Condition"] == {"read": 1, "changed": 1}
    assert run.counts["Claim"] == {"read": 2, "changed": 1, "left_out": 1}
    assert run.left_out == {"Claim": {"It is a draft": 1}}
    with practice_scope(northside):
        assert not Diagnosis.objects.exists()
        assert not Service.objects.exists()


def test_services_come_from_procedures_claims_and_charges_on_the_practices_own_day(northside, bring):
    procedure = {
        "resourceType": "Procedure", "id": "d1", "status": "completed", "code": code(CPT, "97110"),
        "subject": {"reference": "Patient/p1"}, "performedPeriod": {"start": "2026-10-06T02:30:00Z"},
    }  # fmt: skip
    charge = {
        "resourceType": "ChargeItem", "id": "h1", "status": "billed", "code": code(CPT, "97140"),
        "subject": {"reference": "Patient/p1"}, "occurrenceDateTime": "2026-10-05",
    }  # fmt: skip
    bring(procedure, procedure | {"id": "d2", "status": "not-done"}, charge, claim(cpt=["98940", "98940", "98941"]))
    with practice_scope(northside):
        found = Service.objects.order_by("code__code").values_list("code__code", "visit_on", "external_id")
        day = dt.date(2026, 10, 5)
        assert list(found) == [
            ("97110", day, "Procedure/d1"), ("97140", day, "ChargeItem/h1"), ("98940", day, "Claim/b1"),
            ("98941", day, "Claim/b1"),
        ]  # fmt: skip


def test_a_claim_that_changes_has_only_its_new_services(northside, export, bring):
    bring(claim(cpt=["98940", "97110"]))
    run = import_folder(northside, write(export, claim(cpt=["98940", "98941"])))
    assert run.counts["Claim"] == {"read": 1, "changed": 1}
    with practice_scope(northside):
        assert set(Service.objects.values_list("code__code", flat=True)) == {"98940", "98941"}


def test_what_a_benefit_repeats_of_its_claim_counts_once_and_alone_it_speaks_for_the_claim(northside, bring):
    items = claim()["item"]
    bring(claim(), benefit(claim={"reference": "Claim/b1"}, item=items), benefit("x2", item=items))
    with practice_scope(northside):
        assert set(Service.objects.values_list("external_id", flat=True)) == {"Claim/b1", "ExplanationOfBenefit/x2"}


def test_total_paid_adds_up_to_the_cent_and_follows_changes(northside, export, bring):
    total = [{"category": code("…", "paidbypatient"), "amount": {"value": 15, "currency": "USD"}}]
    invoice = {
        "resourceType": "Invoice", "id": "i1", "status": "balanced", "subject": {"reference": "Patient/p1"},
        "date": "2026-10-09", "totalNet": {"value": 18.30}, "totalGross": {"value": 20.10},
    }  # fmt: skip
    bring(benefit("x1", amount=443.56, total=total), benefit("x2", amount=28.104000000000003), invoice)
    with practice_scope(northside):
        assert Patient.objects.get().total_paid_cents == 44356 + 1500 + 2810 + 2010
        assert set(Payment.objects.values_list("external_id", "payer")) == {
            ("ExplanationOfBenefit/x1", "insurer"), ("ExplanationOfBenefit/x1", "patient"),
            ("ExplanationOfBenefit/x2", "insurer"), ("Invoice/i1", "patient"),
        }  # fmt: skip
    import_folder(northside, write(export, benefit("x1", amount=-1), invoice | {"status": "cancelled"}))
    with practice_scope(northside):
        assert Patient.objects.get().total_paid_cents == 2810 - 100


def notice(id="n1", about="Claim/b1", **fields):
    return {
        "resourceType": "PaymentNotice", "id": id, "status": "active", "created": "2026-10-20",
        "request": {"reference": about}, "amount": {"value": 30, "currency": "USD"},
    } | fields  # fmt: skip


def test_a_payment_notice_belongs_to_its_bills_patient_and_says_nothing_new_of_one_that_was_paid(
    northside, export, bring
):
    run = bring(claim("b1"), notice("n1"), claim("b2"), benefit(claim={"reference": "Claim/b2"}),
                notice("n2", "Claim/b2"), notice("n3", paymentStatus=code("…", "unpaid")))  # fmt: skip
    assert run.counts["PaymentNotice"] == {"read": 3, "new": 1, "left_out": 2}
    assert run.left_out["PaymentNotice"] == {"Its bill says the same": 1, "It is not paid yet": 1}
    later = import_folder(northside, write(export, notice("n4"), notice("n5", "Claim/nowhere")))
    assert later.counts["PaymentNotice"] == {"read": 2, "new": 1, "rejected": 1}
    with practice_scope(northside):
        assert Patient.objects.get().total_paid_cents == 3000 + 4050 + 3000
        assert ImportRejection.objects.get().reason.startswith("Its bill is neither in this export")


@pytest.mark.parametrize(
    ("money", "reason"),
    [
        ({"value": 48, "currency": "EUR"}, "The amount is in another currency than US dollars"),
        ({"value": 1e15, "currency": "USD"}, "The amount cannot be right"),
        ({"value": "NaN"}, "The amount cannot be right"),
    ],
)
def test_money_that_cannot_be_added_up_is_rejected(northside, bring, money, reason):
    run = bring(benefit(payment={"amount": money}))
    assert run.counts["ExplanationOfBenefit"] == {"read": 1, "rejected": 1}
    with practice_scope(northside):
        assert set(ImportRejection.objects.values_list("reason", flat=True)) == {reason}


def test_a_coverage_names_its_company_by_reference_by_name_and_contained(northside, bring):
    bring(
        {"resourceType": "Organization", "id": "aetna", "name": "Aetna Inc."},
        coverage("v1", payor=[{"reference": "Organization/aetna"}], period={"start": "2026-01-01"}),
        coverage("v2", payor=[{"display": "BlueCross"}]),
        coverage("v3", payor=[{"reference": "#c"}], contained=[{"id": "c", "name": "Cigna"}]),
        coverage("v4", payor=[{"display": "Self Pay"}]),
        coverage("v5", payor=[{"reference": "Patient/p1"}]),
        coverage("v6", status="cancelled"),
    )
    with practice_scope(northside):
        assert set(Coverage.objects.values_list("external_id", "insurer__name", "starts_on")) == {
            ("Coverage/v1", "Aetna Inc.", dt.date(2026, 1, 1)),
            ("Coverage/v2", "BlueCross", None),
            ("Coverage/v3", "Cigna", None),
        }
        assert set(Insurer.objects.values_list("name", flat=True)) == {"Aetna Inc.", "BlueCross", "Cigna"}


def test_where_only_bills_name_companies_the_newest_one_is_the_insurance(northside, export, bring):
    bring(claim("b1", created="2026-03-01"), claim("b2", created="2026-05-01", insurer={"display": "Medicare"}))
    with practice_scope(northside):
        assert dict(Coverage.objects.values_list("insurer__name", "is_active")) == {
            "BlueCross": False,
            "Medicare": True,
        }
    import_folder(northside, write(export, claim("b3", created="2026-06-01")))
    with practice_scope(northside):
        found = Coverage.objects.get(insurer__name="BlueCross")
        assert (found.is_active, found.starts_on, found.billed_on) == (True, dt.date(2026, 3, 1), dt.date(2026, 6, 1))
    import_folder(northside, write(export, coverage()))
    with practice_scope(northside):
        assert list(Coverage.objects.filter(is_active=True).values_list("insurer__name", flat=True)) == ["Aetna"]


def test_a_patients_own_fields_come_from_the_ehrs_own_extensions(northside, export):
    extensions = [own("attorney", "Ruiz & Lee"), own("CarePackage", "Gold 24"), own("fee-schedule", "Cash"),
                  own("referral_source", "Google"), own("marketing-ok", False)]  # fmt: skip
    lawyer = [{"relationship": [{"text": "Attorney"}], "name": {"text": "Dana Ruiz"}}]
    import_folder(northside, write(export, patient("p1", extension=extensions), patient("p2", contact=lawyer)))
    with practice_scope(northside):
        one, two = Patient.objects.order_by("external_id").select_related(
            "attorney", "care_package", "fee_schedule", "referral_source"
        )
        assert [one.attorney.name, one.care_package.name, one.fee_schedule.name, one.referral_source.name] == [
            "Ruiz & Lee", "Gold 24", "Cash", "Google",
        ]  # fmt: skip
        assert (one.marketing_ok, two.marketing_ok) == (False, None)
        assert two.attorney.name == "Dana Ruiz"


def test_choice_lists_have_only_what_is_used(northside, export, bring):
    strangers = [claim("b9", "Patient/nobody", cpt=["99999"]), condition("c9", "Patient/nobody", "active", "Z99"),
                 coverage("v9", "Patient/nobody", "Nobody's"), episode("k9", "Patient/nobody"),
                 episode("k8", status="entered-in-error", extension=[own("attorney", "Never")])]  # fmt: skip
    bring(*strangers)
    with practice_scope(northside):
        for choice in (ServiceCode, DiagnosisCode, Insurer, CaseType, Attorney):
            assert not choice.objects.exists(), choice


def test_the_order_does_not_matter(northside, southside, tmp_path):
    resources = [
        patient(), claim(), benefit(claim={"reference": "Claim/b1"}), notice(), condition(),
        episode(account=[{"reference": "Account/a"}], diagnosis=[{"condition": {"reference": "Condition/c1"}}]),
        account("a", type={"text": "X"}), encounter(account=[{"reference": "Account/a"}]), coverage(),
    ]  # fmt: skip
    with practice_scope(southside):
        southside.settings.time_zone = "America/New_York"
        southside.settings.save()
    import_folder(northside, write(tmp_path / "one", *resources))
    import_folder(southside, write(tmp_path / "other", *reversed(resources)))
    assert state(northside) == state(southside)
