"""What a number stands for: Twilio's magic numbers, error numbers of our own, and lines that cannot be texted.

Error numbers work in every area code, so that they have a time zone: `+1 AAA 553 LLLL` fails with error 3LLLL when that
is a carrier error we know. The exchanges 552, 553, 554, 556 and 557 are the sandbox's own; the numbers set aside for
fiction (555-0100 to 555-0199) and everything else behave like ordinary mobile phones.
"""

import re
from dataclasses import dataclass
from functools import cached_property

# https://www.twilio.com/docs/iam/test-credentials#magic-input
MAGIC_TO = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_FROM = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
MAGIC_FROM_OK = "+15005550006"

# https://www.twilio.com/docs/api/errors: those that a message ends with after it was accepted.
CARRIER_ERRORS = {
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30022: "US A2P 10DLC - Rate Limits Exceeded",
    30023: "US A2P 10DLC - Daily Message Cap Reached",
    30024: "Numeric Sender ID Not Provisioned On Carrier",
    30032: "Toll-Free Number Has Not Been Verified",
    30034: "US A2P 10DLC - Message from an Unregistered Number",
    30450: "Message delivery blocked",
}
# These never leave the carrier's own house: `failed`, not `undelivered`.
_NEVER_LEFT = {30001, 30002, 30022, 30023, 30450}

_E164 = re.compile(r"\+[1-9]\d{7,14}")
_NORTH_AMERICA = re.compile(r"\+1[2-9]\d\d[2-9]\d{6}")
_ERROR_NUMBER = re.compile(r"\+1\d{3}55(3\d{4})")
_NO_RECEIPT = re.compile(r"\+1\d{3}552\d{4}")
_TOLL_FREE = ("+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888")


@dataclass(frozen=True)
class LineType:
    match: str
    type: str
    carrier: str

    @cached_property
    def _pattern(self) -> re.Pattern:
        return re.compile(self.match)

    def fits(self, number: str) -> bool:
        return self._pattern.search(number) is not None


LINE_TYPES = (
    LineType(r"^\+1\d{3}554\d{4}$", "landline", "Sandbox Bell"),
    LineType(r"^\+1\d{3}5530006$", "landline", "Sandbox Bell"),
    LineType(r"^\+1\d{3}556\d{4}$", "fixedVoip", "Sandbox Office Phones"),
    LineType(r"^\+1\d{3}557\d{4}$", "nonFixedVoip", "Sandbox App Phones"),
    LineType(r"^\+1(800|833|844|855|866|877|888)", "tollFree", "Sandbox Toll-Free"),
)
_MOBILE = LineType("", "mobile", "Sandbox Wireless")


def normalised(text: str) -> str:
    """E.164 of what was given, US numbers also without their country code; what cannot be read comes back unchanged."""
    digits = re.sub(r"[\s().-]", "", text)
    if re.fullmatch(r"[2-9]\d{9}", digits):
        return "+1" + digits
    if re.fullmatch(r"1[2-9]\d{9}", digits):
        return "+" + digits
    return digits


def is_valid(number: str) -> bool:
    if number.startswith("+1"):
        return _NORTH_AMERICA.fullmatch(number) is not None
    return _E164.fullmatch(number) is not None


def is_toll_free(number: str) -> bool:
    return number.startswith(_TOLL_FREE)


class Lines:
    """Which kind of line a number is, and how a text to it ends."""

    def __init__(self):
        self.own: list[LineType] = []

    def line_type(self, number: str) -> LineType:
        return next((rule for rule in (*self.own, *LINE_TYPES) if rule.fits(number)), _MOBILE)

    def fate(self, number: str) -> tuple[str, int | None]:
        """The last status of a text to the number, with its error code."""
        error = _ERROR_NUMBER.fullmatch(number)
        if error and int(error[1]) in CARRIER_ERRORS:
            code = int(error[1])
            return ("failed" if code in _NEVER_LEFT else "undelivered"), code
        if _NO_RECEIPT.fullmatch(number):
            return "sent", None
        if self.line_type(number).type == "landline":
            return "undelivered", 30006
        return "delivered", None
