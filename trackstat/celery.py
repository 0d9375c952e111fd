"""The Celery app, its whole beat schedule, and the one kind of task.

PostgreSQL is the queue; a task is a doorbell: it carries ids, may be lost or come twice, and the next tick makes good.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackstat.settings")

from django.conf import settings

app = Celery("trackstat")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    # Early acknowledgement: late ones would start a send twice and still lose some (reliability of Redis brokers).
    task_acks_late=False,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    task_soft_time_limit=90,
    task_time_limit=120,
    worker_soft_shutdown_timeout=20,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 600,
        "socket_timeout": 10,
        "socket_keepalive": True,
        "retry_on_timeout": True,
    },
    task_publish_retry_policy={"max_retries": 1},
    timezone="UTC",
    enable_utc=True,
    beat_schedule={
        # Enrol what triggers yield and materialise what falls due.
        "campaigns": {
            "task": "campaigns.tick",
            "schedule": settings.TICK_SECONDS,
            "options": {"expires": settings.TICK_SECONDS},
        },
        # Wake the sender lanes, reap expired leases, settle uncertain hand-overs, apply stored events.
        "messaging": {
            "task": "messaging.tick",
            "schedule": settings.TICK_SECONDS,
            "options": {"expires": settings.TICK_SECONDS},
        },
        # Move on the next visits that have passed.
        "audience": {"task": "audience.tick", "schedule": 300.0, "options": {"expires": 300}},
        # Tagging in the background that a worker left behind.
        "tags": {"task": "audience.tag_tick", "schedule": 30.0, "options": {"expires": 30}},
    },
)
# Spelt as the Django fixup reads it; without it every task reconnects to PostgreSQL.
app.conf["CELERY_DB_REUSE_MAX"] = 1000
app.autodiscover_tasks(["messaging", "campaigns", "audience"])


def practice_task(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A task whose first argument is a practice's id; its body runs in that practice's scope, in one transaction."""

    def decorate(function: Callable[..., Any]) -> Any:
        @wraps(function)
        def run(practice_id: int, *args: Any) -> Any:
            from trackstat.tenancy.scope import practice_scope

            with practice_scope(practice_id):
                return function(*args)

        return app.task(**options)(run)

    return decorate


def ring(task: Any, *args: Any) -> None:
    """Publish a doorbell when the current transaction commits. A broker that is away is no error: the tick comes."""
    from django.db import transaction

    transaction.on_commit(lambda: _publish(task, args), robust=True)


def _publish(task: Any, args: tuple) -> None:
    from kombu.exceptions import OperationalError

    with suppress(OperationalError):
        task.apply_async(args, retry=False)


@signals.task_prerun.connect
def _drop_a_broken_connection(**kwargs: Any) -> None:
    """A connection that PostgreSQL has closed meanwhile must not fail the next task, too."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()


@signals.worker_init.connect
def _check_start(**kwargs: Any) -> None:
    from django.db import connection

    from trackstat.startup import refuse_unsafe_start

    refuse_unsafe_start()
    # The children that are forked next open their own.
    connection.close()
