"""Form fields for the values of filters: strict about what comes in, and able to say it back as JSON."""

from typing import Any, ClassVar

from django import forms
from django.db.models import Model
from django.utils.functional import cached_property

_BIGGEST = 2**63 - 1


class Whole(forms.IntegerField):
    """A whole number, smallest to largest."""

    def __init__(self, smallest: int, largest: int, **given: Any) -> None:
        super().__init__(min_value=smallest, max_value=largest, **given)

    def shape(self) -> str:
        return f"whole number {self.min_value} to {self.max_value}"


class Day(forms.DateField):
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    input_formats = ["%Y-%m-%d"]

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value and not 1900 <= value.year <= 2200:
            raise forms.ValidationError("choose a year between 1900 and 2200.")

    def shape(self) -> str:
        return "date YYYY-MM-DD"


class OneOf(forms.ChoiceField):
    def shape(self) -> str:
        return f"one of {', '.join(str(key) for key, _ in self.choices)}"  # type: ignore[union-attr]


class AnyOf(forms.MultipleChoiceField):
    """One or more of fixed words."""

    widget = forms.CheckboxSelectMultiple

    def shape(self) -> str:
        return f"list of {', '.join(str(key) for key, _ in self.choices)}"  # type: ignore[union-attr]


class Rows(forms.MultipleChoiceField):
    """Ids of rows of the practice in scope, offered by name. Whether they exist is asked only by `missing`.

    Reading a stored definition therefore costs no query; `validate` and the builder ask.
    """

    widget = forms.CheckboxSelectMultiple

    def __init__(self, model: type[Model], what: str, most: int = 50, **given: Any) -> None:
        super().__init__(choices=self._offered, **given)
        self.model, self.what, self.most = model, what, most

    def _offered(self) -> list[tuple[int, str]]:
        return [(row.pk, str(row)) for row in self.model.objects.all()]  # type: ignore[attr-defined]

    def to_python(self, value: Any) -> list[int]:
        try:
            ids = list(dict.fromkeys(int(each) for each in super().to_python(value)))
        except ValueError:
            raise forms.ValidationError(f"Choose {self.what}s from the list.") from None
        if any(not 0 < each <= _BIGGEST for each in ids):
            raise forms.ValidationError(f"Choose {self.what}s from the list.")
        if len(ids) > self.most:
            raise forms.ValidationError(f"Choose at most {self.most} {self.what}s.")
        return ids

    def validate(self, value: list[int]) -> None:
        if self.required and not value:
            raise forms.ValidationError(f"Choose at least one {self.what}.")

    def missing(self, ids: list[int]) -> bool:
        return self.model.objects.filter(pk__in=ids).count() != len(ids)  # type: ignore[attr-defined]

    def shape(self) -> str:
        return f"list of ids of {self.what}s"


class ValuesForm(forms.Form):
    """The values of one filter. Takes JSON or posted fields; `values` are typed, `json` is what gets stored."""

    use_required_attribute = False
    malformed = ""
    # Values for fields that come into view because another one changed.
    usual: ClassVar[dict[str, Any]] = {}
    # The word before a field, where the sentence needs one: from [18] to [65].
    joints: ClassVar[dict[str, str]] = {}

    @classmethod
    def of(cls, value: Any, prefix: str | None = None) -> "ValuesForm":
        """A bound form for a value from a definition; what is not shaped like one makes it invalid, not an error."""
        plain = _as_posted(value) if _is_plain(value) else {}
        form = cls({f"{prefix}-{name}" if prefix else name: each for name, each in plain.items()}, prefix=prefix)
        if not _is_plain(value):
            form.malformed = "The values of this filter are not understood. Choose them again."
        elif unknown := set(value) - set(cls.base_fields):
            form.malformed = f"This filter has no value “{sorted(unknown)[0]}”. Choose its values again."
        return form

    def shown(self) -> list[forms.BoundField]:
        """The fields to fill in as the others stand; the rest is left out of page and value."""
        return list(self)

    def joint(self, name: str) -> str:
        return self.joints.get(name, "")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.malformed:
            raise forms.ValidationError(self.malformed)
        return cleaned

    @cached_property
    def sentence(self) -> str:
        """The first thing that is wrong, '' when nothing is."""
        for name, errors in self.errors.items():
            words = str(errors[0])
            return words if name == "__all__" else f"{self.fields[name].label or name.capitalize()}: {words}"
        return ""

    @property
    def json(self) -> dict[str, Any]:
        """The typed values as JSON, without empty ones."""
        cleaned = self.cleaned_data
        return {
            name: value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in cleaned.items()
            if value not in (None, "", [])
        }


def _is_plain(value: Any) -> bool:
    """Numbers and strings, and flat lists of them; JSON's true is not the number one."""
    return isinstance(value, dict) and all(
        _is_word(each) or each is None or (isinstance(each, list) and all(map(_is_word, each)))
        for each in value.values()
    )


def _is_word(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= _BIGGEST
    return isinstance(value, str) and len(value) <= 200


def _as_posted(value: dict[str, Any]) -> dict[str, Any]:
    return {
        str(name): [str(one) for one in each] if isinstance(each, list) else "" if each is None else str(each)
        for name, each in value.items()
    }
