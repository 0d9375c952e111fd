"""What every provider does, in one contract; its errors are values, never exceptions."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

if TYPE_CHECKING:
    from django.http import HttpRequest

    from messaging.models import Attempt, SendingIdentity


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is handed over: final words, and the attempt's key that comes back in callbacks."""

    attempt_key: UUID
    to: str
    body: str
    subject: str = ""
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    # Seconds the provider may hold it back before it is no longer worth sending.
    valid_seconds: int = 14_400
    # Whether it brings the opt-out line to an address that has not had it.
    introduces: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    provider_id: str
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Surely not sent, and the same again would be refused again."""

    code: str
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Surely not sent: no byte of the request left, or the provider said it was not processed."""

    after_seconds: float = 0
    code: str = ""
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """The provider may or may not have it. Never sent again blindly."""

    detail: str
    http_status: int | None = None


type Result = Accepted | Refused | Later | Unclear


@dataclass(frozen=True, slots=True)
class Told:
    """One thing a webhook told us, ready to be stored as a ProviderEvent. The key makes a repeat a no-op."""

    kind: str
    event_key: str
    payload: dict[str, Any]
    attempt_key: UUID | None = None


class ProviderUnusable(Exception):
    """The identity cannot be used from this process, in words for staff."""


class Provider(ABC):
    """One sending identity at its provider. Use it as a context manager: connections are kept for the block.

    `send` is called from several threads at once and touches no database.
    """

    # SendingIdentity.Provider value, also kept on attempts.
    name: str
    # Whether `find` can be asked. Without a list nothing is ever proved absent.
    lists: bool = True

    def __init__(self, identity: "SendingIdentity"):
        self.identity = identity

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027  (a provider without connections has nothing to let go of)
        """Let go of connections."""

    @abstractmethod
    def send(self, outgoing: Outgoing) -> Result:
        """Hand one message over, once, without any retry."""

    @abstractmethod
    def verify(self, request: "HttpRequest") -> bool:
        """Whether the provider signed this webhook request for this identity, and lately where it says when."""

    @abstractmethod
    def parse(self, request: "HttpRequest", attempt_key: UUID | None = None) -> list[Told]:
        """The events in a verified request; `attempt_key` is the one of its URL. Raises ValueError on nonsense."""

    @abstractmethod
    def find(self, attempt: "Attempt") -> list[str]:
        """Ids in the provider's list of what this attempt may have handed over; empty when nothing of it is there.

        `attempt` comes with its message. Asks no database: the caller leaves out what other attempts own.
        """


def message_id(attempt_key: UUID, domain: str) -> str:
    """Deterministic, so that a second hand-over of the same attempt could be seen to be one."""
    return f"<{attempt_key}@{domain}>"
