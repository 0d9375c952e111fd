"""What a patient's text means for consent. Pure functions.

The carriers act on a message that is one keyword and nothing else. The law asks for more: any reasonable way of saying
it (47 CFR 64.1200(a)(10)), so wishes in free words are understood, too. They are read sentence by sentence and from the
sentence's start: "please stop texting me" is one, "why did you stop texting me" and "can I stop by at 5" are not.
"""

import enum
import re
import unicodedata


class Meaning(enum.StrEnum):
    NONE = ""
    STOP = "stop"
    # The same in the patient's own words: no carrier has acted on it or answered it.
    WISH = "wish"
    START = "start"
    # Also how people confirm appointments: it means START only from someone who had opted out.
    YES = "yes"
    HELP = "help"


KEYWORDS = {
    Meaning.STOP: "stop|stopall|stop all|unsubscribe|cancel|end|quit|revoke|optout|opt out",
    Meaning.START: "start|unstop",
    Meaning.YES: "yes",
    Meaning.HELP: "help|info",
}
_KEYWORDS = {word: meaning for meaning, words in KEYWORDS.items() for word in words.split("|")}


def meaning(body: str, opt_out_type: str = "") -> Meaning:
    """`opt_out_type` is the carrier's own reading of the message (Twilio's OptOutType), which it has acted on."""
    if opt_out_type.lower() in {Meaning.STOP, Meaning.START, Meaning.HELP}:
        return Meaning(opt_out_type.lower())
    if found := _KEYWORDS.get(_plain(body)):
        return found
    sentences = (_plain(part) for part in re.split(r"[.!?;,:\n()—–]+|\s-\s", body[:2000]))
    if any(_WISH.fullmatch(sentence) for sentence in sentences):
        return Meaning.WISH
    return Meaning.NONE


def _plain(text: str) -> str:
    """Lower-case words only: "🛑 Don't STOP!!" → "dont stop"."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"['’‘`´]", "", text)
    return " ".join(re.findall(r"[^\W_]+", text))


# Possessive repeats (*+): nothing is tried twice, so no text can make this slow; longer words come first.
_POLITE = (
    r"(?:(?:hi|hello|hey|ok|okay|please|pls|plz|kindly|just|now|thanks|thank you|no(?!\s+more)|sorry|"
    r"again|and|everyone|guys|can you|could you|would you|will you|you can|you need to|you must|"
    r"i need you to|i want you to|i wish to|i want to|"
    r"i would like to|i would like you to|id like to|id like you to|i asked you to|i am asking you to|im asking you to|"
    r"im going to|i am going to|i will|ill|im|i am|i|need to|want to)\s+)*+"
)
_AFTER = (
    r"(?:\s+(?:please|pls|plz|thanks|thank you|right now|now|immediately|asap|at once|any more|anymore|again|"
    r"ever|forever|already|from now on|all together|altogether|completely|at this number|to this number|on this number|"
    r"to my phone|on my phone|from you guys|from your office|from you|you guys|everyone)\b)*+"
)
_THINGS = (
    r"(?:text messages|texts|text|messages|message|msgs|sms|spam|notifications|ads|promotions|promos|offers|marketing)"
)
_WHOSE = r"(?:(?:all of|all|any more|any|anymore|more|these|those|the|this|your|so many|such|stupid|annoying)\s+)*+"
_ME = r"(?:me|us|this number|this phone|my phone|my number|my cell)"
_OFF_THE_LIST = (
    r"(?:from|off|off of|out of)\s+(?:(?:your|the|this|that|any|all)\s+)*+"
    r"(?:\w+\s+)?(?:lists?|database|system|contacts)"
)

# Said in full, these stand whatever follows, unless what follows only limits them.
_CLEAR = "|".join(
    (
        rf"(?:stop|quit|cease)\s+(?:texting|messaging|contacting|spamming|bothering|harassing)\s+{_ME}",
        rf"(?:stop|quit|cease)\s+sending\s+(?:{_ME}\s+)?{_WHOSE}{_THINGS}",
        rf"(?:do not|dont|never)\s+(?:ever\s+)?(?:text|message|msg|contact)\s+{_ME}",
        rf"(?:do not|dont|never)\s+(?:ever\s+)?send\s+{_ME}\s+{_WHOSE}{_THINGS}",
        rf"(?:remove|take|delete)\s+(?:me|us|my number|my name|my phone|this number)\s+{_OFF_THE_LIST}",
        rf"unsubscribe\s+{_ME}",
        rf"opt\s+{_ME}\s+out",
        r"(?:opt|opting)\s+out\s+of",
        r"revoke\s+(?:my\s+)?consent",
        r"do not consent\s+to",
    )
)
_LIMITS = "until|till|at|while|during|before|after|so|if|unless|when|on|in|for|about|that|the|here|tonight|today"
_LIMITED = rf"(?!\s+(?:{_LIMITS})\b)"
# Said by themselves.
_ALONE = "|".join(
    (
        r"stop(?:\s+all)?",
        r"(?:stop|quit|cease)\s+(?:texting|messaging|contacting|spamming|bothering|harassing)",
        rf"(?:stop|cease|end|cancel)\s+(?:with\s+)?{_WHOSE}{_THINGS}",
        r"(?:do not|dont|never)\s+(?:text|message|contact)",
        rf"no\s+more\s+{_THINGS}",
        r"(?:remove|delete)\s+(?:me|us|my number|this number)",
        r"take\s+(?:me|us|my number|this number)\s+off",
        r"unsubscribe(?:\s+from\s+(?:\w+\s*){1,3})?",
        r"(?:opt|opting)\s+out",
        r"leave\s+me\s+alone",
    )
)
_WISH = re.compile(rf"{_POLITE}(?:(?:{_CLEAR})(?:{_AFTER}|{_AFTER}{_LIMITED}\s+.*)|(?:{_ALONE}){_AFTER})")
