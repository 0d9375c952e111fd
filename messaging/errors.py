"""Providers' error codes in words for staff, and what the system does about each."""

import enum
from dataclasses import dataclass


class Effect(enum.StrEnum):
    NONE = "none"
    # The address belongs to someone who opted out at the carrier.
    OPT_OUT = "opt_out"
    INVALID = "invalid"
    LANDLINE = "landline"
    SUPPRESS = "suppress"
    # Nothing of this sender can go out until somebody mends it.
    PAUSE_SENDER = "pause_sender"
    # Not this message's fault: it goes out later, slower.
    LATER = "later"
    # Counted by the brake: too many pause the campaign.
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Explanation:
    code: str
    # What staff read, and what they can do; both whole sentences.
    what: str
    advice: str
    effect: Effect = Effect.NONE

    def __str__(self) -> str:
        return f"{self.what} {self.advice}".strip()


# Twilio's numbers after its error dictionary; the words for mail after Mailgun's events and SMTP's replies.
_TABLE = {
    row[0]: Explanation(*row)
    for row in (
        ("20003", "Texting is disconnected.", "An administrator must reconnect it.", Effect.PAUSE_SENDER),
        ("20429", "The carrier asked us to slow down.", "The message goes out a little later.", Effect.LATER),
        ("21211", "The phone number is mistyped.", "Correct it in the EHR.", Effect.INVALID),
        ("21212", "Our texting line is not set up.", "Contact support.", Effect.PAUSE_SENDER),
        ("21408", "The number is outside the countries we text.", "Call the patient instead.", Effect.INVALID),
        ("21601", "Our texting line is not set up.", "Contact support.", Effect.PAUSE_SENDER),
        ("21602", "The message had no words.", "Write the message and send it again.", Effect.NONE),
        ("21606", "Our texting line is not set up.", "Contact support.", Effect.PAUSE_SENDER),
        ("21608", "The set-up of the texting account is not finished.", "Contact support.", Effect.PAUSE_SENDER),
        ("21610", "The patient has opted out.", "Only they can return, by texting START.", Effect.OPT_OUT),
        ("21611", "Too many texts at once.", "We slow down; the message goes out later.", Effect.LATER),
        ("21612", "This number cannot be reached from ours.", "Check the number in the EHR.", Effect.INVALID),
        ("21614", "The number is a landline or cannot get texts.", "Ask for a mobile number.", Effect.LANDLINE),
        ("21617", "The message is too long.", "Shorten it below 1,600 characters.", Effect.NONE),
        ("21635", "The number is a landline.", "Ask for a mobile number.", Effect.LANDLINE),
        ("21701", "The messaging service does not exist.", "Contact support.", Effect.PAUSE_SENDER),
        ("21703", "The messaging service has no number.", "Contact support.", Effect.PAUSE_SENDER),
        ("30001", "Too many texts at once.", "Send it again later.", Effect.NONE),
        ("30002", "Texting is switched off: the account is suspended.", "Call support now.", Effect.PAUSE_SENDER),
        ("30003", "The phone is off, has no signal, or does not accept texts.", "Try again later.", Effect.NONE),
        ("30004", "The patient's phone or carrier blocks our texts.", "Call the patient instead.", Effect.NONE),
        ("30005", "The number is no longer in service.", "Ask for a new number.", Effect.INVALID),
        ("30006", "The number is a landline.", "Call instead, or ask for a mobile number.", Effect.LANDLINE),
        ("30007", "The carrier took it for spam.", "Reword the message; avoid links and sales words.", Effect.FILTERED),
        ("30008", "The carrier gave no reason.", "Try again later.", Effect.NONE),
        ("30022", "Texts went out too fast for the carrier.", "Send it again later.", Effect.NONE),
        ("30023", "Today's limit of the carrier was reached.", "Send it again tomorrow.", Effect.NONE),
        ("30024", "Our line is still being activated at the carrier.", "Wait for the carrier.", Effect.PAUSE_SENDER),
        ("30032", "Our toll-free line is not approved yet.", "Finish its verification.", Effect.PAUSE_SENDER),
        ("30034", "The practice's registration with the carriers is missing.", "Contact support.", Effect.PAUSE_SENDER),
        ("30450", "The carrier blocked it for a while.", "Try again in half an hour.", Effect.NONE),
        ("connect", "The provider could not be reached.", "The message goes out later.", Effect.LATER),
        ("mail_unauthorized", "The mail service refused our key.", "Contact support.", Effect.PAUSE_SENDER),
        ("mail_domain", "The mail service does not know our domain.", "Contact support.", Effect.PAUSE_SENDER),
        ("mail_address", "The email address is mistyped.", "Correct it in the EHR.", Effect.INVALID),
        ("mail_refused", "The mail service refused the email.", "Contact support.", Effect.NONE),
        ("mail_sign_in", "The mail server refused our user name or password.", "Correct them.", Effect.PAUSE_SENDER),
        ("mail_sender", "The mail server does not send from our address.", "Contact support.", Effect.PAUSE_SENDER),
        ("mail_server", "The mail server turned us away.", "Contact support.", Effect.PAUSE_SENDER),
        ("mail_tls", "The mail server offers no encryption we can trust.", "Contact support.", Effect.PAUSE_SENDER),
        ("mail_quota", "The mail server takes no more from us for now.", "It goes out later.", Effect.PAUSE_SENDER),
        ("mail_later", "The mail server asked us to come back.", "The message goes out later.", Effect.LATER),
        ("hard_bounce", "The mailbox does not exist.", "Ask for a new email address.", Effect.SUPPRESS),
        ("soft_bounce", "The mailbox did not take the email.", "Try again later.", Effect.NONE),
        ("complained", "The patient marked the email as spam.", "They get no more emails.", Effect.SUPPRESS),
        ("suppressed", "The mail service blocks this address after bounces.", "Ask for a new one.", Effect.SUPPRESS),
    )
}  # fmt: skip


def explain(code: str) -> Explanation:
    """Never fails: a code nobody has described yet is shown as it is."""
    if not code:
        return Explanation("", "The provider gave no reason.", "")
    return _TABLE.get(code) or Explanation(code, f"The provider answered with error {code}.", "Contact support.")


def effect(code: str) -> Effect:
    return explain(code).effect


def codes() -> list[str]:
    return list(_TABLE)
