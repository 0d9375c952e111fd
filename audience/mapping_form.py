"""Which column of a practice's CSV files is which, as a form. It is made of what the last test found in the files."""

from collections.abc import Iterator
from typing import Any

from django import forms

from audience.ehr.csv.fields import KINDS, Kind
from audience.ehr.csv.mapping import DATES, DECIMALS, ENCODINGS, SEPARATORS, Mapping, parse
from audience.ehr.csv.sheets import pattern_of
from audience.ehr.csv.words import MEANINGS

_SHOWN = {"dates": ("How dates are written", DATES), "decimal": ("How money is written", DECIMALS)}
_FILES = {"encoding": ("Encoding", ENCODINGS), "separator": ("Between columns stands", SEPARATORS)}


class MappingForm(forms.Form):
    """`found`: see `live.columns`. `told`: kinds of files that nobody could tell, by name."""

    def __init__(
        self, found: dict[str, Any], saved: dict[str, Any], data: Any = None, told: dict[str, str] | None = None
    ):
        super().__init__(data)
        self._now = parse(saved)
        files = [file | {"kind": (told or {}).get(file["name"], file["kind"])} for file in found.get("files", [])]
        self._found = [file for file in files if file["kind"] in KINDS and file["headings"]]
        self.unknown = [file["name"] for file in files if file["kind"] not in KINDS and file["headings"]]
        self.kinds = [kind for kind in KINDS.values() if any(file["kind"] == kind.name for file in self._found)]
        for kind in self.kinds:
            self._add_columns(kind)
        self._add_words(found.get("words", {}))
        for name, (label, choices) in (_SHOWN | _FILES).items():
            self.fields[name] = forms.ChoiceField(
                label=label,
                choices=list(choices.items()),
                required=name in _SHOWN,
                initial=getattr(self._now, name),
            )

    def groups(self) -> Iterator[dict[str, Any]]:
        """Fields by kind of file: what it must have first, what may be put together of several columns last."""
        for kind in self.kinds:
            fields = sorted(kind.fields, key=lambda field: (not field.is_required, bool(field.joint)))
            yield {
                "label": kind.label,
                "files": [file["name"] for file in self._found if file["kind"] == kind.name],
                "pattern": self[f"{kind.name}-pattern"],
                "fields": [self[f"{kind.name}-{field.name}"] for field in fields],
            }

    def words(self) -> list[Any]:
        return [self[name] for name in self.fields if name.startswith("word:")]

    def ways(self) -> list[Any]:
        return [self[name] for name in (_SHOWN | _FILES)]

    def said(self) -> dict[str, Any]:
        """The mapping as JSON, not checked yet."""
        data = self.cleaned_data
        files = {}
        for kind in self.kinds:
            columns = {field.name: data[f"{kind.name}-{field.name}"] for field in kind.fields}
            columns = {name: [value] if isinstance(value, str) else value for name, value in columns.items() if value}
            files[kind.name] = {"pattern": data[f"{kind.name}-pattern"], "columns": columns}
        # What the files do not have at the moment stays mapped.
        kept = {name: of for name, of in self._now.as_json()["files"].items() if name not in files}
        words = {column: dict(own) for column, own in self._now.words.items()}
        for name, meaning in data.items():
            if name.startswith("word:") and meaning:
                _, column, word = name.split(":", 2)
                words.setdefault(column, {})[word] = meaning
        return {"files": kept | files, "words": words} | {name: data[name] for name in (_SHOWN | _FILES)}

    def _add_columns(self, kind: Kind) -> None:
        files = [file for file in self._found if file["kind"] == kind.name]
        headings = list(dict.fromkeys(heading for file in files for heading in file["headings"] if heading))
        now = self._columns(self._now, kind, files)
        offered = [(heading, heading) for heading in headings]
        patterns = self._now.files[kind.name].pattern if kind.name in self._now.files else "*"
        if patterns == "*":
            patterns = ";".join(dict.fromkeys(pattern_of(file["name"]) for file in files))
        self.fields[f"{kind.name}-pattern"] = forms.CharField(
            label="Names of these files",
            max_length=200,
            initial=patterns,
            help_text="* stands for anything, as in Patients*.csv; several with ; between them.",
        )
        for field in kind.fields:
            chosen = [heading for heading in now.get(field.name, []) if heading in headings]
            shown: forms.Field
            if field.joint:
                several = forms.SelectMultiple(attrs={"size": 3})
                shown = forms.MultipleChoiceField(choices=offered, initial=chosen, widget=several)
            else:
                shown = forms.ChoiceField(choices=[("", "– not in the file –"), *offered], initial=(chosen or [""])[0])
            others = " or ".join(kind.field(other).label for other in field.instead)
            shown.label, shown.required = field.label, field.is_required and not others
            shown.help_text = f"needed; or {others}" if field.is_required and others else ""
            self.fields[f"{kind.name}-{field.name}"] = shown

    def _columns(self, now: Mapping, kind: Kind, files: list[dict[str, Any]]) -> dict[str, list[str]]:
        if kind.name in now.files:
            return now.files[kind.name].columns
        return next((file["columns"] for file in files if file["columns"]), {})

    def _add_words(self, found: dict[str, dict[str, int]]) -> None:
        for column, words in found.items():
            kind, _, name = column.partition(".")
            if column not in MEANINGS:
                continue
            offered = list(MEANINGS[column].items())
            for word, n in words.items():
                self.fields[f"word:{column}:{word}"] = forms.ChoiceField(
                    label=f"{KINDS[kind].field(name).label}: “{word}” ({n:,})",
                    choices=[("", "– nobody knows: such rows are rejected –"), *offered],
                    required=False,
                )
