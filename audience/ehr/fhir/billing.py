"""FHIR bills (Claim, ExplanationOfBenefit), coverages, charges and payments as the records that are staged."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import ROUND_HALF_UP
from zoneinfo import ZoneInfo

from audience.ehr import clean
from audience.ehr.fhir import names, references
from audience.ehr.fhir.billing_resources import (
    Bill,
    ChargeItem,
    ContainedInBill,
    Coverage,
    Invoice,
    Money,
    PaymentNotice,
)
from audience.ehr.fhir.codes import codings, first_code
from audience.ehr.fhir.entries import changed_at, entry, key_of, meaning
from audience.ehr.fhir.resources import Contained, Reference
from audience.ehr.records import (
    Origin,
    Rejected,
    Staged,
    StagedCoverage,
    StagedDiagnosis,
    StagedEntry,
    StagedPayment,
    StagedService,
)
from audience.ehr.words import (
    BILL_STATUS,
    BILL_USE,
    CHARGE_STATUS,
    INVOICE_STATUS,
    PAID,
    PAID_BY_PATIENT,
    SELF_PAYING,
    US_DOLLARS,
    Payer,
)

_BILLS = ("Claim", "ExplanationOfBenefit", "Invoice")
_NOTHING = "It states nothing that is kept"
# More than any practice ever got at once, in cents; what is larger is a slip.
_MOST_CENTS = 10**12


def claim(found: Bill, origin: Origin, zone: ZoneInfo, external_id: str) -> list[Staged]:
    return _bill("Claim", found, origin, zone, external_id)


def benefit(found: Bill, origin: Origin, zone: ZoneInfo, external_id: str) -> list[Staged]:
    return _bill("ExplanationOfBenefit", found, origin, zone, external_id)


def _bill(kind: str, found: Bill, origin: Origin, zone: ZoneInfo, external_id: str) -> list[Staged]:
    """What an ExplanationOfBenefit repeats of a claim that came, too, is the claim's to say (`resolve`)."""
    left_out = meaning(found.status, BILL_STATUS) or BILL_USE.get(found.use or "", "")
    about = key_of(found.claim, ("Claim",))
    facts: list[Staged] = []
    if not left_out:
        period = found.billable_period
        billed_on = clean.local_day((period.start if period else None) or found.created, "created", zone)
        if found.item or found.procedure:
            facts += _services(found, billed_on, zone)
        if found.diagnosis:
            facts += _diagnoses(found, billed_on)
        if found.payment or found.total:
            facts += _payments(found, billed_on, zone)
        facts += _insurer(found, billed_on)
        if not facts:
            left_out = _NOTHING
    return [entry(kind, found, found.patient, origin, zone, external_id, left_out, about), *facts]


def _services(found: Bill, billed_on: date | None, zone: ZoneInfo) -> Iterator[Staged]:
    said: dict[tuple, str] = {}
    for item in found.item or ():
        served = item.serviced_date or (item.serviced_period.start if item.serviced_period else None)
        visit_on = clean.local_day(served, "serviced", zone) or billed_on
        for system, code, name in codings(item.product_or_service):
            said.setdefault((system, code, visit_on), name)
    for procedure in found.procedure or ():
        visit_on = clean.local_day(procedure.date, "procedure.date", zone) or billed_on
        for system, code, name in codings(procedure.procedure_codeable_concept):
            said.setdefault((system, code, visit_on), name)
    for (system, code, visit_on), name in said.items():
        if visit_on is None:
            raise Rejected("It has no day")
        yield StagedService(system, code, name, visit_on)


def _diagnoses(found: Bill, billed_on: date | None) -> Iterator[Staged]:
    """Only those that stand in the bill itself; a Condition that it points to speaks for itself."""
    said: dict[tuple[str, str], str] = {}
    for diagnosis in found.diagnosis or ():
        for system, code, name in codings(diagnosis.diagnosis_codeable_concept):
            said.setdefault((system, code), name)
    for (system, code), name in said.items():
        yield StagedDiagnosis(system, code, name, True, billed_on)


def _payments(found: Bill, billed_on: date | None, zone: ZoneInfo) -> Iterator[Staged]:
    if found.payment and (amount := cents(found.payment.amount)):
        paid_on = clean.local_day(found.payment.date, "payment.date", zone) or billed_on
        yield StagedPayment(Payer.INSURER, amount, paid_on)
    totals = found.total if isinstance(found.total, list) else ()
    by_patient = [total for total in totals if first_code(total.category) in PAID_BY_PATIENT]
    if by_patient and (amount := sum(cents(total.amount) for total in by_patient)):
        yield StagedPayment(Payer.PATIENT, amount, billed_on)


def _insurer(found: Bill, billed_on: date | None) -> list[Staged]:
    """Whom the bill went to: the insurer, else who pays the coverage that it contains or names by words alone."""
    if billed_on is None:
        return []
    for payer in _payers(found):
        key, name = company(payer, found.contained)
        if key or name:
            paying = name.lower() in SELF_PAYING
            return [] if paying else [StagedCoverage(key, name, "", True, billed_on, None, billed_on)]
    return []


