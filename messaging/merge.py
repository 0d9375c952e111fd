"""Merge fields: a fixed dictionary of plain strings, put in by splitting and joining.

Never a template engine on words somebody typed: an engine walks attributes and runs filters, this cannot.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Characters of a value that could break a line, a header, a log or the reading direction of what follows.
_UNSAFE = re.compile("[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]+")
_TOKEN = re.compile(
    r"\{\{(.*?)\}\}|\[(Contact|Patient|Practice|Appointment|Visit)\.([^\[\]]*)\]", re.DOTALL | re.IGNORECASE
)
_NAME = re.compile(r"\s*([A-Za-z]+)\s*(?:\|([^{}\[\]|]*))?$", re.DOTALL)
_CLINICAL = re.compile(
    r"diagnos|condition|procedure|cpt|icd|insur|payer|policy|case|attorney|lawyer|birth|dob|^age$|patientage|sex|gender|paid|balance"
    r"|ssn|address|phone|cell|email|medic|treat",
    re.IGNORECASE,
)


class MergeError(ValueError):
    """What is wrong with a merge field, in a sentence for the person who typed it."""


@dataclass(frozen=True, slots=True)
class Field:
    label: str
    sample: str
    # A long value that really occurs: estimates of segments use it.
    longest: str


# No clinical and no insurance fields, ever: a text is read on a locked screen, on a phone that may be shared.
FIELDS: dict[str, Field] = {
    "PatientFirstName": Field("Patient's first name", "Ana", "Maximiliano"),
    "PatientLastName": Field("Patient's last name", "Alvarez", "Featherstonehaugh"),
    "PatientPreferredName": Field("What the patient likes to be called", "Annie", "Maximiliano"),
    "PracticeName": Field("Practice's name", "Northside Chiropractic", "Northside Family Chiropractic & Wellness"),
    "PracticePhone": Field("Practice's phone", "(617) 555-0100", "(617) 555-0100"),
    "PracticeAddress": Field("Practice's address", "1 Main Street, Boston", "10245 Northwestern Boulevard, Sacramento"),
    "NextVisitDate": Field("Date of the next visit", "Tue, Nov 24", "Wed, Sep 30"),
    "NextVisitTime": Field("Time of the next visit", "3:30 PM", "12:30 PM"),
    "LastVisitDate": Field("Date of the last visit", "March 3, 2026", "September 30, 2026"),
}

# Tokens of products that practices come from.
ALIASES = {
    "Contact.FirstName": "PatientFirstName",
    "Contact.LastName": "PatientLastName",
    "Contact.PreferredName": "PatientPreferredName",
    "Patient.FirstName": "PatientFirstName",
    "Patient.LastName": "PatientLastName",
    "Patient.PreferredName": "PatientPreferredName",
    "Practice.Name": "PracticeName",
    "Practice.Phone": "PracticePhone",
    "Practice.Address": "PracticeAddress",
    "Appointment.Date": "NextVisitDate",
    "Appointment.Time": "NextVisitTime",
    "Visit.NextDate": "NextVisitDate",
    "Visit.NextTime": "NextVisitTime",
    "Visit.LastDate": "LastVisitDate",
}
_BY_LOWER = {name.lower(): name for name in FIELDS}
_ALIAS_BY_LOWER = {name.lower(): field for name, field in ALIASES.items()}


@dataclass(frozen=True, slots=True)
class Template:
    """`words[0] field[0] words[1] field[1] … words[n]`; a field is its name and what stands in when it is empty."""

    words: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        """Each field used, once, in order."""
        return list(dict.fromkeys(name for name, _ in self.fields))

    def render(self, values: Mapping[str, str], escape: Callable[[str], str] | None = None) -> str:
        """One pass: braces within a value stay what they are. Only values and fallbacks are escaped."""
        put = [values.get(name) or fallback for name, fallback in self.fields]
        parts = [""] * (len(self.words) + len(put))
        parts[::2] = self.words
        parts[1::2] = map(escape, put) if escape else put
        return "".join(parts)

    def missing(self, values: Mapping[str, str]) -> list[str]:
        """Fields that would leave a hole: no value and no fallback."""
        return list(dict.fromkeys(name for name, fallback in self.fields if not values.get(name) and not fallback))


def parse(text: str) -> Template:
    """Raises MergeError with a sentence: an unknown field is an error at saving, never an empty place in a message."""
    words, fields, end = [], [], 0
    for token in _TOKEN.finditer(text):
        words.append(_without_braces(text[end : token.start()]))
        fields.append(_field(token))
        end = token.end()
    words.append(_without_braces(text[end:]))
    return Template(tuple(words), tuple(fields))


def clean(value: object) -> str:
    """A value as one line of text: no control characters, no reading-direction overrides, no lone surrogates."""
    if value is None:
        return ""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text.strip()
    return _UNSAFE.sub(" ", text).strip()


def _field(token: re.Match[str]) -> tuple[str, str]:
    if token[1] is None:
        wanted, _, fallback = token[3].partition("|")
        name = _ALIAS_BY_LOWER.get(f"{token[2]}.{wanted.strip()}".lower())
        if name is None:
            raise MergeError(_unknown(wanted.strip(), token[0]))
        return name, clean(fallback)
    inner = _NAME.match(token[1])
    if inner is None:
        raise MergeError(f"{_short(token[0])} cannot be read: write it like {{{{PatientFirstName|there}}}}.")
    name = _BY_LOWER.get(inner[1].lower())
    if name is None:
        raise MergeError(_unknown(inner[1], token[0]))
    return name, clean(inner[2])


def _without_braces(words: str) -> str:
    for brace, other in (("{{", "}}"), ("}}", "{{")):
        if brace in words:
            raise MergeError(f"There is a {brace} without its {other}.")
    return words


def _unknown(name: str, token: str) -> str:
    if _CLINICAL.search(name):
        return f"{_short(token)} cannot be used: messages carry no clinical, insurance or contact details."
    return f"{_short(token)} is not a merge field. There are: {', '.join(FIELDS)}."


def _short(token: str) -> str:
    return token if len(token) <= 60 else token[:57] + "…"
