"""The one clock: `trackstat.now()` in SQL, `now()` here. Demo and tests can move it; production refuses that."""

import datetime as dt
from typing import TYPE_CHECKING

from django.db.models import DateTimeField, Func

from trackstat import prepared
from trackstat.tenancy.scope import current_scope

if TYPE_CHECKING:
    from trackstat.tenancy.models import Practice


class Now(Func):
    """`trackstat.now()` as an ORM expression; also the database default of an `…_at` that means "when it happened"."""

    template = "trackstat.now()"
    output_field = DateTimeField()
    arity = 0


def now() -> dt.datetime:
    """The time of the current transaction, UTC, aware; asked of the database once a transaction."""
    moment = current_scope().moment
    if moment is None:
        return _asked()
    if moment.at is None:
        moment.at = _asked()
    return moment.at


def _asked() -> dt.datetime:
    [(at,)] = prepared.run("SELECT trackstat.now()", [])
    return at.astimezone(dt.UTC)


def real_now() -> dt.datetime:
    """The machine's own time, however the product's clock is moved; for the sandbox's commands only."""
    return dt.datetime.now(dt.UTC)


def today(practice: "Practice") -> dt.date:
    """The practice's local date. Rules never read it themselves: it is passed in."""
    return now().astimezone(practice.tz).date()
