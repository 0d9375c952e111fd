"""A row of the patients' file as the records that are staged."""

from collections.abc import Iterator

from audience.ehr import clean
from audience.ehr.csv import values
from audience.ehr.csv.care import MADE, covered, diagnosed, identified
from audience.ehr.csv.cells import Cells
from audience.ehr.csv.words import ACTIVE, NO, YES, said_yes
from audience.ehr.records import Origin, Rejected, Staged, StagedCase, StagedPatient
from audience.ehr.words import SEX, InactiveReason


def patient(row: Cells, origin: Origin) -> Iterator[Staged]:
    external_id = identified(row)
    first, preferred, last = _name(row)
    land = clean.country(row["country"])
    cell, home, work = _phones(row, land if len(land) == 2 else "US")
    reason = _inactive_reason(row)
    changed_at = row.changed_at()
    yield StagedPatient(
        *origin,
        changed_at,
        external_id,
        first,
        preferred,
        last,
        values.birthday(row["birth_date"], row.ways),
        SEX.get(row["sex"].strip().lower(), "unknown"),
        cell,
        home,
        work,
        next(iter(clean.emails(row["email"])), ""),
        row.words("address"),
        clean.printable(row["city"], 80),
        clean.state(row["state"], land),
        clean.postal_code(row["postal_code"], land),
        land,
        not reason,
        reason,
        "",
        row.words("provider"),
        row.words("attorney"),
        row.words("care_package"),
        row.words("fee_schedule"),
        row.words("referral_source"),
        _marketing_ok(row),
    )
    if row.has("case_type"):
        case_type = row.words("case_type")
        yield StagedCase(
            *origin,
            changed_at,
            "Case",
            f"Case/{MADE}{external_id}",
            external_id,
            "" if case_type else "It has no case type",
            not reason,
            case_type,
            "",
            "",
            "",
            None,
            None,
            "",
        )
    yield from covered(row, origin, external_id, external_id)
    yield from diagnosed(row, origin, external_id, external_id)


def _name(row: Cells) -> tuple[str, str, str]:
    first = clean.text(row["first_name"], "The first name", 100)
    preferred = clean.text(row["preferred_name"], "The preferred name", 100)
    last = clean.text(row["last_name"], "The last name", 100)
    if not first and not last and row["name"].strip():
        first, called, last = values.whole_name(row["name"])
        preferred = preferred or called
    if not first and not last:
        raise Rejected("The patient has no name")
    return first or preferred, preferred if preferred != first else "", last


def _phones(row: Cells, region: str) -> tuple[str, str, str]:
    """Cell, home and work number. Only what the system calls a cell is one; without extension and not toll-free."""
    cell, home, work = "", "", ""
    for number, may_be_texted in clean.phones(row["cell"], region):
        if may_be_texted:
            cell = cell or number
        else:
            work = work or number
    for number, _ in clean.phones(row["home_phone"], region):
        home = home or number
    for number, _ in clean.phones(row["work_phone"], region):
        work = work or number
    if row["phone"]:
        for sort, number in values.phones(row["phone"], region):
            if sort == "cell":
                cell = cell or number
            elif sort == "work":
                work = work or number
            else:
                home = home or number
    return cell, home, work


def _inactive_reason(row: Cells) -> str:
    """Why a patient is not active; empty for an active one."""
    if _died(row["deceased"], row):
        return InactiveReason.DECEASED
    status = row.meaning("status") if row.has("status") else ACTIVE
    if status == ACTIVE and row.has("is_inactive") and row.meaning("is_inactive") == YES:
        return InactiveReason.INACTIVE
    return "" if status == ACTIVE else status


def _died(said: str, row: Cells) -> bool:
    """From a yes or a no, or from a date."""
    yes = said_yes(said)
    if yes is not None:
        return yes
    return values.day(said, "The date of death", row.ways) is not None


def _marketing_ok(row: Cells) -> bool | None:
    """The marketing flag, whichever way round the system asks; None where it says nothing. A refusal outranks a yes."""
    said = []
    if row["marketing_ok"].strip():
        said.append(row.meaning("marketing_ok") == YES)
    if row["no_marketing"].strip():
        said.append(row.meaning("no_marketing") == NO)
    return all(said) if said else None
