"""How many segments a text is, as the carrier bills it (GSM 03.38; Twilio's Smart Encoding applied by us beforehand).

A segment is 140 bytes: 160 GSM-7 characters alone or 153 in a row (152 toll-free), 70 UTF-16 units alone or 67 (66).
`static/js/segments.js` counts by the same rules while somebody types.
"""

from typing import NamedTuple

import regex

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENDED
_BASIC_ASCII = "".join(filter(str.isascii, _BASIC)).encode()

# What Twilio's Smart Encoding would write instead; done by us, so that what is counted is what is sent.
_SMART = {
    '"': "«»“”„‟ʺˮ❝❞〝〞＂",
    "'": "‘’‚‛ʻˈʼʹʽ′`❛❜＇",
    "-": "‐‑‒–—―﹘﹣－−",
    "/": "÷⁄∕⧸／",
    "\\": "⧵⧹＼",
    "...": "…",
    "1/4": "¼",
    "1/2": "½",
    "3/4": "¾",
    " ": "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "": "\u00ad\u200b\u2060\ufeff\u180e",
    "\n": "\u2028\u2029\u0085\u000b",
    "_": "＿",
    "|": "⎜⎟｜",
    "<": "‹﹤＜",
    ">": "›﹥＞",
    "!": "ǃ！",
    "?": "？",
    ":": "ː∶：",
    ";": "；",
    ",": "，",
    ".": "．",
    "*": "⁎∗＊",
    "~": "˜∼～",
    "^": "ˆ＾",
    "(c)": "©",
    "(r)": "®",
    "TM": "™",
}
_PLAIN = str.maketrans({strange: plain for plain, many in _SMART.items() for strange in many})


class Segments(NamedTuple):
    encoding: str
    characters: int
    segments: int

    @property
    def is_gsm(self) -> bool:
        return self.encoding == GSM_7


GSM_7, UCS_2 = "GSM-7", "UCS-2"


def plain(text: str) -> str:
    """The text with typographic look-alikes written in GSM-7, and line ends as a phone writes them."""
    if text.isascii() and "`" not in text and "\t" not in text and "\r" not in text and "\v" not in text:
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_PLAIN)


def count(text: str, toll_free: bool = False) -> Segments:
    """Counts the text as given: `plain` it first. Characters are what a person sees as one."""
    if _is_basic(text):
        return _count_gsm(text, 0, toll_free)
    if _GSM.issuperset(text):
        return _count_gsm(text, sum(map(text.count, _EXTENDED)), toll_free)
    clusters = regex.findall(r"\X", text)
    sizes = [len(cluster.encode("utf-16-le", "surrogatepass")) // 2 for cluster in clusters]
    return Segments(UCS_2, len(clusters), _fill(sizes, 70, 66 if toll_free else 67))


def _is_basic(text: str) -> bool:
    # Most texts are ASCII, where this takes a tenth of the time.
    return not text.encode().translate(None, _BASIC_ASCII) if text.isascii() else _BASIC.issuperset(text)


def _count_gsm(text: str, extended: int, toll_free: bool) -> Segments:
    characters = len(text) - text.count("\r\n")
    each = 152 if toll_free else 153
    if len(text) + extended <= 160:
        return Segments(GSM_7, characters, 1 if text else 0)
    if not extended:
        return Segments(GSM_7, characters, -(-len(text) // each))
    # An escape pair is not cut in two, even where that costs a segment.
    return Segments(GSM_7, characters, _fill([2 if c in _EXTENDED else 1 for c in text], 160, each))


def _fill(sizes: list[int], one: int, each: int) -> int:
    if sum(sizes) <= one:
        return 1 if sizes else 0
    segments, room = 1, each
    for size in sizes:
        if size > each:
            # Larger than any segment (a long run of combining marks): it is cut after all.
            size -= room
            segments += -(-size // each)
            room = each - (size % each or each)
        elif size > room:
            segments, room = segments + 1, each - size
        else:
            room -= size
    return segments
