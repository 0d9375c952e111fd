"""Fields to pick some of a list that only the practice's own data knows: rows of it, or words in a column.

Short lists are shown whole. Long ones (2,000 diagnosis codes, 500 cities) are searched on the server: the page shows
what is picked, and what was found (templates/audience/choices.html, the view `audience:choices`).
"""

from typing import Any, NamedTuple

from django import forms
from django.db.models import Count, Max, Model, Q, QuerySet
from django.utils.functional import cached_property

from audience.models import Patient

_BIGGEST = 2**63 - 1
# Lists up to this length are shown whole; of longer ones a search shows so many.
SHORT = 7
FOUND = 20


class Option(NamedTuple):
    value: str
    label: str


class Chooser(forms.BoundField):
    """A field for picking, on a page: what is picked and, after a search, what was found."""

    field: "Picked"
    words: str | None = None

    def search(self, words: str) -> None:
        self.words = " ".join(words.split())[:100]

    @cached_property
    def is_long(self) -> bool:
        return self.field.is_long()

    @cached_property
    def is_empty(self) -> bool:
        return self.field.is_empty()

    @cached_property
    def picked(self) -> list[Option]:
        value = self.value()
        return self.field.labels([str(each) for each in value]) if isinstance(value, list | tuple) else []

    @cached_property
    def found(self) -> list[Option]:
        """Without what is picked already; one more than is shown says that there are others."""
        if self.words is None:
            return []
        picked = {option.value for option in self.picked}
        most = FOUND + 1 + len(picked)
        return [each for each in self.field.search(self.words, most) if each.value not in picked][: FOUND + 1]

    @property
    def shown(self) -> list[Option]:
        return self.found[:FOUND]

    @property
    def has_more(self) -> bool:
        return len(self.found) > FOUND


class Picked(forms.MultipleChoiceField):
    """`what`: one of them in words, singular. `most` may be picked."""

    widget = forms.CheckboxSelectMultiple
    bound_field_class = Chooser

    def __init__(self, what: str, most: int = 50, whats: str = "", **given: Any) -> None:
        super().__init__(choices=lambda: self.search("", SHORT), **given)
        self.what, self.whats, self.most = what, whats or f"{what}s", most

    def is_long(self) -> bool:
        """Too long to be shown whole."""
        return len(self.search("", SHORT + 1)) > SHORT

    def is_empty(self) -> bool:
        return not self.search("", 1)

    def search(self, words: str, most: int) -> list[Option]:
        """Those in which every word occurs."""
        raise NotImplementedError

    def labels(self, values: list[str]) -> list[Option]:
        """For what is picked; what is not there any more says so, and can be taken away."""
        raise NotImplementedError

    def missing(self, values: Any) -> bool:
        """Something picked is gone, or another practice's: to the database they are the same."""
        return False

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise forms.ValidationError(f"Choose at least one {self.what}.")

    def _once(self, values: Any) -> list[Any]:
        once = list(dict.fromkeys(values))
        if len(once) > self.most:
            raise forms.ValidationError(f"Choose at most {self.most} {self.whats}.")
        return once


class Rows(Picked):
    """Ids of rows of the practice in scope, offered by name. Whether they exist is asked only by `missing`.

    Reading a stored definition therefore costs no query; `validate` and the builder ask.
    """

    # Columns that a search looks into.
    columns: tuple[str, ...] = ("name",)

    def __init__(self, model: type[Model], what: str, **given: Any) -> None:
        super().__init__(what, **given)
        self.model = model

    def to_python(self, value: Any) -> list[int]:
        try:
            ids = self._once(int(each) for each in super().to_python(value))
        except (ValueError, OverflowError):
            raise forms.ValidationError(f"Choose {self.whats} from the list.") from None
        if any(not 0 < each <= _BIGGEST for each in ids):
            raise forms.ValidationError(f"Choose {self.whats} from the list.")
        return ids

    def search(self, words: str, most: int) -> list[Option]:
        rows: QuerySet = self.model.objects.all()  # type: ignore[attr-defined]
        for word in words.split():
            rows = rows.filter(_any_of({f"{column}__icontains": word} for column in self.columns))
        return [Option(str(row.pk), str(row)) for row in rows[:most]]

    def labels(self, values: list[str]) -> list[Option]:
        ids = [int(each) for each in values if each.isdecimal() and int(each) <= _BIGGEST]
        rows = {str(pk): str(row) for pk, row in self.model.objects.in_bulk(ids).items()}  # type: ignore[attr-defined]
        return [Option(each, rows.get(each, f"{self.what} that is gone")) for each in values]

    def missing(self, values: list[int]) -> bool:
        return self.model.objects.filter(pk__in=values).count() != len(values)  # type: ignore[attr-defined]

    def shape(self) -> str:
        return f"list of ids of {self.whats}"


class Codes(Rows):
    columns = ("code", "name")


class ColumnWords(Picked):
    """Words that stand in a column of Patient, however they are written: BOSTON is Boston. `key`: in capitals."""

    def __init__(self, column: str, key: str, what: str, **given: Any) -> None:
        super().__init__(what, **given)
        self.column, self.key = column, key

    def to_python(self, value: Any) -> list[str]:
        words = self._once(word for each in super().to_python(value) if (word := " ".join(str(each).split())))
        if any("\x00" in word for word in words):
            raise forms.ValidationError(f"Choose {self.whats} from the list.")
        return words

    def is_long(self) -> bool:
        """Never counted: that would read every patient each time the filter is drawn."""
        return True

    def is_empty(self) -> bool:
        return False

    def search(self, words: str, most: int) -> list[Option]:
        """Those with most patients first."""
        rows = Patient.objects.exclude(**{self.key: ""})
        for word in words.split():
            rows = rows.filter(**{f"{self.key}__icontains": word})
        counted = rows.values(self.key).annotate(word=Max(self.column), n=Count("pk")).order_by("-n", self.key)
        return [Option(row["word"], row["word"]) for row in counted[:most]]

    def labels(self, values: list[str]) -> list[Option]:
        return [Option(each, each) for each in values]

    def shape(self) -> str:
        return f"list of {self.whats}"


def _any_of(terms: Any) -> Q:
    q = Q()
    for term in terms:
        q |= Q(**term)
    return q


def listed(labels: list[str], joint: str = "or") -> str:
    """Aetna, Cigna or Humana; of many the first few and how many others."""
    if len(labels) > 5:
        return f"{', '.join(labels[:4])} {joint} {len(labels) - 4} others"
    return f" {joint} ".join(filter(None, [", ".join(labels[:-1]), *labels[-1:]]))
