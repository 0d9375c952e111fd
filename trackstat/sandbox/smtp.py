"""A plain SMTP mailbox: takes everything for anybody, but for the recipients and faults that say otherwise."""

import asyncio
import logging
import re
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesHeaderParser
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from trackstat.sandbox.clock import Clock
from trackstat.sandbox.faults import Faults, Rule
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.mails import Mail, Mails, address_of, new_id

logging.getLogger("mail.log").setLevel(logging.CRITICAL)

_BOUNCE = re.compile(r"bounce(\d*|[+._-].*)@.*")
_SOFT = re.compile(r"soft(\d*|[+._-].*)@.*")


@dataclass
class Mailbox:
    """aiosmtpd's handler. `bounce@` is refused for good, `soft@` the first time, as a greylisting server would."""

    clock: Clock
    faults: Faults
    ledger: Ledger
    mails: Mails
    _greylisted: set[str] = field(default_factory=set)

    def server(self) -> SMTP:
        return SMTP(
            self,
            hostname="sandbox.trackstat.example",
            ident="TrackStat sandbox",
            enable_SMTPUTF8=True,
            authenticator=_sign_in,
            auth_require_tls=False,
        )

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options) -> str:
        bare = address_of(address)
        if _BOUNCE.fullmatch(bare):
            return self._refuse(
                envelope, [address], "550 5.1.1 The email account that you tried to reach does not exist"
            )
        if _SOFT.fullmatch(bare) and bare not in self._greylisted:
            self._greylisted.add(bare)
            return self._refuse(envelope, [address], "451 4.7.1 Greylisted, try again later")
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.original_content or b""
        subject = {"to": ", ".join(envelope.rcpt_tos), "from": envelope.mail_from or "", "body": ""}
        await asyncio.sleep(self.faults.latency("smtp", **subject))
        fault = self.faults.pick("smtp", **subject)
        if fault:
            self.ledger.append("fault", where="smtp", action=fault.action, subject=subject["to"])
            if answer := self._refused_by(fault, server, envelope):
                return answer
        self._keep(envelope, raw)
        if fault and fault.action == "stall_after":
            await asyncio.sleep(fault.seconds)
        elif fault:
            _hang_up(server)
        return "250 OK: queued"

    def _refused_by(self, fault: Rule, server: SMTP, envelope: Envelope) -> str | None:
        if fault.action == "smtp_4xx":
            return self._refuse(envelope, envelope.rcpt_tos, "451 4.3.0 Try again later")
        if fault.action == "smtp_5xx":
            return self._refuse(envelope, envelope.rcpt_tos, "554 5.7.1 Message refused")
        if fault.action == "smtp_drop_before_data":
            _hang_up(server)
            return "421 4.3.2 Closing"
        return None

    def _refuse(self, envelope: Envelope, recipients: list[str], answer: str) -> str:
        self.ledger.append("smtp.rejected", sender=envelope.mail_from, to=recipients, answer=answer)
        return answer

    def _keep(self, envelope: Envelope, raw: bytes) -> None:
        # Only what the ledger names: reading a whole email takes longer than everything else about it.
        said = BytesHeaderParser(policy=policy.default).parsebytes(raw)
        start, size = self.mails.keep(raw)
        for recipient in envelope.rcpt_tos:
            facts: dict[str, Any] = {
                "id": new_id(),
                "domain": address_of(envelope.mail_from or "").rpartition("@")[2],
                "message_id": str(said["Message-ID"] or ""),
                "sender": str(said["From"] or "") or envelope.mail_from or "",
                "to": recipient,
                "subject": str(said["Subject"] or ""),
                "start": start,
                "size": size,
                "format": "mime",
            }
            self.ledger.append("smtp.accepted", **facts)
            self.mails.add(Mail(via="smtp", at=self.clock.now(), **facts))


def _sign_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    """Anybody with any password but "wrong"."""
    wrong = isinstance(given, LoginPassword) and given.password == b"wrong"
    return AuthResult(success=not wrong, handled=False)


def _hang_up(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.Transport):
        server.transport.abort()
