"""How far a run is, as a bar, a rate and the time left; and what came, by kind."""

import datetime as dt
from typing import Any

from audience.ehr import kinds
from audience.models import EhrConnection, EhrSync, ImportRun

_COUNTED = ("read", "new", "changed", "unchanged", "joined", "repeated", "left_out", "rejected", "missing")
# Before that a rate is a guess.
_SECONDS_TO_KNOW = 2.0
_WORDS = {
    EhrSync.State.ASKING: "Asking the EHR",
    EhrSync.State.WAITING: "The EHR is preparing the export",
    EhrSync.State.FETCHING: "Fetching",
    EhrSync.State.IMPORTING: "Reading",
}


def progress_of(sync: EhrSync, connection: EhrConnection, now: dt.datetime) -> dict[str, Any]:
    """`percent` is None where nobody knows how far it is; `rate` in records a second; `left` in seconds."""
    said = sync.progress
    done, total, seconds = said.get("done", 0), said.get("total", 0), said.get("seconds", 0)
    moves = sync.state in (EhrSync.State.FETCHING, EhrSync.State.IMPORTING)
    known = moves and total > 0
    rate = left = None
    if known and seconds >= _SECONDS_TO_KNOW and done:
        rate = round((said.get("records") or 0) / seconds)
        left = (total - done) * seconds / done
    return {
        "words": _words(sync),
        "percent": min(99, 100 * done // total) if known else None,
        "records": said.get("records") or 0,
        "rate": rate,
        "left": left,
        "waits": sync.next_at if sync.next_at > now else None,
        "counts": _so_far(sync, connection),
        "tries": sync.tries,
    }


def _words(sync: EhrSync) -> str:
    said = sync.progress
    if sync.state == EhrSync.State.FETCHING and said.get("words"):
        file = f"file {said['done'] + 1:,} of {said['total']:,}"
        return f"Fetching {kinds.words(said['words']).lower()}, {file}"
    if sync.state == EhrSync.State.IMPORTING and said.get("step"):
        return str(said["step"])
    return _WORDS.get(EhrSync.State(sync.state), "")


def _so_far(sync: EhrSync, connection: EhrConnection) -> dict[str, int]:
    """New and changed records so far, by words; while it is being written down."""
    if sync.state != EhrSync.State.IMPORTING:
        return {}
    running = ImportRun.objects.filter(source=connection.source, state=ImportRun.State.RUNNING)
    run = running.filter(started_at__gte=sync.started_at).order_by("-started_at").first()
    if run is None:
        return {}
    found = {kind: counts.get("new", 0) + counts.get("changed", 0) for kind, counts in run.counts.items()}
    return {kinds.words(kind): n for kind, n in sorted(found.items(), key=lambda one: kinds.place(one[0])) if n}


def by_kind(counts: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """An ImportRun's counts as rows: patients first, and a 0 where nothing was counted."""
    return [
        {"kind": kind, "words": kinds.words(kind)} | {name: found.get(name, 0) for name in _COUNTED}
        for kind, found in sorted(counts.items(), key=lambda one: kinds.place(one[0]))
    ]
