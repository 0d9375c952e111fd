"""The key a connection signs in with: SMART Backend Services, private_key_jwt."""

import base64
import hashlib
import json
import time
import uuid
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from audience.models import EhrConnection

# Seconds an assertion is good for; servers refuse more than 300.
_GOOD_FOR = 240
# What RFC 7638 takes for a key's fingerprint.
_IN_THUMBPRINT = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}

type _Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def give_key(connection: EhrConnection) -> None:
    """A fresh key for the connection's algorithm; what the EHR knew before opens nothing any more. Not saved."""
    key: _Key
    if connection.algorithm == EhrConnection.Algorithm.ES384:
        key = ec.generate_private_key(ec.SECP384R1())
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    connection.private_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    connection.key_id = _thumbprint(_public(key))


def key_set(connection: EhrConnection) -> dict[str, list[dict[str, Any]]]:
    """The JWKS to register with the EHR: the public key only."""
    of = {"kid": connection.key_id, "alg": connection.algorithm, "use": "sig", "key_ops": ["verify"]}
    return {"keys": [_public(_key(connection)) | of]}


def assertion(connection: EhrConnection, token_url: str) -> str:
    """A signed JWT for one token request. By the real time: the product's clock may stand elsewhere."""
    now = int(time.time())
    claims = {
        "iss": connection.client_id,
        "sub": connection.client_id,
        "aud": token_url,
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + _GOOD_FOR,
    }
    return jwt.encode(claims, connection.private_key, connection.algorithm, headers={"kid": connection.key_id})


def _key(connection: EhrConnection) -> _Key:
    return cast(_Key, serialization.load_pem_private_key(connection.private_key.encode(), None))


def _public(key: _Key) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        found = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        found = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: found[name] for name in _IN_THUMBPRINT[found["kty"]]}


def _thumbprint(public: dict[str, Any]) -> str:
    canonical = json.dumps(public, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
