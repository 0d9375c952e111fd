"""Where a message stands and why, in words staff can act on. Used by threads and reports alike."""

from dataclasses import dataclass

from messaging.errors import explain
from messaging.models import Message

State, Reason = Message.State, Message.Reason


@dataclass(frozen=True, slots=True)
class Explained:
    # Name in trackstat.states, for icon and word.
    look: str
    what: str = ""
    advice: str = ""


ADVICE: dict[str, str] = {
    Reason.OPTED_OUT: "Only the patient can come back: by texting START, or by the link in one of our emails.",
    Reason.NO_ADDRESS: "Add a cell phone or an email in the EHR.",
    Reason.LANDLINE: "Call instead, or ask for a mobile number and change it in the EHR.",
    Reason.UNUSABLE: "Ask for another number or address and change it in the EHR.",
    Reason.ADDRESS_CHANGED: "Nothing to do: the next message goes to the new one.",
    Reason.INACTIVE: "Nothing to do, unless the patient's status in the EHR is wrong.",
    Reason.NOT_QUALIFIED: "Take the tag off if announcements should reach this patient.",
    Reason.SAME_HOUSEHOLD: "Nothing to do: the campaign sends one message a household.",
    Reason.GOAL_MET: "Nothing to do.",
    Reason.NO_LONGER_MATCHES: "Nothing to do.",
    Reason.EXPIRED: "Send a new message if it still matters.",
    Reason.STOPPED: "Copy the campaign to write to those who are left.",
    Reason.SENDER: "An administrator can mend the sending line in Settings.",
    Reason.NO_POSTAL_ADDRESS: "Every email must carry it: an administrator enters it in Settings.",
    Reason.NOT_ATTESTED: "An administrator confirms in Settings that the intake form asks for them.",
}
WAITING = {State.PENDING, State.CLAIMED, State.SENDING}


def explained(
    state: str, reason: str = "", error_code: str = "", *, bounced: bool = False, opened: bool = False
) -> Explained:
    """`state` may also be "waiting" or "ended": a patient of a campaign for whom no message was made (yet)."""
    if bounced:
        said = explain(error_code or "hard_bounce")
        return Explained("bounced", said.what, said.advice)
    if state in {State.UNDELIVERED, State.FAILED}:
        said = explain(error_code)
        return Explained(state, said.what, said.advice)
    if state in {State.ABORTED, "ended"}:
        return Explained(
            "aborted", f"{Reason(reason).label}." if reason else "It was not sent.", ADVICE.get(reason, "")
        )
    if state == State.UNKNOWN:
        return Explained(
            state,
            "We handed it over but got no answer: it may have arrived or not.",
            "It is not sent again by itself, so that nobody gets it twice.",
        )
    if state == State.CANCELLED:
        return Explained(state, "It was taken back before it was sent.")
    if state == State.DELIVERED:
        return Explained("opened" if opened else state)
    if state == State.SENT:
        return Explained(state, "Handed over; no delivery report yet.")
    return Explained("pending", "It is waiting to go out.")
