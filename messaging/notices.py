"""What staff should know about sending, on whichever page they are."""

from collections.abc import Iterator
from typing import Any

from messaging import restored
from messaging.models import SendingIdentity
from trackstat.clock import Now
from trackstat.formats import clock
from trackstat.notices import Notice


def sending_is_off(request: Any) -> Iterator[Notice]:
    if not restored.is_confirmed():
        yield Notice(
            "Sending is off: this database was restored or copied.",
            "It does not know what was sent since its backup was taken, so nothing goes out."
            " Your operator confirms with bin/manage confirm_sending.",
            tone="bad",
        )


def senders_that_rest(request: Any) -> Iterator[Notice]:
    for sender in SendingIdentity.objects.filter(is_active=True, paused_until__gt=Now()).order_by("pk"):
        kind = "Texts" if sender.channel == "text" else "Emails"
        yield Notice(f"{kind} from {sender.label} rest until {clock(sender.paused_until)}.", sender.paused_reason)
