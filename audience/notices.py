"""What staff should know about the connection to their EHR, on whichever page they are."""

from collections.abc import Iterator
from typing import Any

from audience.ehr.live.advice import advice
from audience.models import EhrConnection
from trackstat.notices import Notice


def ehr_does_not_work(request: Any) -> Iterator[Notice]:
    if not request.membership.can("audience.manage_ehr"):
        return
    for connection in EhrConnection.objects.filter(is_active=True, state=EhrConnection.State.FAILING).order_by("name"):
        yield Notice(
            f"Nothing new comes from {connection.name}.",
            advice(connection.problem).means,
            tone="bad",
            url=request.practice.url("connections:connection", connection.pk),
            link="What to do",
        )
