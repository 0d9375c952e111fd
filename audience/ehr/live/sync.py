"""One sync from beginning to end, over as many calls as it takes.

1. Ask for an export of what changed since the last sync, and remember where its status stands.
2. Wait for it; what takes long is left to a later call.
3. Fetch its files, then what exports leave out, into a folder of our own. Files that are whole are not fetched again.
4. Import the folder.
5. Only now: remember from where the next sync asks. Then tell the server that the export can go, and empty the folder.

A call may be killed anywhere: the row says where it was, the next call goes on, and importing twice changes nothing.
No transaction is open while anything outside is spoken to.
"""

import datetime as dt
import logging
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from django.db import connection as database

from audience.ehr.clean import printable
from audience.ehr.fhir.folder import Folder
from audience.ehr.live import bulk, places
from audience.ehr.live.download import Download, empty
from audience.ehr.live.locks import lock
from audience.ehr.live.poll import poll
from audience.ehr.live.server import Server
from audience.ehr.live.trouble import Expired, Gone, Later, Patience, Refused
from audience.ehr.reading import Progress, Report
from audience.ehr.run import AlreadyRunning, import_export
from audience.models import EhrConnection, EhrSync
from trackstat import clock
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

log = logging.getLogger(__name__)

# Times in a row that something may not work before a sync is given up, and the seconds before each next time.
TRIES = 6
_STAY_AWAY = 300
# An export that is not there after so long will never be.
LONGEST = dt.timedelta(hours=24)
# Times in a row that an export may be gone or its links have expired before one more file was fetched.
_FRUITLESS = 3
# Seconds between two notes of progress.
_NOTE_EVERY = 1.0
# What the EHR cannot export at all is no reason to ask for the rest again and again.
_HARMLESS = {"not-supported", "informational"}


def ask(connection: EhrConnection, *, from_start: bool = False) -> EhrSync:
    """A sync of the connection (the one under way, if there is one), to be worked on at once. Within the practice.

    `from_start`: of everything, not only of what has changed since the last one. Raises Refused while one is at work
    that does not begin there.
    """
    EhrConnection.objects.select_for_update().get(pk=connection.pk)
    if from_start and not EhrSync.objects.filter(connection=connection, finished_at=None, since="").exists():
        _forget(connection)
    sync, made = EhrSync.objects.get_or_create(
        connection=connection, finished_at=None, defaults={"since": connection.marker}
    )
    if not made:
        sync.next_at = clock.now()
        sync.save(update_fields=["next_at"])
    return sync


def _forget(connection: EhrConnection) -> None:
    with _alone(connection) as mine:
        if not mine:
            raise Refused("A sync is at work: wait until it is over")
        connection.marker = ""
        connection.save(update_fields=["marker"])
        for old in EhrSync.objects.filter(connection=connection, finished_at=None):
            _end(old, EhrSync.State.FAILED, problem="Begun again from the start")


def stop(connection: EhrConnection) -> EhrSync | None:
    """Ends the sync under way; None when there is none. Within the practice. Raises Refused while one is at work."""
    with _alone(connection) as mine:
        if not mine:
            raise Refused("It is at work at this moment: a run can be stopped while it waits for the EHR")
        found = EhrSync.objects.filter(connection=connection, finished_at=None).first()
        if found:
            _end(found, EhrSync.State.FAILED, problem="Stopped by hand")
        return found


def tidy_up(practice: Practice, sync_id: int) -> None:
    """After `stop`: what was fetched already is thrown away, and the server told that the export can go."""
    with practice_scope(practice):
        found = EhrSync.objects.select_related("connection").filter(pk=sync_id).first()
    if found:
        with _alone(found.connection) as mine:
            if mine:
                _Sync(practice, found, Patience(0), lambda progress: None).throw_away()


def _alone(connection: EhrConnection) -> AbstractContextManager[bool]:
    return lock(f"ehr sync {connection.practice_id} {connection.pk}")


def work(practice: Practice, connection_id: int, patience: Patience, report: Report | None = None) -> EhrSync | None:
    """Takes what is due of a connection as far as it goes; None when nothing is due, or another process is at it."""
    with practice_scope(practice):
        connection = EhrConnection.objects.get(pk=connection_id)
    with _alone(connection) as mine:
        sync = _due(practice, connection) if mine else None
        if sync:
            _Sync(practice, sync, patience, report or (lambda progress: None)).work()
        return sync


