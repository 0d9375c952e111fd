"""Tagging a whole audience in the background: who is meant is frozen first, then worked through part by part.

1. `start` writes the job with its patients, in parts, in the transaction of whoever asks, and rings.
2. `work` does part after part, each in a transaction of its own: killed anywhere it leaves whole parts behind, and goes
   on where it was. Each part keeps whose tag it has changed.
3. `undo` turns the job round: `work` then takes back what each finished part has changed, and nothing else.

Locks are taken in this order, also by a merge (audience.tag_changes): job, part, patients by id, tag.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Q, QuerySet, Sum

from audience import tags
from audience.models import Patient, Tag, TagJob, TagJobPart
from trackstat.celery import ring
from trackstat.clock import Now
from trackstat.tenancy import audit
from trackstat.tenancy.models import User
from trackstat.tenancy.scope import current_practice_id, practice_scope

# Patients in one transaction.
PART = 2000
# A task may run for 90 s; what is left then is the next one's.
WORK_SECONDS = 45

Action, State = TagJob.Action, TagJob.State
OPEN = (State.WORKING, State.UNDOING)


@dataclass(frozen=True)
class Progress:
    """Patients of a job: looked at by now, and whose tag was changed, and of those taken back."""

    total: int
    looked_at: int
    changed: int
    undone: int


@transaction.atomic
def start(
    tag: Tag, action: str, patients: QuerySet[Patient], whom: str, by: User | None, campaign_id: int | None = None
) -> TagJob:
    """Freeze the patients and begin. Raises BadTag for `np start`, and for a tag that has just gone."""
    tags.refuse_reserved(tag)
    held = Tag.objects.select_for_update(no_key=True).filter(pk=tag.pk).first()
    if held is None:
        raise tags.BadTag(f"The tag “{tag}” was deleted or merged meanwhile. Choose another one.")
    job = TagJob.objects.create(
        tag=held, tag_name=held.name, action=Action(action), whom=whom[:200], created_by=by, campaign_id=campaign_id
    )
    with suppress(EmptyResultSet):
        _deal(job, patients)
    job.total = job.parts.aggregate(n=Sum("size"))["n"] or 0
    job.save(update_fields=["total"])
    audit.record(f"tag_job.{job.action}", held, user_id=_id(by), job=job.pk, patients=job.total)
    _ring(job)
    return job


def _deal(job: TagJob, patients: QuerySet[Patient]) -> None:
    """Write whom the job is about, PART to a row, by one statement."""
    sql, values = patients.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO audience_tagjobpart
                    (practice_id, job_id, number, patient_ids, size, changed_ids, changed)
                SELECT %s, %s, number, array_agg(id ORDER BY id), count(*), ARRAY[]::bigint[], 0
                FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / %s AS number FROM ({sql}) AS chosen (id)) dealt
                GROUP BY number""",
            [current_practice_id(), job.pk, PART, *values],
        )


@transaction.atomic
def undo(job: TagJob, by: User | None) -> bool:
    """Take back what the job has changed, whether or not it was finished; False when that was asked for before."""
    held = TagJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if held.state in (State.UNDOING, State.UNDONE):
        return False
    if held.tag_id is None:
        raise tags.BadTag(f"The tag “{held.tag_name}” was deleted meanwhile: there is nothing to undo.")
    TagJob.objects.filter(pk=job.pk).update(state=State.UNDOING, undone_by=by)
    audit.record("tag_job.undone", held.tag, user_id=_id(by), job=job.pk)
    _ring(job)
    return True


def progress(job: TagJob) -> Progress:
    found = job.parts.aggregate(
        looked_at=Sum("size", filter=Q(done_at__isnull=False)),
        tagged=Sum("changed"),
        undone=Sum("changed", filter=Q(undone_at__isnull=False)),
    )
    return Progress(job.total, found["looked_at"] or 0, found["tagged"] or 0, found["undone"] or 0)


def work(practice_id: int, job_id: int) -> bool:
    """Part after part for WORK_SECONDS; False when nothing of the job is left to do. Two at once share the parts."""
    until = time.monotonic() + WORK_SECONDS
    while _work_part(practice_id, job_id):
        if time.monotonic() > until:
            return True
    with practice_scope(practice_id):
        _finish(job_id)
    return False


