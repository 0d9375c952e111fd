"""Carriers and mail services: one file each behind the contract of `base`."""

from importlib import import_module
from typing import TYPE_CHECKING

from messaging.providers.base import Provider, ProviderUnusable

if TYPE_CHECKING:
    from messaging.models import SendingIdentity

_KNOWN = {
    "twilio": ("messaging.providers.twilio", "Twilio"),
    "mailgun": ("messaging.providers.mailgun", "Mailgun"),
    "smtp": ("messaging.providers.smtp", "Smtp"),
}

__all__ = ["Provider", "ProviderUnusable", "of"]


def of(identity: "SendingIdentity") -> Provider:
    """The identity at its provider. Raises ProviderUnusable with a sentence for staff."""
    if identity.provider not in _KNOWN:
        raise ProviderUnusable(f"{identity.get_provider_display()} cannot be used yet.")
    # Imported when used: a web process needs neither client library until a webhook comes.
    module, name = _KNOWN[identity.provider]
    return getattr(import_module(module), name)(identity)
