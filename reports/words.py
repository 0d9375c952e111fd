"""What each number of a report is called and made of."""

from audience.models import Channel

LABELS = {
    "recipients": "Total recipients",
    "delivered": "Delivered",
    "on_the_way": "On the way",
    "errors": "Errors",
    "bounced": "Bounced",
    "opened": "Opened",
    "unsubscribed": "Unsubscribed",
    "replied": "Replied",
    "waiting": "Waiting",
    "not_sent": "Not sent",
    "unknown": "Unknown",
}
MADE_OF = {
    "recipients": "Everyone the campaign was switched on for, reached or not. The parts below add up to it.",
    "delivered": "The phone's carrier or the mailbox said that it arrived. The share is of all recipients.",
    "on_the_way": "Handed over; nobody has said yet whether it arrived.",
    "errors": "The carrier or mail service said that it did not arrive, or the mailbox sent it back.",
    "bounced": "Errors where the mailbox sent the email back for good. We do not write there again.",
    "opened": "The email's images were loaded. Some mail programs do that by themselves, so take it as a hint.",
    "unsubscribed": "Answered STOP, used the unsubscribe link or marked it as spam. They stay delivered if it arrived.",
    "replied": "Answered in words of their own; STOP, START and HELP are not counted.",
    "waiting": "Will go out: due later, held for quiet hours, or next in line.",
    "not_sent": "Left out just before sending, each for a reason listed here.",
    "unknown": "Handed over but never confirmed. Not sent again by itself, so that nobody gets it twice.",
}
MAIN = {
    Channel.TEXT: ("recipients", "delivered", "errors", "unsubscribed", "replied"),
    Channel.EMAIL: ("recipients", "delivered", "opened", "errors", "bounced", "unsubscribed"),
}
# Shown only while there are any: each is a part of the recipients, or says more about them.
ALSO = ("waiting", "on_the_way", "not_sent", "unknown")


def shown(channel: str, numbers) -> list[str]:
    """Names of the numbers to show, in order."""
    return [*MAIN[Channel(channel)], *(name for name in ALSO if numbers[name])]


def funnel(channel: str, numbers) -> list[tuple[str, str, int]]:
    """(label, list to show or '', number), each a part of the one before as far as that goes."""
    line = [("Recipients", "recipients", numbers["recipients"]), ("Handed over", "", numbers.handed_over)]
    line.append(("Delivered", "delivered", numbers["delivered"]))
    if channel == Channel.EMAIL:
        line.append(("Opened", "opened", numbers["opened"]))
    else:
        line.append(("Replied", "replied", numbers["replied"]))
    return line
