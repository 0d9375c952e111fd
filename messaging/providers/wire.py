"""HTTP to providers that knows whether any byte of a request left: the line between "later" and "unclear".

The answer decides whether a message may be handed over again, so it is not guessed from exception classes.
"""

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_this_thread = threading.local()


def forget() -> None:
    """Call before a request: nothing of it has left yet."""
    _this_thread.bytes_left = False


def bytes_left() -> bool:
    """Whether this thread gave any byte to a socket since `forget()`. A TLS handshake is not a request."""
    return getattr(_this_thread, "bytes_left", True)


class _NotesBytes:
    sock: Any
    connect: Callable[[], None]

    def send(self, data):
        if self.sock is None:
            self.connect()
        _this_thread.bytes_left = True
        return super().send(data)


class _Plain(_NotesBytes, HTTPConnection):
    pass


class _Secure(_NotesBytes, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def proxy_manager_for(self, *args, **kwargs):
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        return manager


def mount(session: requests.Session, connections: int) -> requests.Session:
    """Give the session our connections, one for each sending thread, and no retries."""
    adapter = _Adapter(pool_connections=4, pool_maxsize=connections, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def rebased(url: str, base: str) -> str:
    """The same path and query at another scheme, host and port."""
    to, old = urlsplit(base), urlsplit(url)
    return urlunsplit((to.scheme, to.netloc, to.path.rstrip("/") + old.path, old.query, ""))
