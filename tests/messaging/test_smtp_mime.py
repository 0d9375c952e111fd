"""Whatever is written into an email is what a mail program reads out of it."""

import re
import uuid
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr, parsedate_to_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from messaging.providers.base import Outgoing
from messaging.providers.mime import Skeleton, header, mailbox
from trackstat.clock import real_now

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
TRICKY = [
    "",
    "Zoë 👩‍👩‍👧‍👦 says hi",
    "שלום, مرحبا — تذكير بموعدك",
    "x" * 3000,
    "one two  three   \t end ",
    ".\n..\n.hidden\n\n.",
    "a\r\nb\rc\nd\r\n",
    "From here =3D on = =\n=?utf-8?q?not_encoded?=",
    "Hi\r\nBcc: everybody@example.com\r\n\r\nbody",
    "é" * 500,
    "--=_boundary--\r\n",
]
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def tricky(name):
    def add(test):
        for each in TRICKY:
            test = example(**{name: each})(test)
        return test

    return add


def made(**fields) -> Outgoing:
    return Outgoing(uuid.uuid4(), **{"to": "ana@mail.example", "body": "Hi", "subject": "Hello", **fields})


def rendered(outgoing: Outgoing, *sender) -> bytes:
    raw = Skeleton(*(sender or ("Northside", "hello@northside.example"))).render(outgoing)
    assert raw.isascii() and raw.endswith(b"\r\n")
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", raw) is None
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    return raw


def read(raw: bytes):
    message = message_from_bytes(raw, policy=policy.default)
    assert message.defects == []
    return message


def lines(words: str) -> str:
    return words.replace("\r\n", "\n").replace("\r", "\n")


@settings(deadline=None)
@given(words=WORDS)
@tricky("words")
def test_both_bodies_arrive_word_for_word(words):
    message = read(rendered(made(body=words, html=f"<p>{words}</p>")))
    plain, html = message.iter_parts()
    assert message.get_content_type() == "multipart/alternative"
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert lines(plain.get_content()) == lines(words)
    assert lines(html.get_content()) == lines(f"<p>{words}</p>")
    assert plain.defects == html.defects == []


@settings(deadline=None)
@given(words=WORDS)
@tricky("words")
def test_a_subject_arrives_in_one_piece_and_ends_no_header(words):
    raw = rendered(made(subject=words))
    assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78
    message = read(raw)
    assert message["Subject"] == CONTROL.sub(" ", words)
    assert message["Bcc"] is None and message.keys() == [
        *("From", "To", "Subject", "Message-ID", "Date", "MIME-Version", "Content-Type")
    ]


@settings(deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
@tricky("name")
def test_the_senders_name_and_address_arrive(name):
    # Python's newer reader of addresses keeps the space between two encoded words, against RFC 2047.
    shown, address = parseaddr(message_from_bytes(rendered(made(), name[:80], "hello@northside.example"))["From"])
    assert str(make_header(decode_header(shown))) == " ".join(CONTROL.sub(" ", name[:80]).split())
    assert address == "hello@northside.example"


@settings(deadline=None)
@given(value=WORDS)
@tricky("value")
def test_further_headers_arrive_as_they_are(value):
    message = read(rendered(made(headers={"X-Note": value, "List-Unsubscribe": "<https://x.example/u/t/>"})))
    assert message["X-Note"].strip() == CONTROL.sub(" ", value).strip()
    assert message["List-Unsubscribe"] == "<https://x.example/u/t/>"


def test_a_long_link_to_unsubscribe_is_not_encoded():
    link = f"<https://x.example/u/{'t' * 300}/>"
    assert f"List-Unsubscribe: {link}\r\n".encode() in rendered(made(headers={"List-Unsubscribe": link}))


def test_the_attempts_key_alone_decides_the_message_id():
    outgoing = made()
    for sender in (("", "a@one.example"), ("Other", "b@one.example", "c@two.example")):
        assert read(rendered(outgoing, *sender))["Message-ID"] == f"<{outgoing.attempt_key}@one.example>"


def test_an_email_is_dated_and_says_whom_to_answer():
    message = read(rendered(made(), "Northside", "hello@northside.example", "desk@northside.example"))
    assert abs((parsedate_to_datetime(message["Date"]) - real_now()).total_seconds()) < 5
    assert (message["To"], message["Reply-To"]) == ("ana@mail.example", "desk@northside.example")


@pytest.mark.parametrize("name", ["", "X Note", "X:", "X\r\nBcc", "Zoë"])
def test_a_header_without_a_proper_name_is_an_error(name):
    with pytest.raises(ValueError, match="header"):
        header(name, "x")


@pytest.mark.parametrize(
    "address",
    [
        *("", "ana", "@mail.example", "ana@", "a b@mail.example", "ana@mail.example\r\nBcc: b@x.example"),
        *("<ana@x.example>", "zoë@mail.example", "ana@mail..", "a@b@c.example", "ana@x.example,b@x.example"),
        "a" * 250 + "@x.example",
    ],
)
def test_what_no_mail_server_takes_is_no_address(address):
    with pytest.raises(ValueError, match="address"):
        mailbox(address)


def test_an_international_domain_is_given_in_ascii():
    assert mailbox("o'neil+new@zoë.example") == "o'neil+new@xn--zo-ija.example"
