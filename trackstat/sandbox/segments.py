"""How many messages a text is sent as: GSM 03.38 septets, else UTF-16, 140 bytes each.

Counted here for itself, as a carrier would, so that the product's estimate has something to be wrong against.
"""

import regex

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENDED


def segments(body: str) -> int:
    if not body:
        return 1
    if set(body) <= _GSM:
        return _count((1 if character in _BASIC else 2 for character in body), single=160, multi=153)
    # A flag or a family emoji is not cut in two, even where that costs a segment.
    sizes = (len(cluster.encode("utf-16-le", "surrogatepass")) // 2 for cluster in regex.findall(r"\X", body))
    return _count(sizes, single=70, multi=67)


def _count(sizes, single: int, multi: int) -> int:
    sizes = list(sizes)
    if sum(sizes) <= single:
        return 1
    used, room = 1, multi
    for size in sizes:
        if size > room:
            # Larger than any segment: it is cut after all.
            more = max(1, -(-size // multi)) if size > multi else 1
            used, room = used + more, multi * more
        room -= size
    return used
