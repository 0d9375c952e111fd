"""How a campaign stands: what went out, what waits, and what of that would still go."""

from dataclasses import dataclass

from django.db.models import Count

from campaigns.models import Campaign, Enrollment
from messaging.models import Message
from trackstat.clock import now


@dataclass(frozen=True)
class StopPreview:
    """What stopping now would come to, in messages; `not_written` are patients whose message is not made yet."""

    sent: int
    under_way: int
    waiting: int
    not_written: int

    @property
    def will_not_be_sent(self) -> int:
        return self.waiting + self.not_written


def stop_preview(campaign: Campaign) -> StopPreview:
    """The numbers to show before stopping."""
    counts = dict(Message.objects.filter(campaign_id=campaign.pk).values_list("state").annotate(Count("pk")))
    of = Message.State
    return StopPreview(
        sent=sum(counts.get(s, 0) for s in (of.SENT, of.DELIVERED, of.UNDELIVERED, of.FAILED, of.UNKNOWN)),
        under_way=counts.get(of.SENDING, 0),
        waiting=counts.get(of.PENDING, 0) + counts.get(of.CLAIMED, 0),
        not_written=Enrollment.objects.filter(campaign=campaign, state=Enrollment.State.ACTIVE).count(),
    )


def too_late(campaign: Campaign) -> int:
    """Of what waits, how many messages are no longer worth sending: a drip keeps to its day, however long it rested."""
    waiting = Message.objects.filter(campaign_id=campaign.pk, state__in=[Message.State.PENDING, Message.State.CLAIMED])
    active = Enrollment.objects.filter(campaign=campaign, state=Enrollment.State.ACTIVE)
    return sum(rows.filter(not_after__lte=now()).count() for rows in (waiting, active))
