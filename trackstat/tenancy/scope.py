"""Which practice the current thread works for. The two ways in: `practice_scope` and `across_practices`.

Each opens a transaction, tells PostgreSQL's row-level security with transaction-local settings, and remembers the
same for the guarded managers. Session-level settings would be seen by the next borrower of a pooled connection.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import connection, transaction

from trackstat import prepared

if TYPE_CHECKING:
    from trackstat.tenancy.models import Practice, User


class NoPractice(Exception):
    """A practice's table was asked for outside `practice_scope` and `across_practices`."""


@dataclass
class Moment:
    """The time of a transaction, once it was asked: it is the same for every practice and role."""

    at: dt.datetime | None = None


@dataclass(frozen=True)
class Scope:
    practice_id: int | None = None
    user_id: int | None = None
    across: str = ""
    # None outside of a transaction; scopes inside one another have the same.
    moment: Moment | None = field(default=None, compare=False, repr=False)


_NOWHERE = Scope()
_TELL = "SELECT set_config('trackstat.practice', %s, true), set_config('trackstat.user', %s, true)"
_scope: ContextVar[Scope] = ContextVar("practice_scope", default=_NOWHERE)


def current_scope() -> Scope:
    return _scope.get()


def current_practice_id() -> int:
    """Id of the practice in scope; raises NoPractice when there is none."""
    practice_id = _scope.get().practice_id
    if practice_id is None:
        raise NoPractice("Open practice_scope(practice) first.")
    return practice_id


def practice_id_in_scope() -> int | None:
    """Default of every row's practice. Outside a scope it is None, which the database refuses."""
    return _scope.get().practice_id


@contextmanager
def practice_scope(practice: "Practice | int | None", user: "User | int | None" = None) -> Iterator[None]:
    """Work as one practice, inside one transaction (or savepoint).

    `practice` None with a `user` sees only what belongs to the person: their own memberships.
    On an exception everything is rolled back.
    """
    before = _scope.get()
    scope = Scope(_id(practice), _id(user), moment=before.moment or Moment())
    nested = connection.in_atomic_block
    with transaction.atomic():
        if before.across:
            _set_role("NONE")
        _tell(scope)
        token = _scope.set(scope)
        try:
            yield
        finally:
            _scope.reset(token)
        # Releasing a savepoint keeps SET LOCAL values; a rollback and the transaction's end take them back themselves.
        if nested and not connection.needs_rollback:
            _tell(before)
            if before.across:
                _set_role("trackstat_across")


@contextmanager
def across_practices(reason: str) -> Iterator[None]:
    """Read the few tables that the tick, webhooks and unsubscribe links must search over all practices."""
    before = _scope.get()
    with transaction.atomic():
        _set_role("trackstat_across")
        token = _scope.set(Scope(None, before.user_id, across=reason, moment=before.moment or Moment()))
        try:
            yield
        finally:
            _scope.reset(token)
        if not before.across and not connection.needs_rollback:
            _set_role("NONE")


def _id(thing) -> int | None:
    return getattr(thing, "pk", thing)


def _tell(scope: Scope) -> None:
    prepared.run(_TELL, [str(scope.practice_id or ""), str(scope.user_id or "")])


def _set_role(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {role}")
