"""Form fields for the values of filters: strict about what comes in, and able to say it back as JSON."""

import re
from typing import Any, ClassVar

from django import forms
from django.utils.functional import cached_property

from audience.filters.choices import Picked

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


class Dollars(forms.Field):
    """An amount typed in dollars ("2,000", "99.50"), taken as US cents and stored as it is said in dollars."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "size": 8})

    def to_python(self, value: Any) -> int | None:
        words = str(value or "").strip().removeprefix("$").replace(",", "")
        if not words:
            return None
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", words):
            raise forms.ValidationError("give dollars and cents, such as 250 or 99.50.")
        whole, _, part = words.partition(".")
        return int(whole) * 100 + int(part.ljust(2, "0"))

    def stored(self, cents: int) -> str:
        whole, part = divmod(cents, 100)
        return f"{whole}.{part:02}" if part else str(whole)

    def shape(self) -> str:
        return "US dollars, as 250 or 99.50"


class Words(forms.TextInput):
    """Words typed one after the other into one line; the value is their list."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        given = data.get(name)
        return given if isinstance(given, list) else re.split(r"[\s,;]+", given or "")

    def format_value(self, value: Any) -> str:
        return ", ".join(value) if isinstance(value, list) else value or ""


class Beginnings(forms.Field):
    """Codes or how they begin: "02118, 0213". The value is a list, in capitals, each once."""

    widget = Words
    most = 100
    longest = 12

    def __init__(self, what: str, shortest: int, **given: Any) -> None:
        super().__init__(**given)
        self.what, self.shortest = what, shortest

    def to_python(self, value: Any) -> list[str]:
        given = value if isinstance(value, list) else [value or ""]
        found = list(dict.fromkeys(word for each in given if (word := str(each).strip().upper())))
        for word in found:
            if not re.fullmatch(r"[A-Z0-9][A-Z0-9.-]*", word) or not self.shortest <= len(word) <= self.longest:
                raise forms.ValidationError(
                    f"“{word[:20]}” is no {self.what}: write {self.shortest} to {self.longest} letters or digits."
                )
        if len(found) > self.most:
            raise forms.ValidationError(f"Give at most {self.most} {self.what}s.")
        return found

    def shape(self) -> str:
        return f"list of {self.what}s or of how they begin"


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

    def offering(self, *names: str) -> list[forms.BoundField]:
        """Of optional fields that pick from lists: those that have something to pick."""
        return [bound for bound in map(self.__getitem__, names) if not bound.is_empty]  # type: ignore[attr-defined]

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
            says_all = name == "__all__" or isinstance(self.fields[name], Picked)
            return words if says_all else f"{self.fields[name].label or name.capitalize()}: {words}"
        return ""

    @property
    def json(self) -> dict[str, Any]:
        """The typed values as JSON, without empty ones."""
        cleaned = self.cleaned_data
        return {
            name: stored(value) if (stored := getattr(self.fields[name], "stored", None)) else _as_json(value)
            for name, value in cleaned.items()
            if value not in (None, "", [])
        }


def _as_json(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


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
