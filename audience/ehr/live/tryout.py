"""Trying a connection out: what would come, or what is wrong. Nothing of the practice's patients changes.

A server is asked to sign us in, to take an order for an export (of what changes from now on, so of nothing; it is taken
back at once), and how many patients it has. A server that does not say is asked for an export of the patients alone.
Files are read and compared as an import would, see `audience.ehr.dry_run`.
"""

import logging
from typing import Any

import msgspec

from audience.ehr.clean import printable
from audience.ehr.csv.sheets import files_in
from audience.ehr.dry_run import dry_run_connection
from audience.ehr.fhir.folder import Folder
from audience.ehr.live import bulk, places
from audience.ehr.live.columns import columns
from audience.ehr.live.locks import lock
from audience.ehr.live.server import TYPES, Server, problem
from audience.ehr.live.trouble import Later, Patience, Refused
from audience.ehr.run import AlreadyRunning
from audience.models import EhrConnection, EhrSync, EhrTest
from trackstat import clock
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

log = logging.getLogger(__name__)


class _Bundle(msgspec.Struct):
    resource_type: str = msgspec.field(name="resourceType")
    total: int | None = None


def ask(connection: EhrConnection) -> EhrTest:
    """A test of the connection (the one under way, if there is one). Within the practice."""
    EhrConnection.objects.select_for_update().get(pk=connection.pk)
    test, _ = EhrTest.objects.get_or_create(connection=connection, finished_at=None)
    return test


def work(practice: Practice, test_id: int, patience: Patience) -> None:
    """Does the test and writes down what came out. One that is over, gone or at work elsewhere is left alone."""
    with lock(f"ehr test {practice.pk} {test_id}") as mine:
        if mine:
            _work(practice, test_id, patience)


def _work(practice: Practice, test_id: int, patience: Patience) -> None:
    with practice_scope(practice):
        test = EhrTest.objects.select_related("connection").filter(pk=test_id, finished_at=None).first()
    if test is None:
        return
    try:
        found, words = try_out(practice, test.connection, patience), ""
    except (Later, Refused, AlreadyRunning) as trouble:
        found, words = {}, printable(str(trouble), 500)
    except Exception as error:
        log.exception("Test %s of practice %s stopped", test_id, practice.pk)
        found, words = {}, f"Stopped by {type(error).__name__}"
    with practice_scope(practice):
        EhrTest.objects.filter(pk=test_id, finished_at=None).update(
            state=EhrTest.State.FAILED if words else EhrTest.State.DONE,
            problem=words,
            found=found,
            finished_at=clock.now(),
        )


def try_out(practice: Practice, connection: EhrConnection, patience: Patience) -> dict[str, Any]:
    """What would come. Of a server {"patients": 3412 or None, "not_allowed": […]}; of files {"dry_run": …}, and of CSV
    files also {"files": …}, see `columns`. Raises Later, Refused and AlreadyRunning.
    """
    match connection.kind:
        case EhrConnection.Kind.FHIR:
            return _server(practice, connection, patience)
        case EhrConnection.Kind.CSV:
            folder = places.drop_folder(practice, connection)
            if not files_in(folder):
                raise Refused("There is no file in the folder that is a CSV file (.csv, .tsv, .txt)")
            return columns(folder, connection.mapping) | {"dry_run": dry_run_connection(practice, connection).as_json()}
    if not Folder(places.drop_folder(practice, connection)).files:
        raise Refused("There is no file in the folder that can be read")
    return {"dry_run": dry_run_connection(practice, connection).as_json()}


def _server(practice: Practice, connection: EhrConnection, patience: Patience) -> dict[str, Any]:
    server = Server(connection, patience)
    granted = server.granted()
    if missing := [kind for kind in ("Patient", *connection.polled_types) if kind not in granted]:
        raise Refused(f"The EHR does not allow us to read {', '.join(missing)}")
    if connection.export_level != EhrConnection.Level.NONE and not _is_syncing(practice, connection):
        server.delete(bulk.begin(server, f"{clock.real_now():%Y-%m-%dT%H:%M:%SZ}"))
    return {
        "patients": _patients(server),
        "not_allowed": [kind for kind in TYPES if kind not in granted],
    }


def _is_syncing(practice: Practice, connection: EhrConnection) -> bool:
    """Many servers have one export at a time: a second order would end the first."""
    with practice_scope(practice):
        return EhrSync.objects.filter(connection=connection, finished_at=None).exists()


def _patients(server: Server) -> int | None:
    """How many the EHR has for us; None where it does not say."""
    level = server.connection.export_level
    if level != EhrConnection.Level.GROUP:
        answer = server.get("Patient", {"_summary": "count"})
        if answer.status == 200 and (total := _total(answer.body)) is not None:
            return total
        if level == EhrConnection.Level.NONE:
            if answer.status != 200:
                raise Refused(problem(answer, server.base, "asked for Patient"))
            return None
    return _exported(server)


def _total(body: bytes) -> int | None:
    try:
        return msgspec.json.decode(body, type=_Bundle).total
    except (msgspec.MsgspecError, RecursionError):
        return None


def _exported(server: Server) -> int | None:
    """From the list of files of an export of patients alone, which is not fetched."""
    url = bulk.begin(server, "", ("Patient",))
    try:
        counts = [file.count for file in bulk.wait_for(server, url).output if file.type == "Patient"]
    except Later as later:
        if later.in_order:
            return None
        raise
    finally:
        server.delete(url)
    return None if None in counts else sum(filter(None, counts))
