"""The fields used of resources about money: bills, payments, coverages (see `resources`)."""

from decimal import Decimal

import msgspec

from audience.ehr.fhir.resources import Concept, Contained, Meta, Part, Period, Reference


class Money(Part):
    # Exactly as written: as a float, 443.56 is not.
    value: Decimal | None = None
    currency: str | None = None


class CoverageClass(Part):
    type: Concept | None = None
    value: str | None = None
    name: str | None = None


class Coverage(Part):
    id: str | None = None
    meta: Meta | None = None
    contained: list[Contained] | None = None
    status: str | None = None
    type: Concept | None = None
    beneficiary: Reference | None = None
    period: Period | None = None
    payor: list[Reference] | None = None
    class_: list[CoverageClass] | None = msgspec.field(default=None, name="class")


class ContainedInBill(Contained):
    """A coverage inside a bill, as far as it says who pays; of anything else the name."""

    resource_type: str | None = None
    type: Concept | None = None
    payor: list[Reference] | None = None


class BillInsurance(Part):
    focal: bool | None = None
    coverage: Reference | None = None


class BillDiagnosis(Part):
    diagnosis_codeable_concept: Concept | None = None


class BillProcedure(Part):
    date: str | None = None
    procedure_codeable_concept: Concept | None = None


class Item(Part):
    product_or_service: Concept | None = None
    serviced_date: str | None = None
    serviced_period: Period | None = None


class BillPayment(Part):
    date: str | None = None
    amount: Money | None = None


class Total(Part):
    category: Concept | None = None
    amount: Money | None = None


class Bill(Part):
    """A Claim or an ExplanationOfBenefit: they say the same in the same words, the latter what came of it, too."""

    id: str | None = None
    meta: Meta | None = None
    contained: list[ContainedInBill] | None = None
    status: str | None = None
    use: str | None = None
    patient: Reference | None = None
    billable_period: Period | None = None
    created: str | None = None
    insurer: Reference | None = None
    insurance: list[BillInsurance] | None = None
    diagnosis: list[BillDiagnosis] | None = None
    procedure: list[BillProcedure] | None = None
    item: list[Item] | None = None
    claim: Reference | None = None
    payment: BillPayment | None = None
    total: list[Total] | Money | None = None


class ChargeItem(Part):
    id: str | None = None
    meta: Meta | None = None
    status: str | None = None
    code: Concept | None = None
    subject: Reference | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    entered_date: str | None = None


class Invoice(Part):
    id: str | None = None
    meta: Meta | None = None
    status: str | None = None
    subject: Reference | None = None
    date: str | None = None
    total_net: Money | None = None
    total_gross: Money | None = None


class PaymentNotice(Part):
    id: str | None = None
    meta: Meta | None = None
    status: str | None = None
    request: Reference | None = None
    response: Reference | None = None
    created: str | None = None
    payment_date: str | None = None
    amount: Money | None = None
    payment_status: Concept | None = None


BILLING = {
    "Claim": Bill,
    "ExplanationOfBenefit": Bill,
    "Coverage": Coverage,
    "ChargeItem": ChargeItem,
    "Invoice": Invoice,
    "PaymentNotice": PaymentNotice,
}
