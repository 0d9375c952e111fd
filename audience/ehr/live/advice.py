"""What a problem with a connection means and what somebody can do about it, for people at a practice's desk."""

import re
from typing import NamedTuple


class Advice(NamedTuple):
    """`means` in one sentence, may be ''; `todo` is what to do next."""

    means: str
    todo: str


_VENDOR = "Show this page to your EHR's vendor."
_OPERATOR = "Show this page to whoever runs TrackStat for you."
_BY_ITSELF = "There is nothing to do: the next run tries again. If it stays like this for a day, ask your EHR's vendor."
_ADDRESS = "Compare the address under Edit with your EHR vendor's papers; it looks like https://fhir.vendor.example/r4."

# The first pattern that is found in the problem's words decides.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"no client id or no key",
        "Your EHR does not know TrackStat yet.",
        "Send the key below to your EHR's vendor. They answer with a client id: enter it under Edit.",
    ),
    (
        r"is not encrypted",
        "Patients' records would cross the internet readable for everybody on the way.",
        "Ask your EHR's vendor for an address that begins with https:// and enter it under Edit.",
    ),
    (
        r"inside a private network",
        "Only addresses on the public internet are asked, so that nobody can look into a network through TrackStat.",
        "Ask your EHR's vendor for the address that is reachable from outside.",
    ),
    (r"address that is none|holds a password", "The address cannot be used as it is.", _ADDRESS),
    (
        r"does not say at .* how to sign in",
        "At this address is no FHIR server that lets programs sign in.",
        f"{_ADDRESS} Ask the vendor whether “SMART Backend Services” is switched on for you.",
    ),
    (
        r"takes keys for",
        "Our key is of a kind that this EHR does not take.",
        "Choose the other kind of key under Edit, and send the new key to your EHR's vendor.",
    ),
    (
        r"does not let us sign in: .*scope",
        "Your EHR knows TrackStat, but has not allowed it to read patients.",
        "Ask your EHR's vendor to allow our client id to read (system/*.read).",
    ),
    (
        r"does not let us sign in",
        "Your EHR does not know our client id or our key.",
        "Compare the client id under Edit, and send the key below to your EHR's vendor again. It can take an hour "
        "from the time they enter it until it works.",
    ),
    (
        r"does not accept the access token|gives no access token",
        "Your EHR let us sign in and then did not recognise us.",
        _VENDOR,
    ),
    (
        r"does not allow us to read (?!nothing)",
        "Your EHR has not allowed our client id to read these records.",
        "Ask your EHR's vendor to allow it, or untick them under Edit.",
    ),
    (
        r"allows us to read nothing|answers 40[13]\b",
        "Your EHR knows TrackStat, but does not allow it to read this.",
        "Ask your EHR's vendor to allow our client id to read patients and appointments (system/*.read).",
    ),
    (
        r"answers 404 when asked for an export",
        "There is no bulk export at this address, or no group with this id.",
        "Check the group's id under Edit. If your EHR has no bulk export, choose “One record after the other” there.",
    ),
    (
        r"answers 4\d\d when asked for an export",
        "Your EHR does not take our order for an export.",
        f"Ask the vendor which export it has, and choose it under Edit. {_VENDOR}",
    ),
    (r"SSLError", "The server's certificate is not valid, so nobody can know who answers there.", _VENDOR),
    (
        r"does not answer",
        "Nothing answers at this address.",
        f"{_ADDRESS} If it is right, your EHR is out of order: the next run tries again by itself.",
    ),
    (r"answers (408|425|429|5\d\d)", "Your EHR is overloaded or out of order at the moment.", _BY_ITSELF),
    (
        r"could not export everything",
        "What came was taken. The rest is asked for again by the next run.",
        f"Show the codes to your EHR's vendor. {_BY_ITSELF}",
    ),
    (r"^A file of|has expired|does not know the export", "The export did not arrive whole.", _BY_ITSELF),
    (
        r"No drop folder is set up",
        "This installation has no place yet where an EHR can put files.",
        _OPERATOR,
    ),
    (
        r"There is no folder|outside of the practice's",
        "Nothing is there under this name.",
        "Have the folder made, or correct its name under Edit.",
    ),
    (
        r"no file in the folder",
        "The folder is there, but nothing in it that can be read.",
        "Have your EHR put its export there, then test again.",
    ),
    (
        r"column mapping cannot be used",
        "Nobody can tell which column of the files is which.",
        "Open Columns on this page, choose them, and test again.",
    ),
    (
        r"No date tells|Some dates can only|Dates with dots|Some amounts have cents",
        "It was read in the most likely way.",
        "Open Columns on this page and say how your EHR writes dates and money.",
    ),
    (
        r"still being written",
        "Files are taken only when nothing was written for a minute.",
        "Wait a minute and test again.",
    ),
    (r"no room left|can be read by others", "It is a matter of the machine TrackStat runs on.", _OPERATOR),
    (r"too large", "Your EHR sends more than any practice has.", _VENDOR),
    (
        r"Stopped by|Interrupted|already running|A sync is at work",
        "It was interrupted on our side; nothing is lost.",
        f"Run it again. If it happens twice: {_OPERATOR[0].lower()}{_OPERATOR[1:]}",
    ),
    (
        r"Begun again from the start|Stopped by hand",
        "Somebody here ended this run.",
        "The next run asks for the same again.",
    ),
)


def advice(problem: str) -> Advice:
    """What the words of a connection's, a sync's or a test's problem come to."""
    for pattern, means, todo in _KNOWN:
        if re.search(pattern, problem):
            return Advice(means, todo)
    return Advice("", _VENDOR)
