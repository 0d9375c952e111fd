"""One FHIR server as one connection sees it: signed in, patient, and never believed more than it must be."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import msgspec
import requests

from audience.ehr.clean import printable
from audience.ehr.live import addresses
from audience.ehr.live.keys import assertion
from audience.ehr.live.trouble import Expired, Later, Patience, Refused
from audience.models import EhrConnection

FHIR = "application/fhir+json"
JSON = "application/json"
# The resource types that importing reads; the EHR is asked to allow these.
TYPES = (
    "Patient", "Practitioner", "PractitionerRole", "Organization", "Location", "Appointment", "Encounter", "Condition",
    "Procedure", "EpisodeOfCare", "Account", "Claim", "ExplanationOfBenefit", "Coverage", "ChargeItem", "Invoice",
    "PaymentNotice",
)  # fmt: skip
# Seconds to connect, and between two pieces of an answer.
_TIMEOUT = (10, 60)
# An answer that is held whole: a page of a search, a manifest of thousands of files.
_LARGEST_ANSWER = 64 * 1024 * 1024
_PIECE = 128 * 1024
# Times one request is made before it is left for later.
_TRIES = 4
_PASSING = {408, 425, 429, 500, 502, 503, 504}
# Seconds: what a server may ask us to wait, and for how long we stay away when it says nothing.
_LONGEST_WAIT = 3600
_STAY_AWAY = 60
# Seconds before its end from which on a token is not used any more.
_TOKEN_MARGIN = 20
_SCOPE = re.compile(r"^system/(\*|[A-Za-z]+)\.(\*|read|c?ru?d?s?)$")


class Answer(NamedTuple):
    """What a server said; of a file, the open response in place of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    response: requests.Response


class _Smart(msgspec.Struct):
    token_endpoint: str
    capabilities: list[str] = []
    scopes_supported: list[str] = []
    token_endpoint_auth_signing_alg_values_supported: list[str] = []


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 300
    scope: str = ""


class _OAuthError(msgspec.Struct):
    error: str = ""
    error_description: str = ""


