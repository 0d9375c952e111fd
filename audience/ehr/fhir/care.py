"""FHIR Conditions, Procedures and cases (EpisodeOfCare, Account) as the records that are staged."""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from audience.ehr import clean
from audience.ehr.fhir import names
from audience.ehr.fhir.care_resources import Account, Condition, EpisodeOfCare, Procedure
from audience.ehr.fhir.codes import codings, first_code
from audience.ehr.fhir.entries import changed_at, entry, key_of, meaning, patient_key
from audience.ehr.fhir.extensions import own_field
from audience.ehr.fhir.resources import Period
from audience.ehr.records import (
    Origin,
    Rejected,
    Staged,
    StagedCase,
    StagedCaseDiagnosis,
    StagedDiagnosis,
    StagedService,
)
from audience.ehr.words import (
    ACCOUNT_STATUS,
    EPISODE_STATUS,
    NOT_TRUE,
    OVER,
    PLAIN_ACCOUNTS,
    PROCEDURE_STATUS,
)


def condition(found: Condition, origin: Origin, zone: ZoneInfo, external_id: str) -> Iterator[Staged]:
    left_out = NOT_TRUE.get(first_code(found.verification_status), "")
    codes = {} if left_out else {(system, code): name for system, code, name in codings(found.code)}
    if not codes and not left_out:
        raise Rejected("It has no code")
    yield entry("Condition", found, found.subject, origin, zone, external_id, left_out)
    started = found.onset_date_time or (found.onset_period.start if found.onset_period else None)
    since = clean.local_day(started or found.recorded_date, "onset", zone) if codes else None
    is_active = first_code(found.clinical_status) not in OVER
    for (system, code), name in codes.items():
        yield StagedDiagnosis(system, code, name, is_active, since)


def procedure(found: Procedure, origin: Origin, zone: ZoneInfo, external_id: str) -> Iterator[Staged]:
    left_out = meaning(found.status, PROCEDURE_STATUS)
    yield entry("Procedure", found, found.subject, origin, zone, external_id, left_out)
    if left_out:
        return
    done = found.performed_date_time or (found.performed_period.start if found.performed_period else None)
    visit_on = clean.local_day(done, "performed", zone)
    codes = {(system, code): name for system, code, name in codings(found.code)}
    if not codes or visit_on is None:
        raise Rejected("It has no day" if codes else "It has no code")
    for (system, code), name in codes.items():
        yield StagedService(system, code, name, visit_on)


def episode(found: EpisodeOfCare, origin: Origin, zone: ZoneInfo, external_id: str) -> Iterator[Staged]:
    is_active, left_out = meaning(found.status, EPISODE_STATUS)
    key = f"EpisodeOfCare/{external_id}"
    accounts = (key_of(account, ("Account",)) for account in found.account or ())
    yield StagedCase(
        *origin,
        changed_at(found.meta, zone),
        "EpisodeOfCare",
        key,
        _patient(patient_key(found.patient), left_out),
        left_out,
        is_active,
        own_field(found.extension, "case_type") or names.concept(*(found.type or ())),
        *_own(found),
        *_days(found.period, zone),
        next(filter(None, accounts), ""),
    )
    for diagnosis in found.diagnosis or () if not left_out else ():
        if of := key_of(diagnosis.condition, ("Condition",)):
            yield StagedCaseDiagnosis(key, of)


def account(found: Account, origin: Origin, zone: ZoneInfo, external_id: str) -> Iterator[Staged]:
    """An account is a case where it is of a kind of the practice's own, not just money owed."""
    is_active, left_out = meaning(found.status, ACCOUNT_STATUS)
    own_type = own_field(found.extension, "case_type")
    if not left_out and not own_type and (found.type is None or first_code(found.type) in PLAIN_ACCOUNTS):
        left_out = "It is an account for money and no case"
    yield StagedCase(
        *origin,
        changed_at(found.meta, zone),
        "Account",
        f"Account/{external_id}",
        _patient(patient_key(*(found.subject or ())), left_out),
        left_out,
        is_active,
        own_type or names.concept(found.type),
        *_own(found),
        *_days(found.service_period, zone),
        "",
    )


def _patient(key: str, left_out: str) -> str:
    if not key and not left_out:
        raise Rejected("It names no patient")
    return key


def _own(found: EpisodeOfCare | Account) -> tuple[str, str, str]:
    return (
        own_field(found.extension, "attorney"),
        own_field(found.extension, "care_package"),
        own_field(found.extension, "fee_schedule"),
    )


def _days(period: Period | None, zone: ZoneInfo) -> tuple[date | None, date | None]:
    if period is None:
        return None, None
    return clean.local_day(period.start, "period.start", zone), clean.local_day(period.end, "period.end", zone)