def _due(practice: Practice, connection: EhrConnection) -> EhrSync | None:
    with practice_scope(practice):
        connection.refresh_from_db()
        now = clock.now()
        sync = EhrSync.objects.select_related("connection").filter(connection=connection, finished_at=None).first()
        if sync is None and connection.is_due(now):
            sync = ask(connection)
        return sync if sync and sync.next_at <= now else None


class _Sync:
    def __init__(self, practice: Practice, sync: EhrSync, patience: Patience, report: Report):
        self.practice, self.sync, self.connection = practice, sync, sync.connection
        self._patience, self._report = patience, report
        self._noted = 0.0
        self._step, self._step_began = "", 0.0

    def work(self) -> None:
        try:
            if self.connection.kind == EhrConnection.Kind.FHIR:
                self._read_server()
            else:
                self._read_folder()
        except Later as later:
            self._put_off(later)
        except Refused as refusal:
            self._give_up(str(refusal))
        except Exception as error:
            log.exception("Sync %s of practice %s stopped", self.sync.pk, self.practice.pk)
            if not database.is_usable():
                raise
            self._put_off(Later(_STAY_AWAY, f"Stopped by {type(error).__name__}"))

    def _read_folder(self) -> None:
        folder = places.drop_folder(self.practice, self.connection)
        marker = places.fingerprint(self.connection, folder)
        if marker == self.sync.since:
            is_known = self.connection.state == EhrConnection.State.WORKING
            self._succeed(marker, self.connection.problem if is_known else "")
        else:
            self._succeed(marker, " ".join(self._import(folder)))

    def _read_server(self) -> None:
        server = Server(self.connection, self._patience)
        folder = places.work_folder(self.practice, self.connection)
        if self.connection.export_level == EhrConnection.Level.NONE:
            empty(folder)
            exported: set[str] = set()
            marker = ""
        else:
            download = self._export(server, folder)
            exported = {file.type for file in download.manifest.output}
            marker = download.manifest.transaction_time
            left_out = download.errors()
            self._save(left_out=dict(left_out), size=download.size)
            if set(left_out) - _HARMLESS:
                # Read again from the same moment: what could not be exported now would be missed for good.
                marker = self.sync.since
        kinds = [kind for kind in self.connection.polled_types if kind not in exported]
        self._save(state=EhrSync.State.FETCHING)
        polled = poll(server, kinds, self.sync.since, folder, self._tell)
        if self.connection.export_level == EhrConnection.Level.NONE:
            marker = f"{polled:%Y-%m-%dT%H:%M:%SZ}" if polled else ""
        if any(file.stat().st_size for file in Folder(folder).files):
            self._import(folder)
        self._succeed(marker)
        self._tidy_up(server, folder)

    def _export(self, server: Server, folder: Path) -> Download:
        """The export, fetched. Links that expire on the way are asked for again."""
        fruitless, whole = 0, 0
        while True:
            try:
                if not self.sync.status_url:
                    self._save(state=EhrSync.State.ASKING)
                    self._save(status_url=bulk.begin(server, self.sync.since), state=EhrSync.State.WAITING)
                manifest = bulk.wait_for(server, self.sync.status_url)
                download = Download(server, folder, self.sync.status_url, manifest, self._tell)
                files = len(manifest.output) + len(manifest.deleted)
                self._save(state=EhrSync.State.FETCHING, marker=manifest.transaction_time, files=files)
                download.fetch()
                return download
            except Gone as gone:
                self._save(status_url="")
                words = str(gone)
            except Expired as expired:
                words = str(expired)
                if download.whole > whole:
                    fruitless, whole = 0, download.whole
            fruitless += 1
            if fruitless > _FRUITLESS:
                raise Later(_STAY_AWAY, words)
            server.patience.wait(1, words)

    def _import(self, folder: Path) -> list[str]:
        """Answers with what the reader was in doubt about."""
        self._save(state=EhrSync.State.IMPORTING, progress={})
        reader = places.reader(self.connection, folder)
        is_snapshot = self.connection.kind != EhrConnection.Kind.FHIR and self.connection.is_snapshot
        try:
            run = import_export(
                self.practice, reader, self.connection.source, self._tell_import, is_snapshot=is_snapshot
            )
        except AlreadyRunning as running:
            raise Later(60, str(running), in_order=True) from None
        self._save(import_run=run)
        return list(getattr(reader, "notes", ()))

    def _succeed(self, marker: str, doubts: str = "") -> None:
        with practice_scope(self.practice):
            now = clock.now()
            _end(self.sync, EhrSync.State.DONE, marker=marker, tries=0)
            self._settle(
                marker=marker,
                last_began_at=self.sync.started_at,
                last_ended_at=now,
                state=EhrConnection.State.WORKING,
                problem=printable(doubts or self._left_out(), 500),
            )

    def _left_out(self) -> str:
        if not set(self.sync.left_out) - _HARMLESS:
            return ""
        codes = ", ".join(f"{code} ({number})" for code, number in sorted(self.sync.left_out.items()))
        return f"The EHR could not export everything: {codes}"[:500]

    def _put_off(self, later: Later) -> None:
        tries = 0 if later.in_order else self.sync.tries + 1
        with practice_scope(self.practice):
            now = clock.now()
            too_long = now - self.sync.started_at > LONGEST
        if tries >= TRIES or too_long:
            self._give_up(later.words)
            return
        seconds = later.seconds if later.in_order else max(later.seconds, _STAY_AWAY if tries > 1 else 0)
        words = "" if later.in_order else later.words
        self._save(next_at=now + dt.timedelta(seconds=seconds), tries=tries, problem=printable(words, 500))

    def _give_up(self, words: str) -> None:
        words = printable(words, 500)
        with practice_scope(self.practice):
            _end(self.sync, EhrSync.State.FAILED, problem=words)
            self._settle(state=EhrConnection.State.FAILING, problem=words)
        self.throw_away()

    def throw_away(self) -> None:
        if self.connection.kind == EhrConnection.Kind.FHIR:
            try:
                server = Server(self.connection, Patience(0))
                folder = places.work_folder(self.practice, self.connection)
            except Refused:
                return
            self._tidy_up(server, folder)

    def _settle(self, **fields: Any) -> None:
        """Within the practice: what the connection remembers of a sync that is over."""
        every = self.connection.every_minutes
        fields["next_at"] = clock.now() + dt.timedelta(minutes=every) if every else None
        EhrConnection.objects.filter(pk=self.connection.pk).update(**fields)
        for name, value in fields.items():
            setattr(self.connection, name, value)

    def _tidy_up(self, server: Server, folder: Path) -> None:
        """Nothing depends on it: an export that stays is forgotten by the server some day."""
        shutil.rmtree(folder, ignore_errors=True)
        if self.sync.status_url:
            try:
                server.delete(self.sync.status_url)
            except (Later, Refused) as trouble:
                log.info("The export of sync %s could not be taken back: %s", self.sync.pk, trouble)

    def _tell(self, words: str, done: int, total: int) -> None:
        self._note("Fetching", words, done, total)

    def _tell_import(self, progress: Progress) -> None:
        self._note(progress.step, "", progress.done, progress.total, progress)

    def _note(self, step: str, words: str, done: int, total: int, progress: Progress | None = None) -> None:
        self._report(progress or Progress(step, done, total, 0))
        now = clock.real_now().timestamp()
        if step != self._step:
            self._step, self._step_began = step, now
        if now - self._noted >= _NOTE_EVERY:
            self._noted = now
            seconds = round(now - self._step_began, 1)
            records = progress.records if progress else 0
            self._save(
                progress={
                    "step": step, "words": words, "done": done, "total": total, "records": records, "seconds": seconds,
                }
            )  # fmt: skip

    def _save(self, **fields: Any) -> None:
        with practice_scope(self.practice):
            for name, value in fields.items():
                setattr(self.sync, name, value)
            self.sync.save(update_fields=list(fields))


def _end(sync: EhrSync, state: str, **fields: Any) -> None:
    for name, value in (fields | {"state": state, "finished_at": clock.now()}).items():
        setattr(sync, name, value)
    sync.save(update_fields=[*fields, "state", "finished_at"])
