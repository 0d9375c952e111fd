"""What can start a drip. A new trigger is one class in one file, imported here."""

from campaigns.triggers import birthday  # noqa: F401
from campaigns.triggers.base import BadTrigger, Trigger, all_triggers, trigger_for

__all__ = ["BadTrigger", "Trigger", "all_triggers", "trigger_for"]
