"""A notice announces what an explanation of benefit says: they are one payment, whichever comes first."""

import pytest

from audience.ehr.run import import_folder
from audience.models import Patient, Payment
from tests.audience.ehr.exports import benefit, claim, patient, write
from tests.audience.ehr.outcome import state, written
from trackstat.tenancy.scope import practice_scope

BILL = claim("b1")
PAID = benefit("x1", amount=40.5, claim={"reference": "Claim/b1"})


def notice(about: str) -> dict:
    return {
        "resourceType": "PaymentNotice",
        "id": "n1",
        "status": "active",
        "request": {"reference": about},
        "paymentDate": "2026-10-18",
        "amount": {"value": 40.5},
    }


def paid(practice) -> tuple[int, list[str]]:
    with practice_scope(practice):
        ids = list(Payment.objects.order_by("external_id").values_list("external_id", flat=True))
        return Patient.objects.get().total_paid_cents, ids


@pytest.mark.parametrize(
    ("about", "notice_first"), [("Claim/b1", True), ("Claim/b1", False), ("ExplanationOfBenefit/x1", False)]
)
def test_a_notice_and_the_benefit_of_another_export_are_one_payment(northside, tmp_path, about, notice_first):
    first, second = (notice(about), PAID) if notice_first else (PAID, notice(about))
    import_folder(northside, write(tmp_path / "1", patient(), BILL))
    import_folder(northside, write(tmp_path / "2", first))
    assert paid(northside)[0] == 4050
    run = import_folder(northside, write(tmp_path / "3", second))
    assert paid(northside) == (4050, ["ExplanationOfBenefit/x1"])
    for counts in run.counts.values():
        assert counts.pop("read") == sum(counts.values())
    before = state(northside)
    for folder in ("2", "3"):
        assert written(import_folder(northside, tmp_path / folder)) == 0
    assert state(northside) == before


def test_a_notice_counts_again_when_its_benefit_is_taken_back(northside, tmp_path):
    import_folder(northside, write(tmp_path / "1", patient(), BILL, PAID, notice("Claim/b1")))
    assert paid(northside) == (4050, ["ExplanationOfBenefit/x1"])
    import_folder(northside, write(tmp_path / "2", PAID | {"status": "cancelled"}, notice("Claim/b1")))
    assert paid(northside) == (4050, ["PaymentNotice/n1"])


def test_a_notice_about_another_bill_of_the_same_patient_is_a_payment_of_its_own(northside, tmp_path):
    import_folder(northside, write(tmp_path / "1", patient(), BILL, claim("b2"), notice("Claim/b2")))
    import_folder(northside, write(tmp_path / "2", PAID))
    assert paid(northside) == (8100, ["ExplanationOfBenefit/x1", "PaymentNotice/n1"])