def _work_part(practice_id: int, job_id: int) -> bool:
    with practice_scope(practice_id):
        job = _held(job_id)
        if job is None or job.state not in OPEN:
            return False
        undoing = job.state == State.UNDOING
        part = _ready(job).select_for_update(skip_locked=True).order_by("number").first()
        if part is None:
            return False
        tag = Tag.objects.get(pk=job.tag_id)
        ids = part.changed_ids if undoing else part.patient_ids
        puts_on = (job.action == Action.PUT_ON) != undoing
        if tag.always_excluded:
            tags.lock_patients(_run(_CHOSEN, tag, ids))
        if puts_on:
            changed = _put_on(tag, ids, job.undone_by_id if undoing else job.created_by_id)
        else:
            changed = _take_off(tag, ids, part if undoing else None)
        moved = {"undone_at": Now()} if undoing else {"done_at": Now(), "changed_ids": changed, "changed": len(changed)}
        TagJobPart.objects.filter(pk=part.pk).update(**moved)
        return True


def _held(job_id: int) -> TagJob | None:
    """The job, kept from being undone or merged away until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM audience_tagjob WHERE practice_id = %s AND id = %s FOR SHARE",
            [current_practice_id(), job_id],
        )
    return TagJob.objects.filter(pk=job_id).first()


def _ready(job: TagJob) -> QuerySet[TagJobPart]:
    """Parts that are still to be done, or undone."""
    if job.state == State.UNDOING:
        return job.parts.filter(done_at__isnull=False, undone_at=None)
    return job.parts.filter(done_at=None)


def _finish(job_id: int) -> None:
    """The job is over once nobody has a part of it in hand any more: the row's lock waits for whoever has."""
    job = TagJob.objects.select_for_update(no_key=True).filter(pk=job_id, state__in=OPEN).first()
    if job is None or _ready(job).exists():
        return
    if job.state == State.UNDOING:
        TagJob.objects.filter(pk=job.pk).update(state=State.UNDONE, undone_at=Now())
        return
    TagJob.objects.filter(pk=job.pk).update(state=State.DONE, finished_at=Now())
    action = "tag.put_on" if job.action == Action.PUT_ON else "tag.taken_off"
    audit.record(action, job.tag, user_id=job.created_by_id, patients=progress(job).changed, job=job.pk)


# A record that the EHR has merged since is the survivor's.
_CHOSEN = """SELECT DISTINCT coalesce(p.merged_into_id, p.id) AS id FROM audience_patient p
             WHERE p.practice_id = %(practice)s AND p.id = ANY(%(ids)s::bigint[])"""
_PUT_ON = f"""
    INSERT INTO audience_patienttag (practice_id, patient_id, tag_id, tagged_at, tagged_by_id)
    SELECT %(practice)s, chosen.id, %(tag)s, trackstat.now(), %(by)s FROM ({_CHOSEN}) AS chosen ORDER BY chosen.id
    ON CONFLICT (practice_id, patient_id, tag_id) DO NOTHING RETURNING patient_id"""
# Whoever got the tag again since then, by hand or by another job, keeps it.
_TAKE_OFF = f"""
    DELETE FROM audience_patienttag t USING ({_CHOSEN}) AS chosen
    WHERE t.practice_id = %(practice)s AND t.tag_id = %(tag)s AND t.patient_id = chosen.id
      AND (%(put_at)s::timestamptz IS NULL OR t.tagged_at <= %(put_at)s::timestamptz)
    RETURNING t.patient_id"""


def _put_on(tag: Tag, ids: list[int], by_id: int | None) -> list[int]:
    return _run(_PUT_ON, tag, ids, by=by_id)


def _take_off(tag: Tag, ids: list[int], undone: TagJobPart | None) -> list[int]:
    return _run(_TAKE_OFF, tag, ids, put_at=undone.done_at if undone else None)


def _run(statement: str, tag: Tag, ids: list[int], **values: Any) -> list[int]:
    known: dict[str, Any] = {"practice": current_practice_id(), "tag": tag.pk, "ids": ids}
    with connection.cursor() as cursor:
        cursor.execute(statement, known | values)
        return sorted(pk for (pk,) in cursor.fetchall())


def jobs_of_campaign(campaign_id: int) -> QuerySet[TagJob]:
    return TagJob.objects.filter(campaign_id=campaign_id).order_by("-pk")


def open_jobs() -> QuerySet[TagJob]:
    return TagJob.objects.filter(state__in=OPEN)


def _ring(job: TagJob) -> None:
    from audience.tasks import tag  # which works jobs

    ring(tag, job.practice_id, job.pk)


def _id(by: User | None) -> int | None:
    return by.pk if by is not None else None
