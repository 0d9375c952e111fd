from typing import Any

from django import forms
from django.db import models


class PracticeChoiceField(forms.ModelChoiceField):
    """Offers the rows of the practice in scope when the form is made; the class itself is made outside of any."""

    def __deepcopy__(self, memo):
        field = super().__deepcopy__(memo)
        field.queryset = self.queryset.model.objects.all()
        return field


class PracticeForeignKey(models.ForeignKey):
    """A reference between two tables of a practice.

    Django's own constraint and index are off: foreign keys ignore row-level security, so the migration operation
    `Isolate` makes a composite one on (practice_id, …) instead, and indexes start with practice_id.
    """

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **kwargs: Any):
        kwargs["db_constraint"] = False
        kwargs["db_index"] = False
        super().__init__(to, on_delete, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["db_constraint"], kwargs["db_index"]
        return name, path, args, kwargs

    def formfield(self, *, using=None, **kwargs):
        queryset = self.remote_field.model._base_manager.using(using)
        defaults: dict[str, Any] = {"form_class": PracticeChoiceField, "queryset": queryset, "blank": self.blank}
        return models.Field.formfield(self, **defaults | kwargs)
