"""Named places in the product's processes where one of them can be made to die or to freeze, without touching its code.

`install()` wraps the product's public functions in the process that calls it. A process that comes past a place looks
for a file of that name in the folder of the run; whoever takes the file away first is struck, once. So the rig strikes
by writing a file, and nobody has to be started anew for it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = "CHAOS_FOLDER"

POINTS = {
    "in_materialise": "messages are written, nothing is committed",
    "after_claim": "a chunk is claimed and committed, nothing is armed",
    "in_check": "everything is locked and checked once more, the opt-outs among it; nothing is moved yet",
    "after_arm": "a group is `sending` and committed, no byte has left",
    "before_send": "a thread is about to speak to the carrier or the mail service",
    "after_send": "it was accepted, and nobody has written that down",
    "in_record": "what came of a group is written, nothing is committed",
    "after_record": "what came of a group is committed",
    "in_reap": "expired leases are taken back, nothing is committed",
    "in_reconcile": "the provider's list was read, nothing is concluded from it",
    "in_webhook": "a callback is stored and applied, nothing is committed, nothing is answered",
}

# What happens to whoever comes past.
KILL, KILL_GROUP, FREEZE, CUT = "kill", "kill the group", "freeze", "freeze, then lose the connection"

PRODUCT = ("trackstat", "audience", "messaging", "campaigns", "reports")
_MODULES = (
    *("messaging.tasks", "messaging.dispatch", "messaging.reap", "messaging.reconcile", "messaging.receipts"),
    *("messaging.compose", "messaging.inbound", "messaging.webhooks", "campaigns.tasks", "campaigns.engine"),
)
_PROVIDERS = (("twilio", "Twilio"), ("mailgun", "Mailgun"), ("smtp", "Smtp"))


def passing(point: str, folder: Path | None = None) -> None:
    """Called where `point` is; returns unless this process is the one to be struck here."""
    folder = folder or Path(os.environ[FOLDER])
    taken = folder / f"{point}.taken"
    try:
        (folder / point).rename(taken)
    except FileNotFoundError:
        return
    what = taken.read_text()
    taken.write_text(str(os.getpid()))
    taken.rename(folder / f"{point}.struck")
    if what == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    if what == KILL_GROUP:
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGSTOP)
    # A stop that was sent is obeyed at the next return to user mode, not necessarily before the next line.
    time.sleep(0.01)
    if what == CUT:
        from django.db import OperationalError

        raise OperationalError("the connection was lost")


class Strike:
    """One process is to be struck at `point`; `pid` once it was."""

    def __init__(self, folder: Path, point: str, what: str):
        assert point in POINTS, point
        self.point, self.what, self._struck = point, what, folder / f"{point}.struck"
        self._struck.unlink(missing_ok=True)
        self._waiting = folder / point
        draft = folder / f"{point}.draft"
        draft.write_text(what)
        draft.rename(self._waiting)

    @property
    def pid(self) -> int | None:
        with suppress(FileNotFoundError):
            return int(self._struck.read_text())
        return None

    def thaw(self) -> None:
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)

    def withdraw(self) -> None:
        """Nobody came past; nobody shall be struck any more."""
        self._waiting.unlink(missing_ok=True)


def load() -> None:
    """Import whatever has a point. Needs django.setup()."""
    for name in (*_MODULES, *(f"messaging.providers.{module}" for module, _ in _PROVIDERS)):
        import_module(name)


def install() -> None:
    """Wrap the product's functions in this process. Needs django.setup()."""
    from django.db import transaction

    load()
    from messaging import arm, checks, claim, materialise, outcomes, reap, receipts

    def inside(point: str) -> Callable:
        return lambda result: passing(point)

    def committed(point: str) -> Callable:
        return lambda result: transaction.on_commit(lambda: passing(point))

    def recorded(result: Any) -> None:
        passing("in_record")
        transaction.on_commit(lambda: passing("after_record"))

    _after(materialise.materialise, lambda written: written and passing("in_materialise"))
    _after(claim.claim, lambda claimed: claimed and committed("after_claim")(claimed))
    _after(checks.verdicts, inside("in_check"))
    _after(arm.arm, lambda armed: armed.outgoing and committed("after_arm")(armed))
    _after(outcomes.record_all, recorded)
    _after(reap.reap, lambda counts: any(counts) and passing("in_reap"))
    _after(receipts.settle, inside("in_webhook"))
    for module, name in _PROVIDERS:
        provider = getattr(import_module(f"messaging.providers.{module}"), name)
        provider.send = _around_send(provider.send)
        provider.find = _then(provider.find, inside("in_reconcile"))


def replace(original: Any, new: Any) -> None:
    """Everywhere in the product where `original` was imported to, under whatever name."""
    found = 0
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in PRODUCT:
            for attribute, value in list(vars(module).items()):
                if value is original:
                    setattr(module, attribute, new)
                    found += 1
    if not found:
        raise LookupError(f"{original} is nowhere in the product")


def _after(function: Callable, then: Callable[[Any], Any]) -> None:
    replace(function, _then(function, then))


def _then(function: Callable, then: Callable[[Any], Any]) -> Callable:
    @wraps(function)
    def wrapped(*args: Any, **named: Any) -> Any:
        result = function(*args, **named)
        then(result)
        return result

    return wrapped


def _around_send(send: Callable) -> Callable:
    @wraps(send)
    def wrapped(*args: Any, **named: Any) -> Any:
        passing("before_send")
        result = send(*args, **named)
        if type(result).__name__ == "Accepted":
            passing("after_send")
        return result

    return wrapped
