"""What the audience has to do by itself as time passes."""

from audience import opt_out_lists, rollups, tagging
from audience.ehr.live import sync as sync_process
from audience.ehr.live import tryout
from audience.ehr.live.locks import place
from audience.ehr.live.sync import work
from audience.ehr.live.trouble import Patience
from audience.models import EhrConnection, EhrTest, OptOutList
from trackstat import clock
from trackstat.celery import app, ring
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import across_practices, practice_scope

# Seconds a worker may spend waiting for an EHR; what takes longer is looked at again by the next tick.
_PATIENCE = 20
# A first import of a large practice takes its time; one that is cut off goes on at the next tick.
_LONGEST = 4 * 3600
_LONGEST_TEST = 900
TAG_TICK_SECONDS = 30


@app.task(name="audience.tick")
def tick() -> None:
    """Next visits that have passed move on, and due connections to EHRs are rung; each practice in its own scope."""
    for practice in Practice.objects.order_by("pk"):
        rollups.refresh_next_visits(practice)
        with practice_scope(practice):
            for connection in EhrConnection.objects.due(clock.now()).order_by("pk"):
                ring(sync, practice.pk, connection.pk)
            for test in EhrTest.objects.filter(finished_at=None).order_by("pk"):
                ring(try_out, practice.pk, test.pk)
            for waiting in OptOutList.objects.filter(finished_at=None).order_by("pk"):
                ring(read_opt_outs, practice.pk, waiting.pk)


@app.task(name="audience.sync", expires=300, soft_time_limit=_LONGEST, time_limit=_LONGEST + 60)
def sync(practice_id: int, connection_id: int) -> None:
    with place() as free:
        if free:
            work(Practice.objects.get(pk=practice_id), connection_id, Patience(_PATIENCE))


@app.task(name="audience.tidy_up", expires=300)
def tidy_up(practice_id: int, sync_id: int) -> None:
    sync_process.tidy_up(Practice.objects.get(pk=practice_id), sync_id)


@app.task(name="audience.try_out", expires=300, soft_time_limit=_LONGEST_TEST, time_limit=_LONGEST_TEST + 60)
def try_out(practice_id: int, test_id: int) -> None:
    tryout.work(Practice.objects.get(pk=practice_id), test_id, Patience(_PATIENCE))


@app.task(name="audience.tag", expires=300)
def tag(practice_id: int, job_id: int) -> None:
    if tagging.work(practice_id, job_id):
        ring(tag, practice_id, job_id)


@app.task(name="audience.tag_tick", expires=TAG_TICK_SECONDS)
def tag_tick() -> None:
    """Jobs that nobody works at any more, because a worker died, go on."""
    with across_practices("audience.tag_tick"):
        left = list(tagging.open_jobs().order_by("pk").values_list("practice_id", "pk"))
    for practice_id, job_id in left:
        ring(tag, practice_id, job_id)


@app.task(name="audience.read_opt_outs", expires=300, soft_time_limit=_LONGEST_TEST, time_limit=_LONGEST_TEST + 60)
def read_opt_outs(practice_id: int, list_id: int) -> None:
    opt_out_lists.read(Practice.objects.get(pk=practice_id), list_id)
