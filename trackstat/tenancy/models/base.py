from typing import Any

from django.db import models

from trackstat.tenancy.scope import NoPractice, current_scope, practice_id_in_scope


class PracticeQuerySet(models.QuerySet):
    pass


class PracticeManager(models.Manager.from_queryset(PracticeQuerySet)):
    """Sees the practice in scope; raises NoPractice outside of one instead of quietly finding nothing."""

    # The practice that was asked for last, and its rows, as a query that is never run: most queries begin with it.
    _last: tuple[int | None, models.QuerySet] | None = None

    def get_queryset(self):
        scope = current_scope()
        if scope.across:
            return self._narrowed(super().get_queryset())
        if scope.practice_id is None:
            raise NoPractice(f"{self.model.__name__} belongs to a practice: open practice_scope(practice) first.")
        last = self._last
        if last is None or last[0] != scope.practice_id:
            own = super().get_queryset().filter(practice_id=scope.practice_id)
            last = self._last = (scope.practice_id, self._narrowed(own))
        return last[1].all()

    def _narrowed(self, rows: models.QuerySet) -> models.QuerySet:
        return rows


class PracticeModel(models.Model):
    """A row of one practice. Its migration must put `Isolate("<Model>")` behind `CreateModel`; a test looks."""

    practice: Any = models.ForeignKey(
        "tenancy.Practice",
        models.PROTECT,
        default=practice_id_in_scope,
        editable=False,
        db_index=False,
        related_name="+",
    )

    objects = PracticeManager()

    class Meta:
        abstract = True
