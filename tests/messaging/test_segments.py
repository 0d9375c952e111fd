import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from messaging.segments import _EXTENDED, _GSM, count, plain
from trackstat.sandbox.segments import segments as as_billed

gsm = st.text(alphabet=sorted(_GSM), max_size=500)
anything = st.text(max_size=400)
emoji = st.text(alphabet="aé👍🏽👨‍👩‍👧‍👦🇺🇸\u200d\u0301x", max_size=250)


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("", "GSM-7", 0),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        ("a" * 152 + "€" + "a" * 20, "GSM-7", 2),
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 3),
        ("ł" * 70, "UCS-2", 1),
        ("ł" * 71, "UCS-2", 2),
        ("ł" * 134, "UCS-2", 2),
        ("ł" * 135, "UCS-2", 3),
        ("👍" * 35, "UCS-2", 1),
        ("👍" * 36, "UCS-2", 2),
        ("👍" * 67, "UCS-2", 3),  # 33 whole ones fit into 67 units, not 33 and a half
        ("ł" * 60 + "👨‍👩‍👧‍👦" + "ł" * 60, "UCS-2", 3),  # a family is not cut in two
    ],
)
def test_texts_are_counted_as_the_carrier_bills_them(text, encoding, segments):
    counted = count(text)
    assert (counted.encoding, counted.segments) == (encoding, segments)


def test_a_toll_free_number_fits_one_less():
    assert count("a" * 306).segments == 2
    assert count("a" * 305, toll_free=True).segments == 3
    assert count("ł" * 134, toll_free=True).segments == 3


def test_typographic_look_alikes_are_written_so_that_the_text_stays_short():
    words = plain("“Don’t wait” – it’s time…\u00a0Call\tus")
    assert words == "\"Don't wait\" - it's time... Call us"
    assert count(words).is_gsm
    assert plain("José, 👍🏽") == "José, 👍🏽"


def test_one_character_outside_the_set_makes_all_of_it_ucs_2():
    assert count("a" * 100 + "ł").segments == 2


@given(gsm | anything | emoji)
def test_our_count_is_the_carriers_count(text):
    assert count(text).segments == (as_billed(text) if text else 0)


@given(anything | emoji)
def test_a_shorter_text_never_costs_more_and_characters_are_what_is_seen(text):
    counted = count(text)
    assert counted.characters == len(regex.findall(r"\X", text))
    for cut in range(0, len(text), max(1, len(text) // 5)):
        if count(text[:cut]).encoding == counted.encoding:
            assert count(text[:cut]).segments <= counted.segments


@given(gsm)
def test_an_extended_character_counts_twice(text):
    units = sum(2 if character in _EXTENDED else 1 for character in text)
    counted = count(text).segments
    assert counted == (0 if not text else 1 if units <= 160 else counted)
    assert units <= 160 or -(-units // 153) <= counted <= -(-units // 152)
