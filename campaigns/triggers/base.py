"""What a trigger is, and the list of all of them."""

import datetime as dt
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.db import connection
from django.db.models import QuerySet

from campaigns.models import Campaign, Enrollment
from trackstat.tenancy.models import Practice


class BadTrigger(Exception):
    """The trigger or its values are not what it takes; the text is a sentence for staff."""


class Trigger(ABC):
    """What makes a drip start for a patient. One file each in campaigns/triggers, registered by `@register`."""

    key: ClassVar[str]
    label: ClassVar[str]

    def clean(self, value: dict[str, Any]) -> dict[str, Any]:
        """The values as they are kept; raises BadTrigger. This one takes none."""
        if value:
            raise BadTrigger(f"“{self.label}” has no settings of its own.")
        return {}

    @abstractmethod
    def describe(self, value: dict[str, Any]) -> str:
        """The trigger in plain words, e.g. “on the patient's birthday”."""

    @abstractmethod
    def enrol(
        self, campaign: Campaign, practice: Practice, from_: dt.datetime, to: dt.datetime, now: dt.datetime
    ) -> int:
        """Enrol everybody whose message falls due in (from_, to] and is still worth sending at `now`; how many.

        One INSERT … SELECT … ON CONFLICT DO NOTHING for each moment, in the practice's scope.
        """

    @abstractmethod
    def next_check(self, campaign: Campaign, practice: Practice, after: dt.datetime) -> dt.datetime:
        """The earliest moment later than `after` at which somebody may fall due; too early is harmless."""

    @abstractmethod
    def no_longer_true(self, enrollments: list[Enrollment], practice: Practice) -> set[int]:
        """Ids of those enrollments (with their patient) whose reason to write has gone; asked just before sending."""


_TRIGGERS: dict[str, Trigger] = {}


def register(trigger: type[Trigger]) -> type[Trigger]:
    _TRIGGERS[trigger.key] = trigger()
    return trigger


def trigger_for(key: str) -> Trigger:
    """Raises BadTrigger for a key nobody registered."""
    try:
        return _TRIGGERS[key]
    except KeyError:
        raise BadTrigger(f"There is no trigger “{key}”.") from None


def all_triggers() -> list[Trigger]:
    return list(_TRIGGERS.values())


def enrol_patients(
    campaign: Campaign, patients: QuerySet, occurrence: str, due_at: dt.datetime, not_after: dt.datetime
) -> int:
    """One statement; whoever has this occurrence already is left alone. `patients` is a queryset of Patient."""
    sql, values = patients.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO campaigns_enrollment (practice_id, campaign_id, patient_id, occurrence, state, reason,
                    next_position, due_at, not_after, enrolled_at)
                SELECT %s, %s, matching.id, %s, 'active', '', 1, %s, %s, trackstat.now()
                FROM ({sql}) AS matching (id)
                ON CONFLICT DO NOTHING""",
            [campaign.practice_id, campaign.pk, occurrence, due_at, not_after, *values],
        )
        return cursor.rowcount
