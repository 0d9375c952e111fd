"""Who texted STOP, as the carrier keeps it: per messaging service, or per number without one.

https://help.twilio.com/articles/223134027 lists the words; one exact word in any case, STOP PLEASE does not count.
"""

STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "UNSTOP"})
HELP_WORDS = frozenset({"HELP", "INFO"})

ANSWERS = {
    "STOP": "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe.",
    "START": "You have successfully been re-subscribed to messages from this number. "
    "Reply HELP for help. Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    "HELP": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}


class OptOuts:
    def __init__(self):
        self._blocked: set[tuple[str, str, str]] = set()

    def blocks(self, account: str, scope: str, phone: str) -> bool:
        """`scope` is a service sid or one of our numbers."""
        return (account, scope, phone) in self._blocked

    def add(self, account: str, scope: str, phone: str) -> None:
        self._blocked.add((account, scope, phone))

    def remove(self, account: str, scope: str, phone: str) -> None:
        self._blocked.discard((account, scope, phone))

    def of_phone(self, phone: str) -> list[tuple[str, str]]:
        return sorted((account, scope) for account, scope, number in self._blocked if number == phone)

    def __iter__(self):
        return iter(sorted(self._blocked))

    def __len__(self) -> int:
        return len(self._blocked)

    def keyword(self, account: str, scope: str, phone: str, body: str) -> str | None:
        """STOP, START or HELP. YES is an ordinary answer unless it comes from somebody who is opted out."""
        word = body.strip().upper()
        if word in STOP_WORDS:
            return "STOP"
        if word in START_WORDS or (word == "YES" and self.blocks(account, scope, phone)):
            return "START"
        return "HELP" if word in HELP_WORDS else None