class Server:
    """Raises Later where it does not work at the moment, Refused where somebody has to change something."""

    def __init__(self, connection: EhrConnection, patience: Patience):
        if not connection.client_id or not connection.encrypted_private_key:
            raise Refused("The connection has no client id or no key yet")
        self.connection = connection
        self.patience = patience
        self.base = connection.base_url.rstrip("/") + "/"
        self._http = addresses.session()
        self._smart: _Smart | None = None
        self._token = ""
        self._token_until = 0.0
        self._granted: set[str] = set()

    def get(self, where: str, params: Mapping[str, Any] | None = None, *, prefer: str = "") -> Answer:
        """Whatever the answer is; `where` from the server's base address, or a whole address."""
        headers = {"Accept": FHIR} | ({"Prefer": prefer} if prefer else {})
        return self._signed_in("GET", urljoin(self.base, where), headers=headers, params=params)

    def status(self, url: str) -> Answer:
        return self._signed_in("GET", url, headers={"Accept": JSON})

    def delete(self, url: str) -> Answer:
        return self._signed_in("DELETE", url, headers={"Accept": FHIR})

    @contextmanager
    def file(self, url: str, *, signed_in: bool) -> Iterator[Iterator[bytes]]:
        """The pieces of a file, unpacked. Raises Expired where its link has, and on the way what `requests` does.

        A redirect, as to a storage service, is followed once and without our token.
        """
        ask = self._signed_in if signed_in else self._patiently
        headers = {"Accept": "application/fhir+ndjson", "Accept-Encoding": "gzip"}
        answer = ask("GET", url, headers=headers, stream=True)
        if answer.response.is_redirect:
            answer.response.close()
            url = urljoin(url, answer.headers["Location"])
            answer = self._patiently("GET", url, headers=headers, stream=True)
        with answer.response as response:
            if answer.status in (401, 403, 404, 410):
                raise Expired(f"A link to a file of the export has expired ({answer.status})")
            if answer.status != 200:
                raise Refused(f"{_host(url)} answers {answer.status} for a file of the export")
            yield response.iter_content(_PIECE)

    def granted(self) -> set[str]:
        """The resource types we may read."""
        self._sign_in()
        return self._granted

    def _signed_in(self, method: str, url: str, *, headers: dict[str, str], **how: Any) -> Answer:
        for _ in range(2):
            self._sign_in()
            signed = headers | {"Authorization": f"Bearer {self._token}"}
            answer = self._patiently(method, url, headers=signed, **how)
            if answer.status != 401:
                return answer
            # It may have ended before its time: once more with a new one.
            answer.response.close()
            self._token = ""
        raise Refused(f"{_host(url)} does not accept the access token that it has just given")

    def _patiently(self, method: str, url: str, *, form: Callable[[], dict] | None = None, **how: Any) -> Answer:
        """The answer, once it is neither "too many requests" nor an error of the server's. `form` is made each time."""
        addresses.check(url)
        pause, words = 0.0, ""
        for attempt in range(_TRIES):
            if attempt:
                self.patience.wait(pause, words)
            try:
                answer = self._once(method, url, data=form() if form else None, **how)
            except requests.RequestException as error:
                pause, words = 2.0**attempt, f"{_host(url)} does not answer ({type(error).__name__})"
                continue
            if answer.status not in _PASSING:
                return answer
            answer.response.close()
            asked = retry_after(answer.headers)
            pause = 2.0**attempt if asked is None else asked
            words = f"{_host(url)} answers {answer.status}"
        raise Later(max(pause, _STAY_AWAY), words)

    def _once(self, method: str, url: str, *, stream: bool = False, **how: Any) -> Answer:
        response = self._http.request(method, url, timeout=_TIMEOUT, stream=True, allow_redirects=False, **how)
        return Answer(response.status_code, response.headers, b"" if stream else _whole(response), response)

    def _sign_in(self) -> None:
        if self._token and time.monotonic() < self._token_until:
            return
        smart = self._discover()
        url = urljoin(self.base, smart.token_endpoint)

        def form() -> dict[str, str]:
            return {
                "grant_type": "client_credentials",
                "scope": _scope(smart),
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion(self.connection, url),
            }

        answer = self._patiently("POST", url, headers={"Accept": JSON}, form=form)
        if answer.status not in (200, 201):
            wrong = _decoded(answer.body, _OAuthError) or _OAuthError()
            said = printable(f"{wrong.error}: {wrong.error_description}".strip(": "), 200) or answer.status
            raise Refused(f"{_host(url)} does not let us sign in: {said}")
        token = _decoded(answer.body, _Token)
        if not token:
            raise Refused(f"{_host(url)} gives no access token")
        self._token = token.access_token
        # A token that ends at once is used for one request all the same.
        self._token_until = time.monotonic() + token.expires_in - min(_TOKEN_MARGIN, token.expires_in / 2)
        self._granted = _types(token.scope or _scope(smart))

    def _discover(self) -> _Smart:
        if self._smart is None:
            url = urljoin(self.base, ".well-known/smart-configuration")
            answer = self._patiently("GET", url, headers={"Accept": JSON})
            smart = _decoded(answer.body, _Smart) if answer.status == 200 else None
            if not smart:
                raise Refused(f"{_host(url)} does not say at {url} how to sign in ({answer.status})")
            known = smart.token_endpoint_auth_signing_alg_values_supported
            if known and self.connection.algorithm not in known:
                raise Refused(f"{_host(url)} takes keys for {', '.join(known)}, not for {self.connection.algorithm}")
            self._smart = smart
        return self._smart


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks to wait, given as a number or as a date."""
    said = headers.get("Retry-After", "").strip()
    if said.isdigit():
        return min(float(said), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return min(max(until.timestamp() - time.time(), 0), _LONGEST_WAIT)


def problem(answer: Answer, url: str, doing: str) -> str:
    """In words what an answer means that helps no further. Only codes of what is said in it: texts may name people."""
    outcome = _decoded(answer.body, Outcome)
    codes = sorted({issue.code for issue in outcome.issue} - {""}) if outcome else []
    return printable(f"{_host(url)} answers {answer.status} when {doing}: {', '.join(codes)}".strip(": "), 300)


class Issue(msgspec.Struct):
    severity: str = ""
    code: str = ""


class Outcome(msgspec.Struct):
    """OperationOutcome: how FHIR servers word errors."""

    issue: list[Issue] = []


def _scope(smart: _Smart) -> str:
    """What to ask for: what importing reads, of what the server says it has and as it spells that."""
    may = "rs" if "permission-v2" in smart.capabilities else "read"
    spelled = {}
    for found in filter(None, map(_SCOPE.match, smart.scopes_supported)):
        spelled[found[1]] = {"read": "read", "*": may}.get(found[2], "rs")
    if "*" in spelled:
        return f"system/*.{spelled['*']}"
    spelled = spelled or dict.fromkeys(TYPES, may)
    return " ".join(f"system/{kind}.{spelled[kind]}" for kind in TYPES if kind in spelled)


def _types(scope: str) -> set[str]:
    granted = {found[1] for found in map(_SCOPE.match, scope.split()) if found}
    return set(TYPES) if "*" in granted else granted & set(TYPES)


def _whole(response: requests.Response) -> bytes:
    body = bytearray()
    with response:
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > _LARGEST_ANSWER:
                raise Refused(f"{_host(response.url)} sends more than {_LARGEST_ANSWER // 1024**2} MB in one answer")
    return bytes(body)


def _decoded[T](body: bytes, shape: type[T]) -> T | None:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the EHR"
