from messaging.models.content import Content
from messaging.models.events import InboundMessage, ProviderEvent
from messaging.models.identity import SendingIdentity
from messaging.models.message import Attempt, Hold, Message, new_token

__all__ = [
    "Attempt",
    "Content",
    "Hold",
    "InboundMessage",
    "Message",
    "ProviderEvent",
    "SendingIdentity",
    "new_token",
]
