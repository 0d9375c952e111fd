from tests.messaging.conftest import noon
from tests.sandbox.conftest import sandbox, sandbox_server

__all__ = ["noon", "sandbox", "sandbox_server"]
