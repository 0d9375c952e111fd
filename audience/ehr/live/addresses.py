"""Which addresses may be spoken to: public ones, encrypted. What a practice enters must not reach into our network.

A name is looked at when it is resolved and again when the connection stands, so one that answers differently the second
time gets nowhere. The one exception is the sandbox, where there is one.
"""

import ipaddress
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from audience.ehr.live.trouble import Refused

# IPv4 addresses as networks that speak only IPv6 write them.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def check(url: str) -> None:
    """Raises Refused for an address that is never asked."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("The EHR names an address that is none") from None
    if parts.scheme in ("http", "https") and _is_sandbox(parts.hostname, port):
        return
    if parts.scheme != "https" or not parts.hostname:
        raise Refused(f"The address {parts.scheme}://{parts.hostname or ''} is not encrypted: it must begin with https")
    if parts.username or parts.password:
        raise Refused(f"The address of {parts.hostname} holds a password")
    with suppress(ValueError):
        # Other names are looked at when they are resolved.
        _refuse_private(parts.hostname, str(ipaddress.ip_address(parts.hostname)))


def session() -> requests.Session:
    """HTTP that follows no redirect by itself, uses no proxy or password of the machine's, and keeps to `check`."""
    made = requests.Session()
    made.trust_env = False
    for scheme in ("https://", "http://"):
        made.mount(scheme, _Adapter())
    return made


class _Guarded:
    host: str
    port: int | None
    timeout: Any

    def _new_conn(self) -> socket.socket:
        if _is_sandbox(self.host, self.port):
            return super()._new_conn()
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError:
            found = []  # Said again, in urllib3's words, by the attempt to connect.
        for *_, place in found:
            _refuse_private(self.host, str(place[0]))
        made = super()._new_conn()
        try:
            _refuse_private(self.host, made.getpeername()[0])
        except Refused:
            made.close()
            raise
        return made


class _Plain(_Guarded, HTTPConnection):
    pass


class _Secure(_Guarded, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


def _refuse_private(host: str, found: str) -> None:
    address = ipaddress.ip_address(found.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        else:
            address = address.ipv4_mapped or address
    if not address.is_global or address.is_multicast:
        raise Refused(f"{host} is an address inside a private network: nothing there is asked")


def _is_sandbox(host: str | None, port: int | None) -> bool:
    sandbox = urlsplit(settings.SANDBOX_URL)
    return bool(settings.SANDBOX_URL) and (host, port) == (sandbox.hostname, sandbox.port)
