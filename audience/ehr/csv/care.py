"""Rows of cases, diagnoses, services, payments and insurance as the records that are staged."""

import hashlib
import re
from collections.abc import Iterator

from audience.ehr import clean
from audience.ehr.csv import values
from audience.ehr.csv.cells import Cells
from audience.ehr.csv.words import ACTIVE, CLOSED, YES
from audience.ehr.fhir.codes import dotted
from audience.ehr.records import (
    Origin,
    Rejected,
    Staged,
    StagedCase,
    StagedCaseDiagnosis,
    StagedCoverage,
    StagedDiagnosis,
    StagedEntry,
    StagedPayment,
    StagedService,
)
from audience.ehr.words import SELF_PAYING
from audience.models import Payment

# Ids that a file does not give are made of what the row says, and told from the system's own by this sign.
MADE = "~"
_LONGEST_ID = 120
_HCPCS = re.compile(r"^[A-V]\d{4}$", re.IGNORECASE)
_CDT = re.compile(r"^D\d{4}$", re.IGNORECASE)
_ICD9 = re.compile(r"^(?:\d{3}(?:\.?\d{1,2})?|E\d{3}\.\d|V\d{2}\.\d{1,2})$", re.IGNORECASE)
_ICD10 = re.compile(r"^[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?$", re.IGNORECASE)
_VOIDED = "It was voided"
_COMPANY_NONE = "No insurance company is named"


def identified(row: Cells, field: str = "id", what: str = "") -> str:
    found = clean.text(row[field], "The id", _LONGEST_ID)
    if not found:
        raise Rejected(f"The row has no {what or row.kind.field(field).label.lower()}")
    return found


def case(row: Cells, origin: Origin) -> Iterator[Staged]:
    patient = identified(row, "patient")
    case_type = row.words("case_type")
    days = (
        values.day(row["starts_on"], "The first day", row.ways),
        values.day(row["ends_on"], "The last day", row.ways),
    )
    id = clean.text(row["id"], "The id", _LONGEST_ID) or _made(patient, case_type, days[0])
    is_closed = row.meaning("status") == CLOSED if row["status"].strip() else bool(days[1] and days[1] <= row.ways.on)
    yield StagedCase(
        *origin,
        row.changed_at(),
        "Case",
        f"Case/{id}",
        patient,
        "" if case_type else "It has no case type",
        not is_closed,
        case_type,
        row.words("attorney"),
        row.words("care_package"),
        row.words("fee_schedule"),
        *days,
        "",
    )
    yield from covered(row, origin, patient, f"case {id}")
    yield from diagnosed(row, origin, patient, f"case {id}", f"Case/{id}")


def diagnosis(row: Cells, origin: Origin) -> Iterator[Staged]:
    patient = identified(row, "patient")
    said = identified(row, "code")
    since = values.day(row["since"], "The first day", row.ways)
    until = values.day(row["ends_on"], "The last day", row.ways)
    is_over = bool(until and until <= row.ways.on) or (row.has("status") and row.meaning("status") != ACTIVE)
    id = clean.text(row["id"], "The id", _LONGEST_ID) or _made(patient, said.upper(), since)
    yield _entry(row, origin, "Diagnosis", id, patient)
    system, code = _diagnosis_code(said)
    yield StagedDiagnosis(system, code, row.words("name"), not is_over, since)
    if of_case := clean.printable(row["case"], _LONGEST_ID):
        yield StagedCaseDiagnosis(f"Case/{of_case}", f"Diagnosis/{id}")


def service(row: Cells, origin: Origin) -> Iterator[Staged]:
    patient = identified(row, "patient")
    left_out = _VOIDED if row.has("is_void") and row.meaning("is_void") == YES else ""
    code = identified(row, "code").upper()
    visit_on = values.day(row["visit_on"], "The day", row.ways)
    if visit_on is None:
        raise Rejected("The row has no day")
    id = clean.text(row["id"], "The id", _LONGEST_ID) or _made(patient, code, visit_on)
    yield _entry(row, origin, "Service", id, patient, left_out)
    if not left_out:
        system = "cdt" if _CDT.match(code) else "hcpcs" if _HCPCS.match(code) else "cpt"
        yield StagedService(system, clean.printable(code, 60), row.words("name"), visit_on)


