"""The folders on this machine: where an EHR drops its exports, and where downloads lie until they are imported."""

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path

from django.conf import settings

from audience.ehr.csv.mapping import Wrong
from audience.ehr.csv.read import DropReader
from audience.ehr.csv.sheets import files_in
from audience.ehr.fhir.folder import Folder
from audience.ehr.fhir.read import FolderReader
from audience.ehr.live.trouble import Later, Refused
from audience.models import EhrConnection
from trackstat.tenancy.models import Practice

# Seconds for which nothing may have been written, or a file may still be on its way.
SETTLED = 60


def work_folder(practice: Practice, connection: EhrConnection) -> Path:
    """Where this connection's download lies, readable by nobody else. Need not exist yet."""
    root = Path(settings.EHR_WORK_FOLDER or Path(tempfile.gettempdir()) / f"trackstat-ehr-{os.getuid()}")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = root.lstat()
    if root.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Refused(f"{root} can be read by others on this machine: patients' data are not put there")
    return root / f"{practice.pk}-{connection.pk}"


def drop_folder(practice: Practice, connection: EhrConnection) -> Path:
    """The folder of a connection, always below the practice's own."""
    if not settings.EHR_DROP_FOLDER:
        raise Refused("No drop folder is set up on this installation (EHR_DROP_FOLDER)")
    own = (Path(settings.EHR_DROP_FOLDER) / practice.slug).resolve()
    found = (own / connection.folder).resolve()
    if not found.is_relative_to(own):
        raise Refused("The folder lies outside of the practice's drop folder")
    if not found.is_dir():
        raise Refused(f"There is no folder {practice.slug}/{connection.folder} in the drop folder")
    return found


def reader(connection: EhrConnection, folder: Path) -> FolderReader | DropReader:
    """What reads the files of a connection. Raises Refused where its column mapping cannot be used."""
    if connection.kind != EhrConnection.Kind.CSV:
        return FolderReader(Folder(folder))
    try:
        return DropReader(folder, connection.mapping, is_snapshot=connection.is_snapshot)
    except Wrong as wrong:
        raise Refused(f"The column mapping cannot be used. {wrong}") from None


def fingerprint(connection: EhrConnection, folder: Path) -> str:
    """The same as long as no file is changed, added or taken away, and they are read in the same way.

    Raises Later while a file may still be written.
    """
    is_csv = connection.kind == EhrConnection.Kind.CSV
    how = json.dumps([connection.mapping, connection.is_snapshot], sort_keys=True) if is_csv else ""
    seen = hashlib.sha256(how.encode())
    now = time.time()
    for file in files_in(folder) if is_csv else Folder(folder).files:
        try:
            about = file.stat()
        except FileNotFoundError:
            raise Later(SETTLED, "Files are still being written", in_order=True) from None
        if 0 <= now - about.st_mtime < SETTLED:
            raise Later(SETTLED, "Files are still being written", in_order=True)
        seen.update(f"{file.relative_to(folder)}\0{about.st_size}\0{about.st_mtime_ns}\n".encode(errors="replace"))
    return seen.hexdigest()
