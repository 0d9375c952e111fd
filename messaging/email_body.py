"""An email from its content, merge values and token, byte for byte the same each time it is made.

Bodies are HTML from the editor or plain text. Merge fields are taken out before the HTML is cleaned and put back as
escaped values after, so neither can change the other.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser

import nh3
from django.conf import settings
from django.template.loader import render_to_string

from messaging.merge import MergeError, Template, parse

TAGS = {
    *("a", "b", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "hr", "i", "img", "li", "ol"),
    *("p", "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "u", "ul"),
}
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "width", "height"}, "td": {"align"}, "th": {"align"}}
SCHEMES = {"http", "https", "mailto", "tel"}
_LOOKS_LIKE_HTML = re.compile(r"<(?:/?(?:" + "|".join(sorted(TAGS)) + r"))\b[^>]*>", re.IGNORECASE)
# Private-use characters mark where something is put in; they are taken out of what people type.
_MARK = re.compile("\ue000(\\d+)\ue001")
_MARKS = str.maketrans("", "", "\ue000\ue001")
NOT_IN_A_TAG = "A merge field cannot stand inside a tag or a link's address."
_SLOTS = ("subject", "body", "practice", "address", "unsubscribe")


@dataclass(frozen=True, slots=True)
class Email:
    subject: str
    text: str
    html: str
    headers: Mapping[str, str]


def email(subject: str, body: str, values: Mapping[str, str], token: str) -> Email:
    """`values` hold every merge field, the practice's name and postal address among them."""
    page, plain = _parts(body)
    line = _template(subject).render(values)
    unsubscribe = unsubscribe_url(token)
    practice, address = values.get("PracticeName", ""), values.get("PracticeAddress", "")
    escaped = [html.escape(each) for each in (line, "", practice, address, unsubscribe)]
    escaped[1] = page.render(values, html.escape)
    return Email(
        line,
        _fill(_skeleton("messaging/email/message.txt"), (line, plain.render(values), practice, address, unsubscribe)),
        _fill(_skeleton("messaging/email/message.html"), tuple(escaped)),
        {"List-Unsubscribe": f"<{unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    )


def unsubscribe_url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/u/{token}/"


def check_body(body: str) -> Template:
    """The fields of an email's body. Raises MergeError, also for a field where the HTML cannot hold one."""
    _parts(body)
    return parse(body)


@lru_cache(maxsize=256)
def _template(words: str) -> Template:
    return parse(words)


@lru_cache(maxsize=256)
def _parts(body: str) -> tuple[Template, Template]:
    """The body as HTML and as plain text, merge fields still open."""
    template = parse(body.translate(_MARKS))
    marked = template.words[0]
    for number, words in enumerate(template.words[1:]):
        marked += f"\ue000{number}\ue001{words}"
    cleaned = as_html(marked)
    return _reopened(cleaned, template), _reopened(as_text(cleaned), template)


def _reopened(marked: str, template: Template) -> Template:
    parts = _MARK.split(marked)
    if [int(number) for number in parts[1::2]] != list(range(len(template.fields))):
        raise MergeError(NOT_IN_A_TAG)
    return Template(tuple(parts[::2]), template.fields)


def as_html(body: str) -> str:
    """Clean HTML of what was typed. Nothing that runs, loads styles or frames survives."""
    if _LOOKS_LIKE_HTML.search(body):
        return nh3.clean(body, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=None)
    paragraphs = re.split(r"\n\s*\n", html.escape(body.strip().replace("\r\n", "\n"), quote=False))
    return "".join(f"<p>{paragraph.replace('\n', '<br>')}</p>" for paragraph in paragraphs)


def as_text(cleaned: str) -> str:
    reader = _Reader()
    reader.feed(cleaned)
    reader.close()
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in "".join(reader.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    """Reads HTML aloud: paragraphs as lines, lists with dashes, links with their address behind them."""

    _BEFORE = {"p": "\n\n", "div": "\n", "h1": "\n\n", "h2": "\n\n", "h3": "\n\n", "tr": "\n", "li": "\n- ", "br": "\n"}
    _AFTER = {"p": "\n\n", "div": "\n", "h1": "\n\n", "h2": "\n\n", "h3": "\n\n", "ul": "\n", "ol": "\n", "td": " "}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if any("\ue000" in (value or "") for _, value in attrs):
            # A name may be anything, also an address that runs.
            raise MergeError(NOT_IN_A_TAG)
        self.parts.append(self._BEFORE.get(tag, ""))
        if tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self.parts)))
        if tag == "img":
            self.parts.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._links:
            address, start = self._links.pop()
            shown = "".join(self.parts[start:]).strip()
            if address and address not in (shown, f"mailto:{shown}", f"tel:{shown}"):
                self.parts.append(f" ({address})")
        self.parts.append(self._AFTER.get(tag, ""))

    def handle_data(self, data: str) -> None:
        self.parts.append(data.replace("\n", " "))


@lru_cache(maxsize=4)
def _skeleton(name: str) -> tuple[str, ...]:
    """The layout, rendered once: pieces of it with the number of a slot between each two."""
    marks = {slot: f"\ue000{number}\ue001" for number, slot in enumerate(_SLOTS)}
    return tuple(_MARK.split(render_to_string(name, marks)))


def _fill(skeleton: tuple[str, ...], slots: tuple[str, ...]) -> str:
    parts = list(skeleton)
    for place in range(1, len(parts), 2):
        parts[place] = slots[int(parts[place])]
    return "".join(parts)
