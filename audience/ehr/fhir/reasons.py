"""Why a record was not taken, in words that can be shown to the EHR's vendor. Never a value of a patient's."""

import re

import msgspec

GZIP_BOMB = "The compressed file is many times larger than any record list would be; the rest was not read"
NO_RECORDS = "Line after line here is no record; the rest of the file was not read"
BROKEN_GZIP = "The compressed file is damaged or cut off here; everything before this was read"
UNREADABLE_FILE = "The file could not be read any further"
LINK = "It is a link to another file; links are not followed"
NO_TYPE = "Not a FHIR resource: its resourceType is no name of a type"
NO_ID = "The resource has no id"
NO_DELETION = "The deletion names no resource"

_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<found>[^`]+)`(?: - at `\$(?P<at>[^`]*)`)?")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`(?: - at `\$(?P<at>[^`]*)`)?")
_PLAIN = {
    "str": "text", "int": "a whole number", "float": "a number", "decimal": "a number", "bool": "true or false",
    "array": "a list", "object": "an object", "null": "nothing",
}  # fmt: skip


def unreadable(error: Exception) -> str:
    """A msgspec error in plain words."""
    if isinstance(error, UnicodeDecodeError):
        return "Not UTF-8 text"
    if isinstance(error, RecursionError):
        return "Nested too deeply"
    if isinstance(error, ArithmeticError):
        return "A number in it is too large"
    message = str(error)
    if isinstance(error, msgspec.ValidationError):
        if found := _EXPECTED.search(message):
            wanted = " or ".join(_PLAIN.get(word.strip(), word.strip()) for word in found["wanted"].split("|")[:1])
            return f"{_place(found['at'])} is {_PLAIN.get(found['found'], found['found'])}, expected {wanted}"
        if found := _MISSING.search(message):
            field = re.sub(r"_(\w)", lambda match: match[1].upper(), found["field"])
            if field == "resourceType":
                return "Not a FHIR resource: it has no resourceType"
            return f"{_place(found['at'])} lacks {field}"
        return "Not a FHIR resource of the expected shape"
    if "truncated" in message:
        return "Not complete JSON: the line is cut off"
    return "Not JSON"


def line_too_long(limit: int) -> str:
    return f"The line is longer than {_size(limit)}"


def document_too_large(limit: int) -> str:
    return f"The document is larger than {_size(limit)}; export it as NDJSON, one resource a line"


def _place(at: str | None) -> str:
    """`.name[0].given[1]` as `name.given`, because the position helps nobody."""
    return re.sub(r"\[[^\]]*\]", "", at or "").lstrip(".") or "The record"


def _size(limit: int) -> str:
    return f"{limit // 1024**2} MB" if limit >= 1024**2 else f"{limit:,} bytes"
