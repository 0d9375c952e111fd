"""What a provider's report means, in our words; nothing is looked up and nothing written."""

from dataclasses import dataclass
from typing import Any

from messaging.models import Message, ProviderEvent

State = Message.State


@dataclass(frozen=True, slots=True)
class Heard:
    """One report in our words. `state` None: it says nothing about how far the message got."""

    provider_id: str = ""
    state: str | None = None
    code: str = ""
    # Set on the message to the time it was heard: opened_at, bounced_at, complained_at, unsubscribed_at.
    happened: tuple[str, ...] = ()
    recipient: str = ""


TWILIO_STATES = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent", "partially_delivered"), State.SENT),
    **dict.fromkeys(("delivered", "read"), State.DELIVERED),
    "undelivered": State.UNDELIVERED,
    **dict.fromkeys(("failed", "canceled"), State.FAILED),
}
# Only someone who has the email can do these.
MAILGUN_ARRIVED = {
    "delivered": (),
    "clicked": (),
    "opened": ("opened_at",),
    "complained": ("complained_at",),
    "unsubscribed": ("unsubscribed_at",),
}


def hear(kind: str, said: dict[str, Any]) -> Heard:
    """A stored event by its kind and payload. Raises KeyError for one that lacks what its kind always has."""
    if kind == ProviderEvent.Kind.STATUS:
        state = TWILIO_STATES.get(said.get("MessageStatus", ""))
        code = said.get("ErrorCode", "") if state in {State.UNDELIVERED, State.FAILED} else ""
        return Heard(said.get("MessageSid") or said.get("SmsSid", ""), state, code, recipient=said.get("To", ""))
    name, sender_id = said["event"], said.get("message_id", "").strip("<>")
    known: dict[str, Any] = {
        "provider_id": f"<{sender_id}>" if sender_id else "",
        "recipient": said.get("recipient") or "",
    }
    if name in MAILGUN_ARRIVED:
        code = "complained" if name == "complained" else ""
        return Heard(state=State.DELIVERED, code=code, happened=MAILGUN_ARRIVED[name], **known)
    if name == "accepted":
        return Heard(state=State.SENT, **known)
    if name == "rejected":
        return Heard(state=State.FAILED, code="mail_refused", **known)
    if name == "failed" and said.get("severity") == "permanent":
        return Heard(state=State.UNDELIVERED, code=_bounce(said.get("reason") or ""), happened=("bounced_at",), **known)
    # A temporary failure: the mail service goes on trying and will say how it ended.
    return Heard(**known)


def _bounce(reason: str) -> str:
    """Mailgun's reason in the words of messaging.errors. Only a mailbox that refused for good is never tried again."""
    if reason == "bounce":
        return "hard_bounce"
    return "suppressed" if reason.startswith("suppress-") else "soft_bounce"
