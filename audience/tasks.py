"""What the audience has to do by itself as time passes."""

from audience import rollups
from trackstat.celery import app
from trackstat.tenancy.models import Practice


@app.task(name="audience.tick")
def tick() -> None:
    """Next visits that have passed move on, each practice in a transaction of its own."""
    for practice in Practice.objects.order_by("pk"):
        rollups.refresh_next_visits(practice)
