"""How every state looks and reads: icon and word together, colour only on top of them."""

from typing import NamedTuple


class Look(NamedTuple):
    word: str
    icon: str
    tone: str = ""


STATES = {
    # campaigns
    "draft": Look("Draft", "pencil"),
    "enabled": Look("Enabled", "bell", "good"),
    "disabled": Look("Disabled", "bell", "bad"),
    "scheduled": Look("Scheduled", "calendar-clock", "good"),
    "preparing": Look("Preparing", "hourglass", "brand"),
    "sending": Look("Sending", "send", "brand"),
    "sent": Look("Sent", "plane", "good"),
    "paused": Look("Paused", "pause", "warn"),
    "stopped": Look("Stopped", "circle-stop", "bad"),
    "archived": Look("Archived", "archive"),
    "finished": Look("Finished", "circle-check", "good"),
    # messages
    "pending": Look("Waiting", "clock"),
    "held": Look("Held", "clock", "warn"),
    "claimed": Look("About to go", "clock"),
    "delivered": Look("Delivered", "circle-check", "good"),
    "opened": Look("Opened", "eye", "good"),
    "clicked": Look("Clicked", "link", "good"),
    "replied": Look("Replied", "reply", "good"),
    "undelivered": Look("Not delivered", "circle-x", "bad"),
    "bounced": Look("Bounced", "circle-x", "bad"),
    "failed": Look("Failed", "circle-alert", "bad"),
    "aborted": Look("Not sent", "ban", "warn"),
    "cancelled": Look("Cancelled", "x"),
    "unknown": Look("Unknown", "circle-question-mark", "warn"),
    "unsubscribed": Look("Unsubscribed", "ban", "bad"),
    "received": Look("Received", "message-circle", "brand"),
    # appointments
    "checked_in": Look("Checked in", "circle-check", "good"),
    "missed": Look("Missed", "circle-x", "warn"),
    # patients, imports, checks
    "active": Look("Active", "circle-check", "good"),
    "inactive": Look("Inactive", "circle-x"),
    "opted_out": Look("Opted out", "ban", "bad"),
    "landline": Look("Landline", "phone", "warn"),
    "mobile": Look("Mobile", "smartphone", "good"),
    "invalid": Look("Cannot be reached", "circle-x", "bad"),
    "missing": Look("None", "minus"),
    "yes": Look("Yes", "check", "good"),
    "no": Look("No", "x"),
    "ok": Look("OK", "circle-check", "good"),
    "problem": Look("Needs attention", "triangle-alert", "warn"),
    "error": Look("Error", "circle-alert", "bad"),
    "running": Look("Running", "loader", "brand"),
    "stale": Look("Out of date", "triangle-alert", "warn"),
}


def look(state: str) -> Look:
    """A state nobody drew yet still reads as words: `in_review` becomes "In review"."""
    return STATES.get(str(state)) or Look(str(state).replace("_", " ").capitalize(), "circle")
