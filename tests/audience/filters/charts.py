"""Care, money, places and campaigns' messages of generated patients: rows in the database and plain ones."""

import datetime as dt

from audience.models import (
    AppointmentPurpose,
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
    Provider,
    ReferralSource,
    Service,
    ServiceCode,
)
from campaigns.models import Campaign
from messaging.models import Message
from tests.audience.filters.reference import CaseRow, Row, Sent
from tests.factories import ContentFactory, TextIdentityFactory

NAMED = {
    AppointmentPurpose: ["Adjustment", "Massage", "New patient exam"],
    CaseType: ["Auto accident", "Wellness", "Work injury"],
    Attorney: ["Ames & Ames", "Burke"],
    CarePackage: ["12 visits", "Family plan"],
    FeeSchedule: ["Cash", "Medicare"],
    ReferralSource: ["Friend", "Web", "Physician"],
    Provider: ["Dr. Chen", "Dr. Diaz", "Dr. Evans"],
    Insurer: ["Aetna", "Cigna", "Humana"],
}
CODES = {
    ServiceCode: [("cpt", "98940"), ("cpt", "98941"), ("hcpcs", "A4556")],
    DiagnosisCode: [("icd10", "M54.5"), ("icd10", "M54.50"), ("icd10", "M99.01"), ("icd10", "S13.4XXA"), ("own", "m5")],
}
CITIES = ["Boston", "BOSTON", "boston", "Cambridge", "St. Louis", ""]
STATES = ["MA", "MA", "NH", ""]
ZIPS = ["02118", "02118-1234", "02119", "02130", "0213", "10001", "M5V 2T6", ""]
CAMPAIGNS = ["Autumn", "Closed on Monday", "Birthdays"]


def choices() -> dict[type, list[int]]:
    """Makes every choice list; ids by model."""
    made = {}
    for model, names in NAMED.items():
        more = (lambda name: {"external_id": name}) if model in (Provider, Insurer) else lambda name: {}
        made[model] = [model.objects.create(name=name, **more(name)).pk for name in names]
    for model, codes in CODES.items():
        made[model] = [model.objects.create(system=system, code=code, name="Back").pk for system, code in codes]
    made[Campaign] = [Campaign.objects.create(name=name, kind="blast").pk for name in CAMPAIGNS]
    return made


def columns(dice, row: Row, made: dict[type, list[int]]) -> dict:
    """What stands on the patient: into the plain row, and as arguments for Patient."""
    row.city, row.state, row.zip = dice.choice(CITIES), dice.choice(STATES), dice.choice(ZIPS)
    row.has_address = row.has_address and row.city != ""
    for name, model in (
        ("primary_provider", Provider),
        ("referral_source", ReferralSource),
        ("attorney", Attorney),
        ("care_package", CarePackage),
        ("fee_schedule", FeeSchedule),
    ):
        row.own[name] = dice.choice([None, None, *made[model]])
    return {
        **{f"{name}_id": pk for name, pk in row.own.items()},
        "city": row.city,
        "state": row.state,
        "postal_code": row.zip,
    }


