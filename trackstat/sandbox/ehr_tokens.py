"""Signing in to the stand-in EHR as SMART Backend Services has it: a JWT signed with a key the EHR was told of."""

import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt

from trackstat.sandbox.ehrs import Ehr, EhrClient

ALGORITHMS = ("RS384", "ES384")
_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Seconds into the future that an assertion may end at most.
_LONGEST = 300
_SCOPE = re.compile(r"system/(\*|[A-Za-z]+)\.(\*|read|c?ru?d?s?)")


class NotSignedIn(Exception):
    """OAuth's word for why, and a sentence."""

    def __init__(self, error: str, description: str):
        self.error, self.description = error, description
        super().__init__(description)


@dataclass
class Token:
    ehr: str
    client: str
    scopes: list[str]
    until: float

    def may_read(self, kind: str) -> bool:
        return any(found[1] in ("*", kind) for found in map(_SCOPE.fullmatch, self.scopes) if found)


@dataclass
class Tokens:
    """All by the real time, as an EHR's are. Not kept over a restart."""

    _tokens: dict[str, Token] = field(default_factory=dict)
    _seen: dict[str, float] = field(default_factory=dict)

    async def sign_in(self, session: aiohttp.ClientSession, ehr: Ehr, url: str, form: dict[str, str]) -> dict[str, Any]:
        """The answer with a token. Raises NotSignedIn."""
        if form.get("grant_type") != "client_credentials":
            raise NotSignedIn("unsupported_grant_type", "grant_type is client_credentials")
        if form.get("client_assertion_type") != _TYPE:
            raise NotSignedIn("invalid_request", f"client_assertion_type is {_TYPE}")
        name, client = await self._verified(session, ehr, url, form.get("client_assertion", ""))
        scopes = _granted(client, form.get("scope", "").split())
        if not scopes:
            raise NotSignedIn("invalid_scope", "none of these scopes is granted")
        secret = secrets.token_urlsafe(32)
        self._tokens[secret] = Token(ehr.name, name, scopes, time.time() + ehr.token_seconds)
        return {
            "access_token": secret,
            "token_type": "bearer",
            "expires_in": ehr.token_seconds,
            "scope": " ".join(scopes),
        }

    def bearer(self, ehr: Ehr, authorization: str | None) -> Token | None:
        """The token that the header carries, if it is still one of this EHR's."""
        scheme, _, secret = (authorization or "").partition(" ")
        token = self._tokens.get(secret) if scheme.lower() == "bearer" else None
        return token if token and token.ehr == ehr.name and token.until > time.time() else None

    def take_back(self, authorization: str | None) -> None:
        self._tokens.pop((authorization or "").partition(" ")[2], None)

    async def _verified(
        self, session: aiohttp.ClientSession, ehr: Ehr, url: str, assertion: str
    ) -> tuple[str, EhrClient]:
        try:
            head = jwt.get_unverified_header(assertion)
            claimed = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError as wrong:
            raise NotSignedIn("invalid_client", f"the assertion is no JWT: {wrong}") from wrong
        name = str(claimed.get("iss"))
        client = ehr.clients.get(name)
        if client is None:
            raise NotSignedIn("invalid_client", "nobody is registered by that name")
        if head.get("alg") not in ALGORITHMS:
            raise NotSignedIn("invalid_client", f"the algorithm is one of {', '.join(ALGORITHMS)}")
        key = await _key(session, client, head.get("kid"), head["alg"])
        try:
            claims = jwt.decode(
                assertion, key, [head["alg"]], audience=url, options={"require": ["exp", "jti", "sub", "iss", "aud"]}
            )
        except jwt.PyJWTError as wrong:
            raise NotSignedIn("invalid_client", str(wrong)) from wrong
        now = time.time()
        if claims["sub"] != name or claims["exp"] > now + _LONGEST:
            raise NotSignedIn("invalid_client", "sub is iss, and exp at most five minutes away")
        self._seen = {jti: until for jti, until in self._seen.items() if until > now}
        if claims["jti"] in self._seen:
            raise NotSignedIn("invalid_client", "this assertion was used before")
        self._seen[claims["jti"]] = claims["exp"]
        return name, client


async def _key(session: aiohttp.ClientSession, client: EhrClient, kid: Any, algorithm: str) -> jwt.PyJWK:
    keys = (client.jwks or {}).get("keys", [])
    if client.jwks_url:
        try:
            timeout = aiohttp.ClientTimeout(total=5)
            async with session.get(client.jwks_url, timeout=timeout, raise_for_status=True) as answer:
                keys = (await answer.json(content_type=None))["keys"]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as wrong:
            raise NotSignedIn("invalid_client", "the key set cannot be fetched") from wrong
    for key in keys:
        if key.get("kid") == kid and key.get("alg", algorithm) == algorithm:
            try:
                return jwt.PyJWK(key, algorithm)
            except jwt.PyJWTError as wrong:
                raise NotSignedIn("invalid_client", f"the registered key cannot be used: {wrong}") from wrong
    raise NotSignedIn("invalid_client", "no registered key has this kid and algorithm")


def _granted(client: EhrClient, asked: list[str]) -> list[str]:
    """Those asked for that the client has, a wildcard covering its types."""
    own = [found for found in map(_SCOPE.fullmatch, client.scopes) if found]
    granted = []
    for found in map(_SCOPE.fullmatch, asked):
        if found and any(have[1] in ("*", found[1]) and have[2] in ("*", found[2]) for have in own):
            granted.append(found[0])
    return granted