def payment(row: Cells, origin: Origin) -> Iterator[Staged]:
    """Payments without ids are told apart by patient, day, amount and payer, and equal ones are numbered (`read`)."""
    patient = identified(row, "patient")
    amount = values.cents(row["amount"], row.ways)
    paid_on = values.day(row["paid_on"], "The day", row.ways)
    left_out = _VOIDED if row.has("is_void") and row.meaning("is_void") == YES else "" if amount else "It has no amount"
    payer = Payment.Payer(row.meaning("payer")).value
    id = clean.text(row["id"], "The id", _LONGEST_ID) or _made(patient, paid_on, amount, payer)
    yield _entry(row, origin, "Payment", id, patient, left_out)
    if not left_out and amount:
        yield StagedPayment(payer, amount, paid_on)


def coverage(row: Cells, origin: Origin) -> Iterator[Staged]:
    patient = identified(row, "patient")
    company = row.words("insurer")
    plan = row.words("plan")
    is_paying = company.lower() in SELF_PAYING
    id = clean.text(row["id"], "The id", _LONGEST_ID) or _made(patient, company.lower(), plan.lower())
    days = (
        values.day(row["starts_on"], "The first day", row.ways),
        values.day(row["ends_on"], "The last day", row.ways),
    )
    left_out = "" if company and not is_paying else _COMPANY_NONE
    yield _entry(row, origin, "Coverage", id, patient, left_out)
    if not left_out:
        is_active = row.meaning("status") == ACTIVE if row.has("status") else True
        yield StagedCoverage("", company, plan, is_active, *days, None)


def covered(row: Cells, origin: Origin, patient: str, of: str) -> Iterator[Staged]:
    """The insurance companies that stand in columns of a patient's or a case's row."""
    if not row.has("insurer"):
        return
    companies = {name.lower(): name for name in (clean.printable(one, 200) for one in row["insurer"].split("\n"))}
    named = [name for plain, name in companies.items() if plain and plain not in SELF_PAYING]
    yield _entry(row, origin, "Coverage", f"{MADE}{of}", patient, "" if named else _COMPANY_NONE)
    for name in named:
        yield StagedCoverage("", name, row.words("plan"), True, None, None, None)


def diagnosed(row: Cells, origin: Origin, patient: str, of: str, of_case: str = "") -> Iterator[Staged]:
    """The diagnoses that stand in columns of a patient's or a case's row."""
    if not row.has("diagnoses"):
        return
    codes = dict.fromkeys(_diagnosis_code(said) for said in values.listed(row["diagnoses"]))
    yield _entry(row, origin, "Diagnosis", f"{MADE}{of}", patient, "" if codes else "No diagnosis is named")
    for system, code in codes:
        yield StagedDiagnosis(system, code, "", True, None)
    if of_case and codes:
        yield StagedCaseDiagnosis(of_case, f"Diagnosis/{MADE}{of}")


def _entry(row: Cells, origin: Origin, kind: str, id: str, patient: str, left_out: str = "") -> StagedEntry:
    return StagedEntry(*origin, row.changed_at(), kind, f"{kind}/{id}", patient, left_out, "")


def _diagnosis_code(said: str) -> tuple[str, str]:
    """System and code; words beside the code (“M54.5 Low back pain”) are not part of it."""
    code = said.split(" ")[0].upper() if " " in said else said.upper()
    if _ICD10.match(code):
        return "icd10", dotted(code)
    return ("icd9", code) if _ICD9.match(code) else ("", clean.printable(said, 60))


def _made(*of: object) -> str:
    told = "\x1f".join(str(one) for one in of)
    return MADE + hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=12).hexdigest()
