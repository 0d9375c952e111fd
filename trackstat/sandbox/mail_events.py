"""What becomes of an email over time, and the signed webhooks that tell of it.

The part before the @ decides: bounce, soft, complain, unsubscribe, open, click, reject, silent; alone, or followed by
digits, or by one of + . - _ and anything.
"""

import re
from dataclasses import dataclass
from datetime import datetime

import msgspec

from trackstat.sandbox.accounts import Accounts
from trackstat.sandbox.clock import Clock
from trackstat.sandbox.courier import Courier, Letter
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.mails import Mail, Mails, address_of, new_id
from trackstat.sandbox.pace import Pace
from trackstat.sandbox.signing import mailgun_signature
from trackstat.sandbox.timeline import Timeline

_RULE = re.compile(r"(bounce|soft|complain|unsubscribe|open|click|reject|silent)(\d*|[+._-].*)")
_PLANS = {
    "bounce": ["failed.permanent"],
    "soft": ["failed.temporary", "failed.temporary", "delivered"],
    "complain": ["delivered", "complained"],
    "unsubscribe": ["delivered", "unsubscribed"],
    "open": ["delivered", "opened"],
    "click": ["delivered", "opened", "clicked"],
    "reject": ["rejected"],
    "silent": [],
}
# Mailgun waits 10 minutes and more; the sandbox tries sooner. Answered 406 it gives up.
_RETRIES = (5.0, 10.0, 30.0, 60.0)


def plan(recipient: str) -> list[str]:
    found = _RULE.fullmatch(address_of(recipient).partition("@")[0])
    return _PLANS[found[1]] if found else ["delivered"]


@dataclass
class MailEvents:
    accounts: Accounts
    clock: Clock
    courier: Courier
    ledger: Ledger
    mails: Mails
    pace: Pace
    timeline: Timeline

    def follow(self, mail: Mail) -> None:
        """Plan the next event; called when an email is accepted, after each planned event, and after a restart."""
        steps = plan(mail.to)
        done = sum(1 for event in mail.events if event["planned"])
        if mail.via == "mailgun" and done < len(steps):
            self.timeline.after(self.pace.wait(self.pace.email), self._step, mail, done, steps[done])

    def _step(self, mail: Mail, done: int, event: str) -> None:
        self.happen(mail, event, planned=True)
        self.follow(mail)

    def happen(self, mail: Mail, event: str, *, planned: bool = False, url: str = "") -> None:
        """Record an event and tell the product: delivered, failed.permanent, opened, clicked, complained and so on."""
        if event == "clicked" and not url:
            url = next(iter(self.mails.content(mail).links()), "")
        fact = {"event": event, "planned": planned, "event_id": new_id(), **({"url": url} if url else {})}
        domain = self.accounts.domains.get(mail.domain)
        tells = bool(domain and domain.tracking_url)
        about = {"id": mail.id, "to": mail.to, "domain": mail.domain, "message_id": mail.message_id}
        self.ledger.append("email.event", **about, **fact, tells=tells)
        mail.events.append({**fact, "at": self.clock.now().isoformat(timespec="microseconds")})
        self.tell(mail, len(mail.events) - 1)

    def tell(self, mail: Mail, place: int) -> None:
        domain = self.accounts.domains.get(mail.domain)
        if domain is None or not domain.tracking_url:
            return
        event = mail.events[place]
        payload = {"signature": mailgun_signature(domain.signing_key), "event-data": event_data(mail, event)}
        self.courier.post(
            Letter(
                kind="email.webhook",
                key=mail.id,
                url=domain.tracking_url,
                body=msgspec.json.encode(payload),
                headers={"Content-Type": "application/json", "User-Agent": "mailgun/treq"},
                facts={"id": mail.id, "to": mail.to, "event": event["event"], "event_id": event["event_id"]},
                subject={"to": mail.to, "from": mail.sender, "status": event["event"]},
                retries=_RETRIES,
                retry_on=lambda status: status != 406 and not 200 <= status < 300,
            )
        )


def accepted(mail: Mail) -> dict:
    """The event of the email's arrival, which is listed but never posted."""
    return {"event": "accepted", "event_id": mail.id, "at": mail.at.isoformat()}


def event_data(mail: Mail, event: dict) -> dict:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads"""
    name, _, severity = event["event"].partition(".")
    data = {
        "id": event["event_id"],
        "event": name,
        "timestamp": datetime.fromisoformat(event["at"]).timestamp(),
        "log-level": {"failed": "error" if severity == "permanent" else "warn", "complained": "warn"}.get(name, "info"),
        "recipient": address_of(mail.to),
        "recipient-domain": address_of(mail.to).rpartition("@")[2],
        "domain": {"name": mail.domain},
        "tags": mail.tags,
        "campaigns": [],
        "user-variables": mail.variables,
        "flags": {"is-routed": False, "is-authenticated": True, "is-system-test": False, "is-test-mode": False},
        "message": {
            "headers": {
                "to": mail.to,
                "message-id": mail.message_id.strip("<>"),
                "from": mail.sender,
                "subject": mail.subject,
            },
            "attachments": [],
            "size": mail.size,
        },
    }
    if name in ("delivered", "failed"):
        data["envelope"] = {
            "sender": address_of(mail.sender),
            "sending-ip": "192.0.2.26",
            "targets": address_of(mail.to),
            "transport": "smtp",
        }
        data["delivery-status"] = _delivery_status(mail, event)
    if name == "failed":
        data |= {"severity": severity, "reason": "bounce" if severity == "permanent" else "generic"}
    if name == "rejected":
        data["reject"] = {"reason": "Sandbox rule for this recipient", "description": ""}
    if name in ("opened", "clicked", "unsubscribed"):
        data |= {
            "ip": "192.0.2.50",
            "geolocation": {"country": "US", "region": "MA", "city": "Boston"},
            "client-info": {
                "client-name": "Sandbox Mail",
                "client-os": "iOS",
                "client-type": "mobile browser",
                "device-type": "mobile",
                "user-agent": "Mozilla/5.0 (iPhone) SandboxMail/1.0",
            },
        }
    if name == "clicked":
        data["url"] = event.get("url", "")
    return data


def _delivery_status(mail: Mail, event: dict) -> dict:
    name, _, severity = event["event"].partition(".")
    earlier = mail.events[: mail.events.index(event)]
    status = {
        "tls": True,
        "mx-host": "mx.sandbox.example",
        "attempt-no": 1 + sum(1 for each in earlier if each["event"] == "failed.temporary"),
        "description": "",
        "session-seconds": 0.4,
        "utf8": True,
        "certificate-verified": True,
        "code": 250,
        "message": "OK",
    }
    if name == "failed" and severity == "permanent":
        status |= {"code": 550, "message": "5.1.1 The email account that you tried to reach does not exist."}
    elif name == "failed":
        status |= {"code": 450, "message": "4.2.2 The mailbox is over quota, try again later.", "retry-seconds": 600}
    return status
