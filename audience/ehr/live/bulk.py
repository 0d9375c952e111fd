"""Bulk Data `$export` (1.0 and 2.0): asking for it, waiting until it is there, reading what files it has."""

from typing import NamedTuple
from urllib.parse import quote, urljoin

import msgspec
from django.utils.dateparse import parse_datetime

from audience.ehr.clean import printable
from audience.ehr.live.server import TYPES, Answer, Server, problem, retry_after
from audience.ehr.live.trouble import Gone, Refused
from audience.models import EhrConnection

_RESPOND_LATER = "respond-async"
# Seconds between two looks where the server does not say: it doubles up to the last.
_FIRST_LOOK, _LAST_LOOK = 2.0, 60.0
# However soon a server wants to be asked again.
_SOONEST_LOOK = 0.2
# More than a manifest of this many files is a mistake.
_MOST_FILES = 100_000


class File(msgspec.Struct):
    """`type`: of the resources in it. `count`: how many, where the server says."""

    type: str
    url: str
    count: int | None = None


class Manifest(msgspec.Struct, rename="camel"):
    transaction_time: str
    requires_access_token: bool
    output: list[File]
    deleted: list[File] = []
    error: list[File] = []


class Ready(NamedTuple):
    manifest: Manifest


class NotReady(NamedTuple):
    """`said`: how far the server says it is. `seconds` to wait; None where it does not say."""

    said: str
    seconds: float | None


def begin(server: Server, since: str, kinds: tuple[str, ...] = TYPES) -> str:
    """Asks for an export of what changed after `since` ('' = everything); where its status stands."""
    connection = server.connection
    granted = [kind for kind in kinds if kind in server.granted()]
    if not granted:
        raise Refused("The EHR allows us to read nothing that is used here")
    params = {"_outputFormat": "application/fhir+ndjson", "_type": ",".join(granted)}
    where = {
        EhrConnection.Level.GROUP: f"Group/{quote(connection.group_id, safe='')}/$export",
        EhrConnection.Level.PATIENT: "Patient/$export",
        EhrConnection.Level.SYSTEM: "$export",
    }[EhrConnection.Level(connection.export_level)]
    answer = server.get(where, params | ({"_since": since} if since else {}), prefer=_RESPOND_LATER)
    status_url = answer.headers.get("Content-Location", "")
    if answer.status != 202 or not status_url:
        raise Refused(problem(answer, server.base, "asked for an export"))
    return urljoin(server.base, status_url)


def look(server: Server, status_url: str) -> Ready | NotReady:
    """How far the export is. Raises Gone where the server does not know it any more."""
    answer = server.status(status_url)
    match answer.status:
        case 202:
            return NotReady(printable(answer.headers.get("X-Progress", ""), 100), retry_after(answer.headers))
        case 200:
            return Ready(_manifest(answer))
        case 404 | 410:
            raise Gone("The EHR does not know the export any more")
    raise Refused(problem(answer, status_url, "asked how far the export is"))


def wait_for(server: Server, status_url: str) -> Manifest:
    """The manifest; raises Later when that takes longer than there is patience."""
    pause = _FIRST_LOOK
    while isinstance(found := look(server, status_url), NotReady):
        wait = pause if found.seconds is None else max(found.seconds, _SOONEST_LOOK)
        words = "The EHR is preparing the export" + (f": {found.said}" if found.said else "")
        server.patience.wait(wait, words, in_order=True)
        pause = min(pause * 2, _LAST_LOOK)
    return found.manifest


def _manifest(answer: Answer) -> Manifest:
    try:
        found = msgspec.json.decode(answer.body, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Refused(f"The EHR's list of files cannot be read: {error}") from None
    if not _is_moment(found.transaction_time):
        raise Refused("The EHR's list of files does not say of which moment it is")
    if len(found.output) + len(found.deleted) + len(found.error) > _MOST_FILES:
        raise Refused(f"The EHR's list has more than {_MOST_FILES:,} files")
    return found


def _is_moment(said: str) -> bool:
    try:
        return len(said) <= 40 and parse_datetime(said) is not None
    except ValueError:
        return False