def _payers(found: Bill) -> Iterator[Reference | None]:
    yield found.insurer
    for insurance in _insurances(found):
        yield from _payors(insurance, found)


def _insurances(found: Bill) -> list[Reference]:
    focal_first = sorted(found.insurance or (), key=lambda insurance: not insurance.focal)
    return [insurance.coverage for insurance in focal_first if insurance.coverage]


def _payors(coverage: Reference, found: Bill) -> Iterator[Reference]:
    address = coverage.reference or ""
    inside: ContainedInBill | None = None
    if address.startswith("#"):
        inside = next((one for one in found.contained or () if one.id == address[1:]), None)
    if inside:
        yield from inside.payor or ()
    if not address or inside:
        yield Reference(display=coverage.display)


def coverage(found: Coverage, origin: Origin, zone: ZoneInfo, external_id: str) -> Iterator[Staged]:
    left_out = meaning(found.status, BILL_STATUS)
    facts = []
    if not left_out:
        plans = (one.name or one.value for one in found.class_ or () if first_code(one.type) == "plan")
        plan = clean.printable(next(filter(None, plans), "") or names.concept(found.type), 200)
        days = (
            clean.local_day(found.period.start if found.period else None, "period.start", zone),
            clean.local_day(found.period.end if found.period else None, "period.end", zone),
        )
        companies = (company(payer, found.contained) for payer in found.payor or ())
        paying = {one: None for one in companies if any(one) and one[1].lower() not in SELF_PAYING}
        facts = [StagedCoverage(key, name, plan, True, *days, None) for key, name in paying]
        left_out = "" if facts else "The patient pays; it names no company"
    yield entry("Coverage", found, found.beneficiary, origin, zone, external_id, left_out)
    yield from facts


def company(payer: Reference | None, contained: Sequence[Contained] | None) -> tuple[str, str]:
    """Key and name of an insurance company; both empty where a person pays or nobody is named."""
    kind, key = references.target(payer)
    if payer is None or kind in ("Patient", "RelatedPerson"):
        return "", ""
    name = names.display(payer, contained)
    if not key or key.startswith("#"):
        return "", name
    return f"{kind or 'Organization'}/{key}", name


def charge_item(found: ChargeItem, origin: Origin, zone: ZoneInfo, external_id: str) -> Iterator[Staged]:
    left_out = meaning(found.status, CHARGE_STATUS)
    yield entry("ChargeItem", found, found.subject, origin, zone, external_id, left_out)
    if left_out:
        return
    period = found.occurrence_period
    done = found.occurrence_date_time or (period.start if period else None) or found.entered_date
    visit_on = clean.local_day(done, "occurrence", zone)
    codes = {(system, code): name for system, code, name in codings(found.code)}
    if not codes or visit_on is None:
        raise Rejected("It has no day" if codes else "It has no code")
    for (system, code), name in codes.items():
        yield StagedService(system, code, name, visit_on)


def invoice(found: Invoice, origin: Origin, zone: ZoneInfo, external_id: str) -> Iterator[Staged]:
    left_out = meaning(found.status, INVOICE_STATUS)
    amount = 0 if left_out else cents(found.total_gross) or cents(found.total_net)
    if not amount:
        left_out = left_out or "It has no amount"
    yield entry("Invoice", found, found.subject, origin, zone, external_id, left_out)
    if amount:
        yield StagedPayment(Payer.PATIENT, amount, clean.local_day(found.date, "date", zone))


def payment_notice(found: PaymentNotice, origin: Origin, zone: ZoneInfo, external_id: str) -> Iterator[Staged]:
    """Its patient is the one of the bill that it is about; `prepare` looks the bill up."""
    left_out = meaning(found.status, BILL_STATUS)
    if not left_out and (said := first_code(found.payment_status)) and said not in PAID:
        left_out = "It is not paid yet"
    about = key_of(found.request, _BILLS) or key_of(found.response, _BILLS)
    if not left_out and not about:
        raise Rejected("It names no bill, so no patient")
    amount = 0 if left_out else cents(found.amount)
    if not amount:
        left_out = left_out or "It has no amount"
    changed = changed_at(found.meta, zone)
    yield StagedEntry(*origin, changed, "PaymentNotice", f"PaymentNotice/{external_id}", "", left_out, about)
    if amount:
        paid_on = clean.local_day(found.payment_date or found.created, "paymentDate", zone)
        yield StagedPayment(Payer.INSURER, amount, paid_on)


def cents(money: Money | None) -> int:
    """US cents, halves up; 0 where there is no amount."""
    if money is None or money.value is None:
        return 0
    if money.currency != "USD" and (money.currency or "").upper() not in US_DOLLARS:
        raise Rejected("The amount is in another currency than US dollars")
    found = money.value * 100
    if not found.is_finite() or abs(found) > _MOST_CENTS:
        raise Rejected("The amount cannot be right")
    return int(found.to_integral_value(ROUND_HALF_UP))
