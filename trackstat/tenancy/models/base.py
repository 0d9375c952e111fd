from typing import Any

from django.db import models

from trackstat.tenancy.scope import NoPractice, current_scope, practice_id_in_scope


class PracticeQuerySet(models.QuerySet):
    pass


class PracticeManager(models.Manager.from_queryset(PracticeQuerySet)):
    """Sees the practice in scope; raises NoPractice outside of one instead of quietly finding nothing."""

    def get_queryset(self):
        scope = current_scope()
        if scope.across:
            return super().get_queryset()
        if scope.practice_id is None:
            raise NoPractice(f"{self.model.__name__} belongs to a practice: open practice_scope(practice) first.")
        return super().get_queryset().filter(practice_id=scope.practice_id)


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
