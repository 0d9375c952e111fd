"""What bulk exports leave out, asked for one page after the other: what changed after a moment, by `_lastUpdated`."""

import datetime as dt
import os
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urljoin

import msgspec

from audience.ehr.live.server import Answer, Server, problem
from audience.ehr.live.trouble import Refused

# Records on a page; servers may give fewer.
_PAGE = 200
# A server that always has one more page is going in circles.
_MOST_PAGES = 200_000
# How much is asked for again where the server's own clock is all there is to go by.
_OVERLAP = dt.timedelta(minutes=5)


class _Link(msgspec.Struct):
    relation: str
    url: str


class _Search(msgspec.Struct):
    mode: str = "match"


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")
    search: _Search | None = None


class _Page(msgspec.Struct):
    resource_type: str = msgspec.field(name="resourceType")
    link: list[_Link] = []
    entry: list[_Entry] = []


def poll(
    server: Server, kinds: list[str], since: str, folder: Path, tell: Callable[[str, int, int], None]
) -> dt.datetime | None:
    """One file of each type in `folder`; a moment before which nothing was missed, None when nothing was asked."""
    if missing := [kind for kind in kinds if kind not in server.granted()]:
        raise Refused(f"The EHR does not allow us to read {', '.join(missing)}")
    began = None
    for number, kind in enumerate(kinds):
        tell(kind, number, len(kinds))
        target = folder / f"polled.{kind}.ndjson"
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        with part.open("wb") as out:
            for answer, page in _pages(server, kind, since):
                began = began or _moment(answer) - _OVERLAP
                for entry in page.entry:
                    if bytes(entry.resource) not in (b"", b"null") and (entry.search or _Search()).mode != "outcome":
                        # Pages may be set over many lines; a file has one a record.
                        out.write(msgspec.json.format(bytes(entry.resource), indent=-1) + b"\n")
        os.replace(part, target)
    return began


def _pages(server: Server, kind: str, since: str):
    params = {"_count": str(_PAGE)} | ({"_lastUpdated": f"gt{since}"} if since else {})
    answer = server.get(kind, params)
    seen: set[str] = set()
    while True:
        page = _page(answer, server.base, kind)
        yield answer, page
        following = next((link.url for link in page.link if link.relation == "next"), "")
        if not following:
            return
        if following in seen or len(seen) >= _MOST_PAGES:
            raise Refused(f"The EHR's pages of {kind} go in circles")
        seen.add(following)
        answer = server.get(urljoin(server.base, following))


def _page(answer: Answer, base: str, kind: str) -> _Page:
    if answer.status != 200:
        raise Refused(problem(answer, base, f"asked for {kind}"))
    try:
        page = msgspec.json.decode(answer.body, type=_Page)
    except msgspec.MsgspecError:
        page = None
    if page is None or page.resource_type != "Bundle":
        raise Refused(f"The EHR answers a search for {kind} with something else than a Bundle")
    return page


def _moment(answer: Answer) -> dt.datetime:
    """The server's time when it answered."""
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(dt.UTC)
    except ValueError:
        return dt.datetime.fromtimestamp(time.time(), dt.UTC)