def fill(dice, rows: list[Row], patients: list[Patient], made: dict[type, list[int]], now: dt.datetime, tz) -> None:
    today = now.astimezone(tz).date()
    stock: dict[type, list] = {Case: [], Service: [], Diagnosis: [], Coverage: [], Payment: []}
    codes = dict(DiagnosisCode.objects.values_list("pk", "code"))
    for row, patient in zip(rows, patients, strict=True):
        for n in range(dice.choice([0, 1, 1, 2])):
            case = CaseRow(
                case_type=dice.choice([None, *made[CaseType]]),
                is_active=dice.random() < 0.6,
                ends_on=dice.choice([None, None, *_around(today)]),
                attorney=dice.choice([None, *made[Attorney]]),
                care_package=dice.choice([None, *made[CarePackage]]),
                fee_schedule=dice.choice([None, *made[FeeSchedule]]),
            )
            row.cases.append(case)
            given = {f"{name}_id": getattr(case, name) for name in ("attorney", "care_package", "fee_schedule")}
            stock[Case].append(
                _of(
                    Case,
                    patient,
                    n,
                    case_type_id=case.case_type,
                    is_active=case.is_active,
                    ends_on=case.ends_on,
                    **given,
                )
            )
        for n in range(dice.choice([0, 1, 3])):
            code, day = dice.choice(made[ServiceCode]), today - dt.timedelta(days=dice.choice([0, 1, 30, 31, 181, 400]))
            row.services.append((code, day))
            stock[Service].append(_of(Service, patient, n, code_id=code, visit_on=day))
        for n in range(dice.choice([0, 1, 2])):
            pk, is_active = dice.choice(made[DiagnosisCode]), dice.random() < 0.6
            row.diagnoses.append((pk, codes[pk], is_active))
            stock[Diagnosis].append(_of(Diagnosis, patient, n, code_id=pk, is_active=is_active))
        for n in range(dice.choice([0, 1, 2])):
            insurer, is_active = dice.choice(made[Insurer]), dice.random() < 0.7
            ends_on = dice.choice([None, *_around(today)])
            row.covers.append((insurer, is_active, ends_on))
            stock[Coverage].append(_of(Coverage, patient, n, insurer_id=insurer, is_active=is_active, ends_on=ends_on))
        for n in range(dice.choice([0, 1, 2])):
            cents = dice.choice([-1000, 1, 9999, 10000, 10001, 250050, 3_000_000_000])
            row.payments.append(cents)
            stock[Payment].append(_of(Payment, patient, n, payer="patient", amount_cents=cents))
    for model, stored in stock.items():
        model.objects.bulk_create(stored)
    _messages(dice, rows, patients, made[Campaign], now, tz)


def _around(today):
    return [today + dt.timedelta(days=n) for n in (-30, -1, 0, 1)]


def _of(model, patient, n, **given):
    return model(patient=patient, source="test", external_id=f"{model.__name__}/{patient.pk}-{n}", **given)


def _messages(dice, rows, patients, campaigns, now, tz) -> None:
    """Also to records that were merged since: what they got, the patient got."""
    identity, content = TextIdentityFactory(), ContentFactory()
    old = [
        Patient(
            source="test", external_id=f"old{n}", merged_into=patient, status="inactive", inactive_reason="archived"
        )
        for n, patient in enumerate(patients[:12])
    ]
    Patient.everyone.bulk_create(old)
    midnight = dt.datetime.combine(now.astimezone(tz).date(), dt.time(), tz)
    stored = []
    for n, (row, patient) in enumerate(zip(rows, patients, strict=True)):
        for _ in range(dice.choice([0, 1, 2])):
            states = ["sent", "delivered", "unknown", "undelivered", "failed", "pending", "aborted"]
            armed = dice.choice(
                [
                    midnight - dt.timedelta(days=dice.choice([0, 1, 6, 7, 30]), minutes=dice.choice([-1, 0, 1])),
                    now - dt.timedelta(days=dice.choice([1, 29, 31, 400])),
                ]
            )
            # In UTC: within one zone Python adds and subtracts what the clock on the wall says.
            armed = armed.astimezone(dt.UTC)
            sent = Sent(dice.choice([None, *campaigns]), dice.choice(states), armed, None)
            if sent.state in ("pending", "aborted"):
                sent.armed = None
            elif dice.random() < 0.5:
                sent.replied = armed + dt.timedelta(
                    days=dice.choice([0, 1, 3, 7, 8]), minutes=dice.choice([-1, 0, 1, 5])
                )
            row.messages.append(sent)
            aborted = {"state": "aborted", "reason": "expired"} if sent.state == "aborted" else {"state": sent.state}
            stored.append(
                Message(
                    patient=old[n] if n < len(old) and dice.random() < 0.7 else patient,
                    identity=identity,
                    content=content,
                    contact_point=None if sent.state == "aborted" else row.point,
                    channel="text",
                    category="announcement",
                    campaign_id=sent.campaign,
                    due_at=now,
                    next_at=now,
                    not_after=now + dt.timedelta(days=1),
                    armed_at=sent.armed,
                    replied_at=sent.replied,
                    **aborted,
                )
            )
    Message.objects.bulk_create(stored)
