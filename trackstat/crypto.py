"""Credentials at rest: Fernet with key rotation (CREDENTIALS_KEYS, newest first)."""

import base64
import hashlib

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def encrypt(plain: str) -> str:
    return _fernet().encrypt(plain.encode()).decode() if plain else ""


def decrypt(token: str) -> str:
    """Raises cryptography.fernet.InvalidToken when no configured key fits."""
    return _fernet().decrypt(token.encode()).decode() if token else ""


def _fernet() -> MultiFernet:
    keys = settings.CREDENTIALS_KEYS or [_derived(settings.SECRET_KEY), *map(_derived, settings.SECRET_KEY_FALLBACKS)]
    return MultiFernet([Fernet(key) for key in keys])


def _derived(secret: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"trackstat credentials" + secret.encode()).digest())
