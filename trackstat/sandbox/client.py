"""The control API from Python, for tests, demo and fault suite. Standard library only."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen


class SandboxError(Exception):
    """What the sandbox answered, in its words."""


class SandboxClient:
    def __init__(self, url: str, timeout: float = 30):
        self.url = url.rstrip("/")
        self._timeout = timeout

    def health(self) -> dict:
        return self._ask("GET", "/sandbox/health")

    def register_account(
        self,
        sid: str,
        token: str,
        sms_url: str = "",
        numbers: list[str] | None = None,
        services: dict[str, list[str]] | None = None,
        advanced_opt_out: bool = False,
        **more: Any,
    ) -> dict:
        """A second call replaces the first. `more`: friendly_name, opt_out_handling (advanced, default, off)."""
        said: dict[str, Any] = {
            "token": token,
            "sms_url": sms_url,
            "numbers": numbers or [],
            "services": services or {},
        }
        if "opt_out_handling" not in more:
            said["advanced_opt_out"] = advanced_opt_out
        return self._ask("PUT", f"/sandbox/api/accounts/{quote(sid, safe='')}", said | more)

    def register_domain(self, domain: str, api_key: str, signing_key: str, tracking_url: str = "") -> dict:
        said = {"api_key": api_key, "signing_key": signing_key, "tracking_url": tracking_url}
        return self._ask("PUT", f"/sandbox/api/domains/{quote(domain, safe='')}", said)

    def register_ehr(self, name: str, folder: str, clients: dict[str, dict], **more: Any) -> dict:
        """An EHR with the FHIR files of a folder. `clients`: {client id: {jwks or jwks_url, scopes}}; `more`: see docs.

        A second call replaces the first. Answers with its `base_url`.
        """
        return self._ask("PUT", f"/sandbox/api/ehrs/{quote(name)}", {"folder": folder, "clients": clients} | more)

    def ehr(self, name: str) -> dict:
        """What is registered, and the `exports` that lie there."""
        return self._ask("GET", f"/sandbox/api/ehrs/{quote(name)}")

    def delete_in_ehr(self, name: str, references: list[str]) -> dict:
        """The EHR has these no more, e.g. Patient/7."""
        return self._ask("POST", f"/sandbox/api/ehrs/{quote(name)}/deletions", {"references": references})

    def clock(self) -> dict:
        return self._ask("GET", "/sandbox/api/clock")

    def set_clock(self, offset_seconds: float) -> dict:
        return self._ask("PUT", "/sandbox/api/clock", {"offset_seconds": offset_seconds})

    def pace(self) -> dict:
        return self._ask("GET", "/sandbox/api/pace")

    def set_pace(self, **pace: Any) -> dict:
        return self._ask("PUT", "/sandbox/api/pace", pace)

    def faults(self) -> list[dict]:
        """The rules with how often each was looked at (`seen`) and acted (`hits`)."""
        return self._ask("GET", "/sandbox/api/faults")["rules"]

    def set_faults(self, rules: list[dict]) -> list[dict]:
        """Replaces all rules; counters start anew."""
        return self._ask("PUT", "/sandbox/api/faults", {"rules": rules})["rules"]

    def set_line_types(self, rules: list[dict]) -> list[dict]:
        return self._ask("PUT", "/sandbox/api/line-types", rules)

    def ledger(self, kind: str = "", since: int = 0) -> list[dict]:
        """Facts in order. `kind`: one, several with commas, a family as `sms.`; `since`: the last seq already seen."""
        return self._ask("GET", f"/sandbox/api/ledger?{urlencode({'kind': kind, 'since': since})}")["entries"]

    def messages(self, to: str | None = None) -> list[dict]:
        """Texts to one number, or to all, oldest first, shaped as Twilio's."""
        return self._ask("GET", "/sandbox/api/messages" + (f"?{urlencode({'to': to})}" if to else ""))["messages"]

    def opt_outs(self) -> list[dict]:
        return self._ask("GET", "/sandbox/api/opt-outs")["opt_outs"]

    def text_from(self, phone: str, to: str, body: str) -> dict:
        """A patient texts one of our numbers. Returns sid, keyword, what the webhook answered, and the replies."""
        return self._ask("POST", f"/sandbox/api/phones/{quote(phone, safe='')}/send", {"to": to, "body": body})

    def mails(self, to: str | None = None) -> list[dict]:
        """Emails to one address, or to all, oldest first, without their content."""
        return self._ask("GET", "/sandbox/api/mail" + (f"?{urlencode({'to': to})}" if to else ""))["mail"]

    def mail(self, mail_id: str) -> dict:
        """One email with headers, text, html, links."""
        return self._ask("GET", f"/sandbox/api/mail/{mail_id}")

    def unsubscribe(self, mail_id: str) -> dict:
        """The mail program's one-click button (RFC 8058). Returns url and HTTP answer."""
        return self._ask("POST", f"/sandbox/api/mail/{mail_id}/unsubscribe")

    def open(self, mail_id: str) -> dict:
        return self._ask("POST", f"/sandbox/api/mail/{mail_id}/open")

    def click(self, mail_id: str, url: str = "") -> dict:
        return self._ask("POST", f"/sandbox/api/mail/{mail_id}/click", {"url": url})

    def complain(self, mail_id: str) -> dict:
        return self._ask("POST", f"/sandbox/api/mail/{mail_id}/complain")

    def settle(self, timeout: float = 30) -> None:
        """Wait until no status, event, callback or webhook is to come. Raises TimeoutError."""
        self._until(lambda: self.health()["pending"] == 0, timeout, "the sandbox still has something to do")

    def wait_for(self, kind: str, count: int = 1, *, since: int = 0, timeout: float = 30) -> list[dict]:
        """Wait for that many facts of a kind. Raises TimeoutError."""
        self._until(lambda: len(self.ledger(kind, since)) >= count, timeout, f"fewer than {count} {kind}")
        return self.ledger(kind, since)

    def _until(self, reached: Callable[[], bool], timeout: float, otherwise: str) -> None:
        deadline = time.monotonic() + timeout
        while not reached():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{otherwise} after {timeout} s")
            time.sleep(0.03)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=self._timeout) as answer:
                return json.load(answer)
        except HTTPError as wrong:
            text = wrong.read().decode(errors="replace")
            with suppress(ValueError, KeyError, TypeError):
                text = json.loads(text)["error"]
            raise SandboxError(f"{wrong.code}: {text}") from None
