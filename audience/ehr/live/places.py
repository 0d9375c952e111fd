"""The folders on this machine: where an EHR drops its exports, and where downloads lie until they are imported."""

import hashlib
import os
import tempfile
import time
from pathlib import Path

from django.conf import settings

from audience.ehr.fhir.folder import Folder
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


def fingerprint(folder: Path) -> str:
    """The same as long as no file is changed, added or taken away. Raises Later while one may still be written."""
    seen = hashlib.sha256()
    now = time.time()
    for file in Folder(folder).files:
        try:
            about = file.stat()
        except FileNotFoundError:
            raise Later(SETTLED, "Files are still being written", in_order=True) from None
        if 0 <= now - about.st_mtime < SETTLED:
            raise Later(SETTLED, "Files are still being written", in_order=True)
        seen.update(f"{file.relative_to(folder)}\0{about.st_size}\0{about.st_mtime_ns}\n".encode(errors="replace"))
    return seen.hexdigest()
