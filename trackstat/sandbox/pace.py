"""How fast things happen: seconds from one status to the next, divided by a speed."""

import random
from dataclasses import asdict, dataclass, field

SMS_CALLBACKS = ("queued", "sending", "sent", "delivered", "undelivered", "failed")


@dataclass
class Pace:
    """Seconds are means; each wait is drawn from half to one and a half of it, then divided by `speed`."""

    speed: float = 1.0
    queued: float = 0.2
    sending: float = 0.3
    sent: float = 0.5
    delivered: float = 1.5
    email: float = 1.5
    # Twilio and Mailgun do not hurry their retries when our tests do: this one is not divided by speed.
    retry: float = 1.0
    callbacks: list[str] = field(default_factory=lambda: list(SMS_CALLBACKS))

    def wait(self, mean: float) -> float:
        return mean * random.uniform(0.5, 1.5) / self.speed

    def change(self, changes: dict) -> None:
        """Raises ValueError with a sentence, and then nothing has changed."""
        known = asdict(self)
        for key, value in changes.items():
            if key not in known:
                raise ValueError(f"pace has no {key!r}; it has {', '.join(known)}")
            if key == "callbacks":
                if not isinstance(value, list) or not set(value) <= set(SMS_CALLBACKS):
                    raise ValueError(f"callbacks is a list of {', '.join(SMS_CALLBACKS)}")
            elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{key} is a number of seconds")
        if changes.get("speed", 1) <= 0:
            raise ValueError("speed is greater than 0")
        for key, value in changes.items():
            setattr(self, key, value)

    def as_json(self) -> dict:
        return asdict(self)
