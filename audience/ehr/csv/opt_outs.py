"""A row of a list of opt-outs as the records that are staged."""

import datetime as dt
from collections.abc import Iterator

from audience.ehr import clean
from audience.ehr.csv import values
from audience.ehr.csv.cells import Cells
from audience.ehr.csv.words import BOTH
from audience.ehr.records import Origin, Rejected, Staged, StagedOptOut
from audience.models import Channel


def opt_out(row: Cells, origin: Origin) -> Iterator[Staged]:
    """One record for each number and mailbox; of a patient without either in the row, one for each channel."""
    at, is_dated = _date(row)
    purpose = row.meaning("scope")
    patient = clean.text(row["patient"], "The patient id", 120)
    note = clean.printable(row["note"], 300)
    addresses = {
        Channel.TEXT.value: [number for _, number in values.phones(row["phone"])] if row["phone"] else [],
        Channel.EMAIL.value: clean.emails(row["email"]),
    }
    said = row.meaning("channel") if row["channel"].strip() else ""
    given = [channel for channel, found in addresses.items() if found]
    channels = list(addresses) if said == BOTH else [said] if said else given or list(addresses)
    if not patient:
        if not given:
            raise Rejected("It has no phone number, no email address and no patient id that can be read")
        channels = [channel for channel in channels if channel in given]
        if not channels:
            raise Rejected("It has no address for the channel that it names")
    for channel in channels:
        for address in addresses[channel] or [""]:
            yield StagedOptOut(*origin, patient, channel, address, purpose, at, is_dated, note)


def _date(row: Cells) -> tuple[dt.datetime, bool]:
    """When the patient opted out, and whether the row says so; else the file's own date."""
    said = row["opted_out_at"]
    on = values.day(said, "The date", row.ways)
    if on is None:
        return row.file_date, False
    if on > row.ways.on:
        raise Rejected("The date is still to come")
    try:
        at = values.moment(said, "", "The date", row.ways)
    except Rejected:
        at = None
    return at or dt.datetime.combine(on, dt.time(), row.ways.zone).astimezone(dt.UTC), True
