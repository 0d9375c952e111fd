"""The demo's connection to an EHR: the sandbox stands in for it, with the very files the patients were made from."""

import datetime as dt
import os
from pathlib import Path

from django.conf import settings

from audience.ehr.live.keys import give_key, key_set
from audience.models import EhrConnection, EhrSync, ImportRun
from trackstat.sandbox.client import SandboxClient, SandboxError

_EVERY = dt.timedelta(hours=1)


def folder_of(slug: str) -> Path | None:
    """Where the EHR's files lie; None where no sandbox of ours can see them."""
    home = os.environ.get("TRACKSTAT_HOME")
    return Path(home) / "sandbox" / f"ehr-{slug}" if home and settings.SANDBOX_URL else None


def seed_connection(slug: str, name: str, run: ImportRun) -> EhrConnection:
    """In the practice's scope, after the import `run` of the EHR's files, which counts as its first run."""
    assert run.finished_at
    connection = EhrConnection(
        kind=EhrConnection.Kind.FHIR,
        name=name,
        source=run.source,
        base_url=f"{settings.SANDBOX_URL}/ehr/{slug}/fhir",
        client_id=f"trackstat-{slug}",
        algorithm=EhrConnection.Algorithm.ES384,
        every_minutes=_EVERY.seconds // 60,
        next_at=run.finished_at + _EVERY,
        marker=f"{run.started_at:%Y-%m-%dT%H:%M:%SZ}",
        last_began_at=run.started_at,
        last_ended_at=run.finished_at,
        state=EhrConnection.State.WORKING,
    )
    give_key(connection)
    connection.save()
    EhrSync.objects.create(
        connection=connection,
        state=EhrSync.State.DONE,
        started_at=run.started_at,
        finished_at=run.finished_at,
        marker=connection.marker,
        import_run=run,
    )
    return connection


def introduce(slug: str) -> bool:
    """Tells the sandbox about the EHR and our key, as its vendor would be told; whether that could be done.

    In the practice's scope, at every start: the sandbox may listen elsewhere than last time.
    """
    folder = folder_of(slug)
    client_id = f"trackstat-{slug}"
    connection = EhrConnection.objects.filter(client_id=client_id).first()
    if connection is None or folder is None or not folder.is_dir():
        return False
    clients = {client_id: {"jwks": key_set(connection)}}
    try:
        said = SandboxClient(settings.SANDBOX_URL).register_ehr(slug, str(folder), clients)
    except (OSError, SandboxError):
        return False
    EhrConnection.objects.filter(pk=connection.pk).update(base_url=said["base_url"])
    return True
