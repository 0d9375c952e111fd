"""Making, changing and ending connections to EHRs, each recorded. Within the practice; nothing outside is spoken to."""

import datetime as dt
import re
from typing import Any

from django.db.models import Count

from audience.ehr.csv import mapping
from audience.ehr.live import sync, tryout
from audience.ehr.live.keys import give_key
from audience.ehr.live.trouble import Refused
from audience.models import EhrConnection, EhrSync, EhrTest, Patient
from trackstat.tenancy import audit

# What decides where the records are: another value of these, and the next run asks for everything.
_WHERE = {"base_url", "export_level", "group_id", "folder"}


def make(connection: EhrConnection, goes_on_with: str = "") -> EhrConnection:
    """Saves a new connection, with a key where it signs in by one. It fetches by itself only once switched on.

    `goes_on_with`: the source of patients who are here already and came from this very EHR.
    """
    connection.source = goes_on_with or _free_source(connection.name)
    connection.is_active = False
    if connection.kind == EhrConnection.Kind.FHIR:
        give_key(connection)
    connection.save()
    audit.record("ehr.connected", connection, source=connection.source)
    return connection


def change(connection: EhrConnection, fields: list[str]) -> None:
    """Saves the `fields` that were changed. Raises Refused where a run under way depends on them."""
    if not fields:
        return
    if set(fields) - {"name", "every_minutes"}:
        _lock_at_rest(connection, "Change it when the run is over")
    if "algorithm" in fields:
        give_key(connection)
        fields = [*fields, "key_id", "encrypted_private_key"]
    if "every_minutes" in fields:
        connection.next_at = _next(connection)
        fields = [*fields, "next_at"]
    if _WHERE & set(fields):
        connection.marker = ""
        fields = [*fields, "marker"]
    connection.save(update_fields=fields)
    audit.record("ehr.changed", connection, fields=sorted(fields))


def map_columns(connection: EhrConnection, said: dict[str, Any]) -> None:
    """How its CSV files are read from now on; {} = by their usual headings. Raises mapping.Wrong and Refused."""
    _lock_at_rest(connection, "Change the columns when the run is over")
    mapping.save(connection, said)
    audit.record("ehr.columns_mapped", connection, files=sorted(said.get("files", {})))


def new_key(connection: EhrConnection) -> None:
    _lock_at_rest(connection, "Make a new key when the run is over")
    give_key(connection)
    connection.save(update_fields=["key_id", "encrypted_private_key"])
    audit.record("ehr.key_made", connection)


def switch(connection: EhrConnection, *, on: bool) -> None:
    """Whether it fetches by itself. A run under way goes on."""
    if connection.is_active == on:
        return
    connection.is_active, connection.next_at = on, None
    connection.save(update_fields=["is_active", "next_at"])
    audit.record("ehr.switched_on" if on else "ehr.switched_off", connection)


def run(connection: EhrConnection, *, from_start: bool) -> tuple[EhrSync, bool]:
    """A run to be worked on at once, and whether it is a new one. Raises Refused, see `sync.ask`."""
    known = EhrSync.objects.filter(connection=connection, finished_at=None).values_list("pk", flat=True).first()
    asked = sync.ask(connection, from_start=from_start)
    is_new = asked.pk != known
    if is_new:
        audit.record("ehr.run", connection, sync=asked.pk, from_start=from_start)
    return asked, is_new


def stop(connection: EhrConnection) -> EhrSync | None:
    """Ends the run under way, if there is one. Raises Refused while a worker is at it."""
    stopped = sync.stop(connection)
    if stopped:
        audit.record("ehr.run_stopped", connection, sync=stopped.pk)
    return stopped


def test(connection: EhrConnection) -> EhrTest:
    asked = tryout.ask(connection)
    audit.record("ehr.tested", connection, test=asked.pk)
    return asked


def remove(connection: EhrConnection) -> int:
    """Ends a connection and forgets its runs; the number of patients it brought, who stay. Raises Refused."""
    _lock_at_rest(connection, "Remove it when the run is over")
    patients = Patient.objects.filter(source=connection.source).count()
    audit.record("ehr.disconnected", connection, source=connection.source, patients=patients)
    connection.delete()
    return patients


def left_behind() -> dict[str, int]:
    """Patients whose connection is not there (any more), or who came by `bin/manage ehr_import`: how many by source."""
    found = Patient.objects.exclude(source__in=EhrConnection.objects.values("source"))
    return dict(found.order_by("source").values_list("source").annotate(Count("pk")))


def _next(connection: EhrConnection) -> dt.datetime | None:
    """By the schedule, counted from the last success; None is now, or never."""
    if not connection.every_minutes or not connection.last_ended_at:
        return None
    return connection.last_ended_at + dt.timedelta(minutes=connection.every_minutes)


def _lock_at_rest(connection: EhrConnection, otherwise: str) -> None:
    EhrConnection.objects.select_for_update().get(pk=connection.pk)
    if EhrSync.objects.filter(connection=connection, finished_at=None).exists():
        raise Refused(f"A run is under way. {otherwise}")


def _free_source(name: str) -> str:
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:30] or "ehr"
    taken = set(EhrConnection.objects.values_list("source", flat=True)) | set(left_behind())
    return next(free for free in (word, *(f"{word}-{n}" for n in range(2, 10_000))) if free not in taken)
