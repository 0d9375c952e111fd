"""All parts of one sandbox in one folder, and how they come back after a restart."""

import asyncio
import fcntl
import os
from datetime import datetime
from pathlib import Path

from trackstat.sandbox.accounts import Accounts
from trackstat.sandbox.carrier import Carrier
from trackstat.sandbox.clock import Clock
from trackstat.sandbox.courier import Courier
from trackstat.sandbox.ehr_exports import Exports
from trackstat.sandbox.ehrs import Ehrs
from trackstat.sandbox.faults import Faults
from trackstat.sandbox.inbound import Inbound
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.mail_events import MailEvents
from trackstat.sandbox.mailgun_api import MailgunApi
from trackstat.sandbox.mails import Mail, Mails
from trackstat.sandbox.messages import FINAL, Message, Messages
from trackstat.sandbox.numbers import Lines
from trackstat.sandbox.optouts import OptOuts
from trackstat.sandbox.pace import Pace
from trackstat.sandbox.smtp import Mailbox
from trackstat.sandbox.statuses import Statuses
from trackstat.sandbox.timeline import Timeline
from trackstat.sandbox.twilio_api import TwilioApi


class Sandbox:
    def __init__(self, folder: Path, speed: float = 1.0):
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _only_one(folder)
        self.accounts = Accounts(folder / "accounts.json")
        self.clock = Clock(self.accounts.clock_offset_seconds)
        self.ledger = Ledger(folder / "ledger.jsonl", self.clock)
        self.faults, self.lines, self.pace = Faults(), Lines(), Pace(speed=speed)
        self.messages, self.opt_outs = Messages(), OptOuts()
        self.mails = Mails(folder / "mail.bin")
        self.timeline = Timeline()
        self.courier = Courier(self.faults, self.ledger, self.timeline, self.pace)
        self.statuses = Statuses(
            self.accounts, self.clock, self.courier, self.ledger, self.lines, self.opt_outs, self.pace, self.timeline
        )
        self.carrier = Carrier(self.clock, self.ledger, self.messages, self.opt_outs, self.statuses)
        self.inbound = Inbound(
            self.accounts,
            self.carrier,
            self.clock,
            self.courier,
            self.faults,
            self.ledger,
            self.messages,
            self.opt_outs,
        )
        self.mail_events = MailEvents(
            self.accounts, self.clock, self.courier, self.ledger, self.mails, self.pace, self.timeline
        )
        self.mailgun = MailgunApi(self.accounts, self.clock, self.mail_events, self.faults, self.ledger, self.mails)
        self.mailbox = Mailbox(self.clock, self.faults, self.ledger, self.mails)
        self.ehrs, self.exports = Ehrs(folder / "ehrs.json"), Exports(folder / "ehr-exports")
        self.twilio = TwilioApi(
            self.accounts, self.carrier, self.clock, self.faults, self.ledger, self.lines, self.messages
        )

    @property
    def pending(self) -> int:
        """Statuses, events, callbacks and webhooks still to come."""
        return self.timeline.pending + self.courier.pending

    async def run(self) -> None:
        """Bring back what the ledger knows, then let time pass until cancelled."""
        untold = _Rebuilt(self).replay()
        for message in self.messages.by_sid.values():
            if message.status not in FINAL:
                self.statuses.follow(message)
        for mail in self.mails.by_id.values():
            self.mail_events.follow(mail)
        for tell, subject, what in untold:
            tell(subject, what)
        async with asyncio.TaskGroup() as running:
            running.create_task(self.timeline.run())
            running.create_task(self.courier.run())

    def close(self) -> None:
        self.ledger.close()
        self.mails.close()
        os.close(self._lock)


class _Rebuilt:
    """State from the ledger: who was told what is settled there, too, so callbacks cut off by a kill go out again."""

    def __init__(self, sandbox: Sandbox):
        self._sandbox = sandbox
        self._untold: dict[tuple[str, str], tuple] = {}

    def replay(self) -> list[tuple]:
        for fact in self._sandbox.ledger.replay():
            apply = getattr(self, "_" + fact["kind"].replace(".", "_"), None)
            if apply:
                apply(fact)
        return list(self._untold.values())

    def _text(self, fact: dict, direction: str, status: str, callback: str) -> None:
        at = datetime.fromisoformat(fact["at"])
        self._sandbox.messages.add(
            Message(
                sid=fact["sid"],
                account=fact["account"],
                to=fact["to"],
                sender=fact["sender"],
                service=fact["service"],
                body=fact["body"],
                segments=fact["segments"],
                direction=direction,
                status=status,
                created=at,
                updated=at,
                sent=at if direction == "inbound" else None,
                callback=callback,
            )
        )

    def _sms_accepted(self, fact: dict) -> None:
        self._text(fact, fact["direction"], fact["status"], fact["status_callback"])

    _sms_reply = _sms_auto_reply = _sms_accepted

    def _sms_inbound(self, fact: dict) -> None:
        self._text(fact, "inbound", "received", "")

    def _sms_status(self, fact: dict) -> None:
        message = self._sandbox.messages.by_sid[fact["sid"]]
        message.move(fact["status"], fact["error"], datetime.fromisoformat(fact["at"]), fact["sender"])
        if fact["tells"]:
            self._untold[fact["sid"], fact["status"]] = (self._sandbox.statuses.tell, message, fact["status"])

    def _sms_callback(self, fact: dict) -> None:
        self._untold.pop((fact["sid"], fact["status"]), None)

    def _optout_added(self, fact: dict) -> None:
        self._sandbox.opt_outs.add(fact["account"], fact["scope"], fact["phone"])

    def _optout_removed(self, fact: dict) -> None:
        self._sandbox.opt_outs.remove(fact["account"], fact["scope"], fact["phone"])

    def _email_accepted(self, fact: dict) -> None:
        known = {key: value for key, value in fact.items() if key not in ("seq", "real", "kind", "at")}
        via = "smtp" if fact["kind"] == "smtp.accepted" else "mailgun"
        self._sandbox.mails.add(Mail(via=via, at=datetime.fromisoformat(fact["at"]), **known))

    _smtp_accepted = _email_accepted

    def _email_event(self, fact: dict) -> None:
        mail = self._sandbox.mails.by_id[fact["id"]]
        mail.events.append({key: fact[key] for key in ("event", "planned", "event_id", "url", "at") if key in fact})
        if fact["tells"]:
            told = (self._sandbox.mail_events.tell, mail, len(mail.events) - 1)
            self._untold[fact["id"], fact["event_id"]] = told

    def _email_webhook(self, fact: dict) -> None:
        self._untold.pop((fact["id"], fact["event_id"]), None)


def _only_one(folder: Path) -> int:
    """Two writers would spoil the ledger. Raises BlockingIOError."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise
    return lock
