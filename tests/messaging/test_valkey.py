"""Without Valkey nothing waits: what is asked of it is answered otherwise."""

import socket
import threading

import pytest
import redis

from messaging import rates
from tests.factories import TextIdentityFactory
from trackstat import valkey


@pytest.fixture
def hung_up(settings):
    """How often somebody has called a Valkey that hangs up."""
    calls, taken = [], socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            try:
                caller, _ = taken.accept()
            except OSError:
                return
            calls.append(1)
            caller.close()

    threading.Thread(target=answer, daemon=True).start()
    settings.REDIS_URL = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
    yield calls
    taken.shutdown(socket.SHUT_RDWR)
    taken.close()


def test_valkey_is_called_twice_and_not_waited_for(hung_up):
    with pytest.raises(redis.RedisError):
        valkey.client().ping()
    assert len(hung_up) == 2


def test_rates_without_valkey_let_messages_go(hung_up, in_northside, monkeypatch):
    monkeypatch.setattr(rates, "_script", lambda source: valkey.client().register_script(source))
    granted, _ = rates.take(TextIdentityFactory(), [1, 1])
    assert granted > 0
    assert hung_up
