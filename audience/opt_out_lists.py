"""Lists of opt-outs from an earlier system: taken by a page, read in a task, and forgotten but for what they did."""

import base64
import logging
import tempfile
from pathlib import Path

from audience.ehr.clean import printable
from audience.ehr.csv.lists import ListReader, import_opt_outs
from audience.ehr.csv.mapping import Wrong
from audience.ehr.live.locks import lock
from audience.ehr.run import AlreadyRunning
from audience.models import OptOutList
from trackstat import clock
from trackstat.crypto import decrypt, encrypt
from trackstat.tenancy import audit
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

log = logging.getLogger(__name__)

# Bytes: some hundred thousand lines.
LARGEST = 10 * 1024**2


def take(name: str, content: bytes, scope: str, source: str) -> OptOutList:
    """Keeps a list until a worker has read it. Within the practice."""
    taken = OptOutList.objects.create(
        name=printable(name, 200) or "opt-outs.csv",
        scope=scope,
        source=source,
        encrypted_content=encrypt(base64.b64encode(content).decode()),
    )
    audit.record("consent.list_taken", taken, bytes=len(content), scope=scope)
    return taken


def read(practice: Practice, list_id: int) -> None:
    """Into the consent ledger. One that is read already, or is being read elsewhere, is left alone."""
    with lock(f"opt-out list {practice.pk} {list_id}") as mine:
        if mine:
            _read(practice, list_id)


def _read(practice: Practice, list_id: int) -> None:
    with practice_scope(practice):
        found = OptOutList.objects.filter(pk=list_id, finished_at=None).first()
    if found is None:
        return
    run, problem = None, ""
    try:
        with tempfile.TemporaryDirectory(prefix="trackstat-opt-outs-") as folder:
            # Only the owner may look into it.
            path = Path(folder) / "list.csv"
            path.write_bytes(base64.b64decode(decrypt(found.encrypted_content)))
            run = import_opt_outs(practice, ListReader(path, scope=found.scope, name=found.name), found.source)
    except AlreadyRunning:
        # The EHR is being read: the next tick takes the list up again.
        return
    except Wrong as wrong:
        problem = str(wrong)
    except Exception as error:
        log.exception("Opt-out list %s of practice %s stopped", list_id, practice.pk)
        problem = f"Stopped by {type(error).__name__}"
    with practice_scope(practice):
        OptOutList.objects.filter(pk=list_id).update(
            state=OptOutList.State.FAILED if problem else OptOutList.State.DONE,
            problem=printable(problem, 500),
            import_run=run,
            finished_at=clock.now(),
            encrypted_content="",
        )
