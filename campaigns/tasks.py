"""The engine's doorbells. Lost or doubled, they do no harm: the next tick finds the same work in the database."""

import datetime as dt

from django.conf import settings
from django.db import connection

from trackstat.celery import app, ring
from trackstat.tenancy.scope import across_practices

# Messages are written this long before they are due.
HORIZON = dt.timedelta(seconds=60)

# Practices whose triggers are near, in which something falls due, something waits to go out (the brake looks at it), or
# a blast may have come to its end.
_WITH_WORK = """
    SELECT DISTINCT c.practice_id FROM campaigns_campaign c
    WHERE c.state IN ('enabled', 'sending')
      AND (c.state = 'sending'
           OR c.next_check_at <= trackstat.now() + %(horizon)s AND c.kind = 'drip'
           OR EXISTS (
               SELECT FROM campaigns_enrollment e
               WHERE e.practice_id = c.practice_id AND e.campaign_id = c.id AND e.state = 'active'
                 AND e.due_at <= trackstat.now() + %(horizon)s)
           OR EXISTS (
               SELECT FROM messaging_message m
               WHERE m.practice_id = c.practice_id AND m.campaign_id = c.id
                 AND m.state IN ('pending', 'claimed', 'sending')))
    ORDER BY c.practice_id"""


@app.task(name="campaigns.tick", expires=settings.TICK_SECONDS)
def tick() -> list[int]:
    """Ring for every practice that has work; their ids."""
    with across_practices("campaigns.tick"), connection.cursor() as cursor:
        cursor.execute(_WITH_WORK, {"horizon": HORIZON})
        practices = [practice_id for (practice_id,) in cursor.fetchall()]
    for practice_id in practices:
        ring(work, practice_id)
    return practices


@app.task(name="campaigns.work", expires=settings.TICK_SECONDS)
def work(practice_id: int) -> int:
    """Enrol, write and end what is due in one practice; how many messages were written."""
    from campaigns import engine  # which moves campaigns, and moving them rings this task

    return engine.work(practice_id)
