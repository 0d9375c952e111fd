"""The signatures of both services, as their documentation describes them."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable


def twilio_signature(token: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """X-Twilio-Signature: the exact URL with its query, then every field name and value in order, HMAC-SHA1, base64."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def mailgun_signature(signing_key: str) -> dict[str, str]:
    """The `signature` block of a Mailgun webhook; Mailgun stamps it with real time, and the token is used once."""
    timestamp, token = str(int(time.time())), secrets.token_hex(25)
    signed = hmac.new(signing_key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": signed}
